#include "codegen/target/nvidia/hopper/StagedStore.h"

using namespace moec::hopper;

StagedStore::StagedStore(KernelFrame &frame, int64_t warps, int64_t buffers)
    : b(&frame.b), buffers(buffers), data(frame.allocate(warps * buffers * kBytes, 1024)) {}

TensorMap StagedStore::getMap(unsigned slot, uint64_t rowBytes, uint64_t columns, Extent rows) {
  TensorMap map;
  map.slot = slot;
  map.element = TensorMap::Element::BFloat16;
  map.sizes = {Extent::of(columns), rows};
  map.strides = {rowBytes};
  map.box = {kColumns, kRows};
  map.swizzle = 128;
  return map;
}

void StagedStore::store(const Target &target, const Int &warp, const Int &lane, const Int &row,
                        const Int &column, mlir::ValueRange blocks, int64_t turn) const {
  Bool isFirst = lane == 0;
  Shared buffer = data + (warp * (buffers * kBytes) + (turn % buffers) * kBytes);
  ifThen(isFirst, [&] { waitStores(*b, buffers - 1, /*read=*/true); });
  syncWarp(*b);
  Shared line = buffer + (lane & 15) * 128;
  for (int64_t j = 0; j < kColumns / 8; j += 2) {
    Int chunk = ((lane >> 4) + j) ^ (lane & 7);
    storeMatrix(line + chunk * 16,
                {blocks[2 * j], blocks[2 * j + 1], blocks[2 * j + 2], blocks[2 * j + 3]});
  }
  ifThen(
      target.limit >= row + kRows,
      [&] {
        fenceCopies(*b);
        syncWarp(*b);
        ifThen(isFirst, [&] { storeBox(target.map, {column.value, row.value}, buffer); });
      },
      [&] {
        syncWarp(*b);
        mlir::Type type = mlir::VectorType::get(4, b->getI32Type());
        for (int64_t step = 0; step < 4; ++step) { // four rows each
          Int r = (lane >> 3) + 4 * step, chunk = lane & 7;
          Bool exists = (row + r < target.limit) & (column + chunk * 8 < target.numColumns);
          ifThen(exists, [&] {
            Value line = load(buffer + (r * 128 + (chunk ^ (r & 7)) * 16), type, 16);
            Global to = target.matrix.at(row + r, target.rowBytes) + (column + chunk * 8) * 2;
            hopper::store(line, to, 16);
          });
        }
      });
  ifThen(isFirst, [&] { commitStores(*b); });
}

void StagedStore::finish(const Int &lane) const {
  ifThen(lane == 0, [&] { waitStores(*b, 0, /*read=*/false); });
}
