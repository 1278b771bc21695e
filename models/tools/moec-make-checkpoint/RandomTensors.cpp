#include "models/tools/moec-make-checkpoint/RandomTensors.h"
#include "llvm/ADT/APFloat.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/xxhash.h"
#include <cmath>

using namespace llvm;
using namespace moec::frontend;
using namespace moec::models;

static constexpr size_t poolSize = (1 << 20) + 4099; // elements
static constexpr size_t sliceSize = 1 << 18;         // elements
static constexpr float fp8Deviation = 448.0f / 4.5f;

namespace {
/// SplitMix64: small, and good enough for weights that mean nothing.
struct Random {
  uint64_t state;
  uint64_t next() {
    uint64_t z = (state += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  double uniform() { return ((next() >> 11) + 0.5) * 0x1p-53; } // (0, 1)
};
} // namespace

RandomTensors::RandomTensors(uint64_t seed) : seed(seed), normals(poolSize) {
  Random random{seed};
  for (float &value : normals)
    value = std::sqrt(-2 * std::log(random.uniform())) * std::cos(2 * M_PI * random.uniform());
}

static uint16_t toBF16(float value) { // round to nearest, ties to even
  uint32_t bits = bit_cast<uint32_t>(value);
  return (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
}

static uint8_t toE4M3(float value) {
  APFloat number(std::min(448.0f, std::max(-448.0f, value)));
  bool losesInfo;
  number.convert(APFloat::Float8E4M3FN(), APFloat::rmNearestTiesToEven, &losesInfo);
  return number.bitcastToAPInt().getZExtValue();
}

const std::vector<uint8_t> &RandomTensors::pool(DType dtype, float mean, float deviation) {
  std::vector<uint8_t> &bytes = pools[{dtype, mean, deviation}];
  if (!bytes.empty())
    return bytes;
  size_t width = bitsOf(dtype) / 8;
  bytes.resize(poolSize * width);
  for (size_t i = 0; i < poolSize; ++i) {
    float value = mean + deviation * normals[i];
    uint8_t *place = &bytes[i * width];
    if (dtype == DType::F8_E4M3)
      *place = toE4M3(value);
    else if (dtype == DType::BF16)
      support::endian::write16le(place, toBF16(value));
    else
      support::endian::write32le(place, bit_cast<uint32_t>(value));
  }
  return bytes;
}

/// One scale a block: the deviation that the weight wants over that of its
/// bytes, varied a little from block to block. The input width is known only to
/// a block's edge, which is near enough.
Error RandomTensors::fillScales(const SafeTensorsWriter::Entry &entry, Sink sink) {
  Random random{seed ^ xxh3_64bits(entry.name)};
  float deviation = 1 / std::sqrt(128.0f * entry.shape[1]);
  std::vector<uint8_t> bytes(*byteSizeOf(entry.dtype, entry.shape));
  for (size_t i = 0; i < bytes.size(); i += 4)
    support::endian::write32le(
        &bytes[i],
        bit_cast<uint32_t>(float(deviation / fp8Deviation * (0.75 + 0.5 * random.uniform()))));
  return sink(bytes);
}

Error RandomTensors::fill(const SafeTensorsWriter::Entry &entry, Sink sink) {
  StringRef name = entry.name;
  if (name.ends_with("_scale_inv"))
    return fillScales(entry, sink);
  float mean = 0, deviation;
  if (entry.dtype == DType::F8_E4M3)
    deviation = fp8Deviation;
  else if (name.ends_with("bias"))
    deviation = 0.05f;
  else if (entry.shape.size() == 1)
    mean = 1, deviation = 0.1f;
  else if (name.contains("embed_tokens"))
    deviation = 0.5f;
  else
    deviation = 1 / std::sqrt(float(entry.shape.back()));

  ArrayRef<uint8_t> bytes = pool(entry.dtype, mean, deviation);
  size_t width = bitsOf(entry.dtype) / 8;
  Random random{seed ^ xxh3_64bits(name)};
  uint64_t left = *byteSizeOf(entry.dtype, entry.shape) / width;
  while (left) {
    size_t count = std::min<uint64_t>(left, sliceSize);
    size_t first = random.next() % (poolSize - count);
    if (Error error = sink(bytes.slice(first * width, count * width)))
      return error;
    left -= count;
  }
  return Error::success();
}
