// A ring of buffers in shared memory between threads that fill them (with the copy engine) and
// threads that use them.
//
// Each buffer has two barriers: `full` (the fillers arrive, saying how many bytes are on their way;
// it completes when these have landed) and `empty` (the users arrive when they are done). A
// barrier's phases alternate: whoever walks along the ring carries the buffer's number and a parity
// that flips at each turn. Fillers begin with parity 1, which counts as complete for a new barrier:
// all buffers are empty.
#pragma once

#include "codegen/target/nvidia/hopper/KernelFrame.h"

namespace moec::hopper {

class MbarrierRing {
public:
  /// `buffers` of `bytes` each, aligned to 1024 when they are multiples of it, else to 128.
  MbarrierRing(KernelFrame &frame, int64_t buffers, int64_t bytes);
  /// Buffers that lie at `data`, one behind the other.
  MbarrierRing(KernelFrame &frame, const Shared &data, int64_t buffers, int64_t bytes);

  /// By one thread, then fenceBarrierInit and a barrier of the block (or the cluster).
  void init(int64_t fullArrivals, int64_t emptyArrivals) const;

  /// Before anybody walks, by all who will: only the first `count` buffers are used.
  void limit(const Int &count) { last = count - 1; }
  /// Buffers that are used.
  Int getCount() const { return last + 1; }

  /// Where somebody is: carried through loops as two i32.
  struct Position {
    Int buffer, parity;
    Values getValues() const { return {buffer.value, parity.value}; }
  };
  Position getFillerStart() const { return {Int(*b, 0), Int(*b, 1)}; }
  Position getUserStart() const { return {Int(*b, 0), Int(*b, 0)}; }
  Position getPosition(mlir::ValueRange values) const {
    return {Int(*b, values[0]), Int(*b, values[1])};
  }
  Position advance(const Position &position) const;
  /// Who walks a ring whose buffers serve several steps.
  Position advanceIf(const Position &position, const Bool &condition) const;

  Shared getBuffer(const Position &position) const { return data + position.buffer * bytes; }
  Shared getFull(const Position &position) const { return full + position.buffer * 8; }
  Shared getEmpty(const Position &position) const { return empty + position.buffer * 8; }

  /// A filler: waits until the buffer is empty.
  void waitEmpty(const Position &position) const;
  /// The filler: waits until the buffer is empty and announces `bytes` for it.
  void beginFill(const Position &position, int64_t bytes) const;
  /// A user: waits until the buffer is full.
  void waitFull(const Position &position) const;
  /// A user: is done with the buffer, where `condition` (one lane a warp).
  void release(const Position &position, const Bool &condition) const;
  /// The same, by each of a warp's lanes.
  void release(const Position &position) const { release(position, Int(*b, 0) == 0); }

private:
  Builder *b;
  int64_t buffers, bytes;
  Shared data, full, empty;
  Int last; // buffer
};

} // namespace moec::hopper
