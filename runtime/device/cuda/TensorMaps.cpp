#include "runtime/device/cuda/TensorMaps.h"

#include <bit>
#include <vector>

namespace moec::rt::cuda {
namespace {

/// The driver's number of an element type.
int dataType(fb::DType type) {
  enum { UInt8 = 0, Int32 = 3, Float16 = 6, Float32 = 7, BFloat16 = 9 };
  switch (type) {
  case fb::DType::F32:
    return Float32;
  case fb::DType::F16:
    return Float16;
  case fb::DType::BF16:
    return BFloat16;
  case fb::DType::I32:
    return Int32;
  default: // moved as bytes
    return UInt8;
  }
}

/// 0 for none, then 1, 2, 3 for `first` bytes, twice and four times that.
int powerIndex(uint32_t bytes, uint32_t first) {
  return bytes ? std::countr_zero(bytes / first) + 1 : 0;
}

} // namespace

TensorMap encodeTensorMap(const fb::TensorMap &map, const fb::Program &program, BufferView buffer,
                          const std::string &what) {
  unsigned rank = map.sizes()->size();
  std::vector<uint64_t> sizes;
  for (const fb::Extent *extent : *map.sizes())
    sizes.push_back(extentOf(*extent, program));
  if (isOpen(map))
    sizes.back() = buffer.bytes / map.strides()->Get(rank - 2); // `offset` is within each
  std::vector<uint32_t> steps(rank, 1);
  TensorMap encoded;
  Result result = api().cuTensorMapEncodeTiled(
      &encoded, dataType(map.dtype()), rank, static_cast<uint8_t *>(buffer.data) + map.offset(),
      sizes.data(), map.strides()->data(), map.box()->data(), steps.data(), /*interleave=*/0,
      powerIndex(map.swizzle(), 32), powerIndex(map.l2_promotion(), 64), /*outOfBounds=*/0);
  check(result, what, ": the driver refuses the tensor map");
  return encoded;
}

} // namespace moec::rt::cuda
