#include "codegen/target/nvidia/hopper/TensorMap.h"

using namespace moec::hopper;
using llvm::createStringError;

unsigned TensorMap::getElementBytes() const {
  switch (element) {
  case Element::Byte:
    return 1;
  case Element::BFloat16:
    return 2;
  case Element::Float32:
    return 4;
  }
  return 0;
}

uint64_t TensorMap::getBoxBytes() const {
  uint64_t bytes = getElementBytes();
  for (uint32_t size : box)
    bytes *= size;
  return bytes;
}

llvm::Error TensorMap::verify() const {
  if (sizes.empty() || sizes.size() > 5)
    return createStringError("tensor map: %zu sizes, expected 1 to 5", sizes.size());
  if (strides.size() + 1 != sizes.size() || box.size() != sizes.size())
    return createStringError(
        "tensor map: %zu sizes need %zu strides and %zu box sizes, found %zu and %zu", sizes.size(),
        sizes.size() - 1, sizes.size(), strides.size(), box.size());
  for (uint64_t stride : strides)
    if (stride % 16 || stride >> 40)
      return createStringError(
          "tensor map: stride of %llu bytes, expected a multiple of 16 below 2^40",
          static_cast<unsigned long long>(stride));
  for (uint32_t size : box)
    if (size == 0 || size > 256)
      return createStringError("tensor map: box size %u, expected 1 to 256", size);
  unsigned inner = box.front() * getElementBytes();
  if (inner % 16)
    return createStringError("tensor map: the box's rows of %u bytes are no multiple of 16", inner);
  if (swizzle && inner > swizzle)
    return createStringError("tensor map: the box's rows of %u bytes exceed the swizzle of %u",
                             inner, swizzle);
  if (offset % 16)
    return createStringError("tensor map: offset of %llu bytes, expected a multiple of 16",
                             static_cast<unsigned long long>(offset));
  return llvm::Error::success();
}

TensorMap TensorMap::ofOperand(unsigned slot, uint64_t rowBytes, Extent rows, uint32_t boxRows) {
  TensorMap map;
  map.slot = slot;
  map.sizes = {Extent::of(rowBytes), rows};
  map.strides = {rowBytes};
  map.box = {128, boxRows};
  map.swizzle = 128;
  return map;
}
