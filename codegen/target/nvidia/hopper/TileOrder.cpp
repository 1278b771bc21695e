#include "codegen/target/nvidia/hopper/TileOrder.h"

#include "llvm/Support/MathExtras.h"

using namespace moec::hopper;

static constexpr int64_t kWarp = 32;
static constexpr int64_t kEntryBytes = 8;

Int moec::hopper::getWaveRow(const Int &column, int64_t wave, int64_t columns, int64_t interleave) {
  if (!interleave)
    return column + wave * columns;
  return (column / interleave) * (2 * interleave) + column % interleave + wave * interleave;
}

TileOrder::TileOrder(KernelFrame &frame, const MatmulTile &tile, int64_t columns,
                     const std::optional<RowGroups> &groups)
    : frame(&frame), tile(tile), width(tile.columns * tile.parts),
      tileColumns(llvm::divideCeil(columns, width)), groups(groups) {
  if (groups)
    table = frame.allocate(groups->getSharedBytes(), 16);
}

void TileOrder::start(const Int &rowsThere) {
  if (groups) {
    ifThen(getThread(frame->b) < kWarp, [&] { listGroups(); });
    return;
  }
  rows = rowsThere;
  tileRows = ceilDiv(rows, tile.rows);
}

/// By one warp: each lane counts the row tiles of as many neighbouring groups, and the lanes before
/// it say how many there are before.
void TileOrder::listGroups() const {
  Builder &b = frame->b;
  int64_t perLane = llvm::divideCeil(groups->count + 1, kWarp);
  Int lane = getThread(b), first = lane * perLane;
  Global offsets = frame->getSlot(groups->offsets);
  // Groups behind the last one are empty.
  llvm::SmallVector<Int> begins, before; // of a lane's groups
  for (int64_t i = 0; i <= perLane; ++i) {
    Int at = min(first + i, Int(b, groups->count));
    begins.push_back(Int(b, load(offsets + at * 4, b.getI32Type(), 4)));
  }
  Int total(b, 0);
  for (int64_t i = 0; i < perLane; ++i) {
    before.push_back(total);
    total = total + ceilDiv(begins[i + 1] - begins[i], tile.rows);
  }
  Int sum = total; // of this lane and those before it
  for (int64_t distance = 1; distance < kWarp; distance *= 2) {
    Int below = shuffleUp(sum, distance);
    sum = sum + select(lane >= distance, below, Int(b, 0));
  }
  for (int64_t i = 0; i < perLane; ++i)
    ifThen(first + i < groups->count + 1, [&] {
      Values entry{(sum - total + before[i]).value, begins[i].value};
      store(makeVector(b, entry), table + (first + i) * kEntryBytes, kEntryBytes);
    });
}

Int TileOrder::getEntry(const Int &group, int64_t field) const {
  Builder &b = frame->b;
  return Int(b, load(table + group * kEntryBytes + 4 * field, b.getI32Type(), 4));
}

Int TileOrder::countTiles() const {
  Int along = groups ? getEntry(Int(frame->b, groups->count), 0) : tileRows;
  return along * tileColumns;
}

TilePlace TileOrder::getPlaceInRange(const Int &index, const Int &along, const Int &first) const {
  Int inColumns = index / (tileColumns * tile.rowGroup);
  Int rest = index % (tileColumns * tile.rowGroup);
  Int firstTile = inColumns * tile.rowGroup;
  Int height = min(along - firstTile, Int(frame->b, tile.rowGroup));
  TilePlace place;
  place.row = first + (firstTile + rest % height) * tile.rows;
  place.column = (rest / height) * width;
  return place;
}

TilePlace TileOrder::getPlace(const Int &index) const {
  Builder &b = frame->b;
  if (!groups) {
    TilePlace place = getPlaceInRange(index, tileRows, Int(b, 0));
    place.limit = rows;
    return place;
  }
  // The last group with at most as many row tiles before it: it has the tile.
  Int rowTile = index / tileColumns, group(b, 0);
  for (int64_t step = llvm::PowerOf2Ceil(groups->count) / 2; step > 0; step /= 2) {
    Int next = group + step, known = min(next, Int(b, groups->count));
    Bool isBefore = (next < groups->count) & (getEntry(known, 0) < rowTile + 1);
    group = select(isBefore, next, group);
  }
  Int before = getEntry(group, 0), along = getEntry(group + 1, 0) - before;
  TilePlace place = getPlaceInRange(index - before * tileColumns, along, getEntry(group, 1));
  place.limit = getEntry(group + 1, 1);
  place.group = group;
  return place;
}
