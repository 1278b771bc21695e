// What the producer of attention over latents tells the warpgroups that compute: which pieces of
// the context there are, and which of them share their tile with other blocks. Only the producer
// knows the plan; in the registers of the others there is no room for it.
//
//   pieces   i32 [2][12]: two in turn. A piece's place is written once the queries of the piece
//            before are free, and so nobody reads what stood there.
//   shared   i32 [2][4], then their number: the tiles that others have parts of
#pragma once

#include "codegen/target/nvidia/hopper/LatentParts.h"

namespace moec::hopper {

/// A tile that this block has parts of, and others.
struct SharedPart {
  BlockRows rows;
  ContextPlan::Sharing sharing;
};

class LatentPieces {
public:
  explicit LatentPieces(const LatentParts &parts) : parts(parts), b(parts.b) {}

  /// What the producer says of a piece. Each is read from memory where it is asked for.
  class Piece {
  public:
    Piece(const LatentParts &parts, const Shared &place) : parts(parts), place(place) {}
    Int getBegin() const { return get(2); }
    Int getEnd() const { return get(3); } // 0: there are no more
    /// Whether it has an even number of blocks.
    Bool isEven() const { return ((getEnd() - getBegin()) & 1) == 0; }
    /// Cached rows that every row, and that any row attends to.
    Int getShortest() const { return get(4); }
    Int getLongest() const { return get(5); }
    BlockRows getRows() const;
    ContextPlan::Sharing getSharing() const { return {get(6), get(7)}; }
    /// The first of its sequence's entries in the block table.
    Int getEntry() const { return get(8); }

  private:
    Int get(int64_t word) const;

    const LatentParts &parts;
    Shared place;
  };

  // By the producer.
  void clear() const;
  void put(const LatentParts::Piece &piece, const Int &entry, const Int &turn) const;
  void end(const Int &turn) const;

  // By those who compute.
  /// Waits for it.
  Piece take(const Int &turn) const;
  /// The same piece again.
  Piece get(const Int &turn) const { return Piece(parts, getPlace(turn)); }
  Int countShared() const;
  SharedPart getShared(const Int &index) const;

private:
  Shared getPlace(const Int &turn) const;
  void arrive() const;

  const LatentParts &parts;
  Builder &b;
};

} // namespace moec::hopper
