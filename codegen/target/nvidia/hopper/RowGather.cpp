#include "codegen/target/nvidia/hopper/RowGather.h"

#include "llvm/Support/MathExtras.h"

using namespace moec::hopper;

static constexpr int64_t kChunks = 8; // of 16 bytes, in 128
static constexpr int64_t kNone = -1;
static constexpr int64_t kRowsAtOnce = RowGather::kThreads / kChunks;

RowGather::RowGather(KernelFrame &frame, const Source &source, int64_t tileRows, const Int &thread,
                     int64_t threads)
    : frame(&frame), source(source), tileRows(tileRows), thread(thread), threads(threads) {}

/// x's row for row `inTile` of the tile, or kNone.
Int RowGather::findRow(const TilePlace &place, const Int &inTile) const {
  Builder &b = frame->b;
  Int row = place.row + inTile;
  Bool exists = row < place.limit;
  exists = exists & (inTile < tileRows);
  if (source.groups && source.groups->rows) {
    Global rows = frame->getSlot(*source.groups->rows).at(min(row, place.limit - 1), 4);
    row = Int(b, load(rows, b.getI32Type(), 4)) / source.groups->topK;
  }
  return select(exists, row, Int(b, kNone));
}

void RowGather::start(const TilePlace &place) {
  wholeRows.clear();
  scaleRows.clear();
  if (source.groups && source.groups->rows)
    for (int64_t row = 0; row < tileRows; row += kRowsAtOnce)
      wholeRows.push_back(findRow(place, (thread >> 3) + row));
  for (int64_t row = 0; source.scales && row < tileRows; row += threads)
    scaleRows.push_back(findRow(place, thread + row));
}

// Rows are pinned: otherwise addresses and conditions of each are kept in registers, which a
// producer has few of.

void RowGather::bringRows(const Shared &to, const Int &block) const {
  Int row = thread >> 3, chunk = thread & 7;
  Shared first = to + (row * 128 + (chunk ^ (row & 7)) * 16);
  for (size_t i = 0; i < wholeRows.size(); ++i) {
    Int from = pin(wholeRows[i]);
    Global line =
        frame->getSlot(source.rows).at(from, source.rowBytes) + (block * 128 + chunk * 16);
    copyElement(first + static_cast<int64_t>(i) * kRowsAtOnce * 128, line, 16, from != kNone);
  }
}

void RowGather::bringScales(const Shared &to, const Int &block, int64_t count) const {
  int64_t blocks = source.rowBytes / 128;
  for (size_t i = 0; i < scaleRows.size(); ++i) {
    Int from = pin(scaleRows[i]), inTile = thread + static_cast<int64_t>(i) * threads;
    Global line = frame->getSlot(*source.scales).at(from, blocks * 4);
    if (blocks % count == 0 && count == 4) { // `block` is a multiple of it, too
      copyElement(to + inTile * 16, line + block * 4, 16, from != kNone);
      continue;
    }
    for (int64_t j = 0; j < count; ++j)
      copyElement(to + (inTile * count + j) * 4, line + (block + j) * 4, 4,
                  (from != kNone) & (block + j < blocks));
  }
}
