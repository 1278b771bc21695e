#include "codegen/target/nvidia/hopper/StreamingSums.h"

using namespace moec::hopper;

StreamingSums::StreamingSums(KernelFrame &frame, const StreamingTile &tile, int64_t waves)
    : b(frame.b), tile(tile), waves(waves), warpRows(tile.rows / tile.rowWarps),
      octets(waves * warpRows / 8),
      partial(frame.allocate(tile.kWarps * tile.tokens * waves * tile.rows * 4, 16)) {}

void StreamingSums::keep(const Place &place, mlir::ValueRange sums) const {
  int64_t width = waves * tile.rows;
  auto keepAll = [&] {
    Int token = tile.tokens == 1 ? Int(b, 0) : place.row;
    Shared line = partial + ((place.kWarp * tile.tokens + token) * width +
                             place.rowWarp * warpRows + place.quad * 2) *
                                4;
    for (int64_t octet = 0; octet < octets; ++octet) {
      int64_t wave = octet / (warpRows / 8), inWave = octet % (warpRows / 8);
      for (int64_t h = 0; h < getValuesPerOctet() / 2; ++h) {
        int64_t at = octet * getValuesPerOctet() + 2 * h;
        store(makeVector(b, {sums[at], sums[at + 1]}),
              line + (8 * h * width + wave * tile.rows + 8 * inWave) * 4, 8);
      }
    }
  };
  if (tile.tokens == 1)
    ifThen(place.row == 0, keepAll);
  else
    keepAll();
}

llvm::SmallVector<std::array<Value, 2>, 2> StreamingSums::add(const Int &token,
                                                              const Int &inBlock) const {
  auto vector = mlir::VectorType::get(2, b.getF32Type());
  llvm::SmallVector<std::array<Value, 2>, 2> sums;
  for (int64_t wave = 0; wave < waves; ++wave) {
    std::array<Value, 2> sum;
    for (int64_t w = 0; w < tile.kWarps; ++w) {
      Int place = (token + w * tile.tokens) * (waves * tile.rows) + inBlock + wave * tile.rows;
      Values pair = getElements(b, load(partial + place * 4, vector, 8));
      for (int64_t e : {0, 1})
        sum[e] = w ? addFloat(b, sum[e], pair[e]) : pair[e];
    }
    sums.push_back(sum);
  }
  return sums;
}
