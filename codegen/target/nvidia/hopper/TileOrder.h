// Which tile of a matrix product comes when: rows of x in one range, or in groups that each have a
// matrix of the weight, with sizes that only the device knows.
#pragma once

#include "codegen/target/nvidia/hopper/KernelFrame.h"
#include "codegen/target/nvidia/hopper/MatmulTile.h"

#include <optional>

namespace moec::hopper {

/// Groups of rows: rows offsets[g] to offsets[g + 1] are multiplied with matrix g of the weight.
struct RowGroups {
  unsigned offsets = 0;         // slot: i32 [count + 1]
  int64_t count = 0;            // groups
  std::optional<unsigned> rows; // slot: i32; row i of the product is x's row rows[i] / topK
  int64_t topK = 1;
  bool areSettled = false; // offsets are there before the launch before has ended

  static constexpr int64_t kMostGroups = 1024;
  /// Bytes of shared memory that a TileOrder of these takes.
  int64_t getSharedBytes() const { return (count + 1) * 8; }
};

struct TilePlace {
  Int row, column; // of the results; of a column wave
  Int limit;       // the row behind the last one of the range or group
  Int group;       // no value without groups
  Int turn;        // tiles that the block had before this one
};

/// The weight row of column `column` of wave `wave`: rows of gates come first, `columns` of them,
/// or in turn with what they gate in runs of `interleave`.
Int getWaveRow(const Int &column, int64_t wave, int64_t columns, int64_t interleave);

class TileOrder {
public:
  /// Tiles of `tile` over `columns` columns of a wave; one of them is a whole cluster's.
  TileOrder(KernelFrame &frame, const MatmulTile &tile, int64_t columns,
            const std::optional<RowGroups> &groups);

  /// By all threads at the start, before a barrier of the block; `rows` are those there are, which
  /// groups do not ask for. Reads the groups' offsets.
  void start(const Int &rows);
  /// Behind that barrier.
  Int countTiles() const;
  /// All but the turn. Tiles run along `rowGroup` row tiles of one range or group, then to the next
  /// columns: what is in flight shares weights and x.
  TilePlace getPlace(const Int &index) const;

private:
  void listGroups() const;
  Int getEntry(const Int &group, int64_t field) const;
  TilePlace getPlaceInRange(const Int &index, const Int &tileRows, const Int &first) const;

  KernelFrame *frame;
  MatmulTile tile;
  int64_t width;       // columns of a cluster
  int64_t tileColumns; // clusters along the columns
  std::optional<RowGroups> groups;
  Shared table; // of each group, and behind them: row tiles before it, its first row
  Int rows, tileRows;
};

} // namespace moec::hopper
