#include "runtime/device/Device.h"
#include "test/runtime/toy/ExpectError.h"
#include "test/runtime/toy/TestBundle.h"

#include <cstring>

using namespace moec::rt;
using namespace moec::rt::test;

namespace {

void load(const std::function<void(fb::ManifestT &)> &edit, const Bytes &image = {}) {
  BundleParts parts = toyParts();
  if (!image.empty())
    parts.segments[0] = image;
  TempFile file(".moeb", assemble(std::move(parts), edit));
  BundleFile bundle(file.path());
  createCpuDevice({.threads = 1})->load(bundle);
}

TEST(CpuDevice, RefusesImagesThatDoNotLoad) {
  EXPECT_RT_ERROR(load({}, Bytes(5000, 'x')), Bundle, "images[0] does not load");
  EXPECT_RT_ERROR(load([](fb::ManifestT &m) { m.kernels[0]->symbol = "gone"; }), Bundle,
                  "images[0] lacks kernel 'gone'");
  EXPECT_RT_ERROR(load([](fb::ManifestT &m) { m.target->kind = "amd"; }), Target,
                  "is built for amd:");
  load({});
}

TEST(CpuDevice, MemoryIsZeroedAndAligned) {
  auto device = createCpuDevice({.threads = 2});
  DeviceBuffer buffer(*device, 3 << 20, "a test");
  auto *bytes = static_cast<uint8_t *>(buffer.data());
  EXPECT_EQ(reinterpret_cast<uintptr_t>(bytes) % 4096, 0u);
  EXPECT_EQ(bytes[0], 0);
  EXPECT_EQ(bytes[(3 << 20) - 1], 0);
  EXPECT_RT_ERROR(device->allocate(size_t(1) << 60, "a whale"), Capacity, "bytes of a whale");
}

Bytes filledWeight(unsigned threads, uint64_t seed) {
  TempFile file(".moeb", assemble(toyParts(ToyWeights::Synthetic), [&](fb::ManifestT &m) {
                  m.synthetic_seed = seed;
                  m.weights[0]->dtype = fb::DType::F8E4M3FN;
                  m.weights[0]->shape = {300001};
                  m.weights[0]->bytes = 300001;
                  m.weights[0]->fill_scale = 20;
                }));
  BundleFile bundle(file.path());
  auto device = createCpuDevice({.threads = threads});
  const auto *first = static_cast<const uint8_t *>(device->loadWeights(bundle, {})[0]);
  EXPECT_EQ(device->stats().filledBytes, 300001 + TOY_VOCAB * TOY_WIDTH * 4);
  return Bytes(first, first + 300001);
}

TEST(CpuDevice, FillDoesNotDependOnThreads) {
  EXPECT_EQ(filledWeight(1, 5), filledWeight(3, 5));
  EXPECT_NE(filledWeight(3, 6), filledWeight(3, 5));
}

TEST(CpuDevice, MeasuresABandwidth) {
  double rate = createCpuDevice({.threads = 2})->measureReadBandwidth(8 << 20);
  EXPECT_GT(rate, 1e8);
  EXPECT_LT(rate, 1e13);
}

} // namespace
