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
  createCpuDevice(1)->load(bundle);
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
  auto device = createCpuDevice(2);
  DeviceBuffer buffer(*device, 3 << 20, "a test");
  auto *bytes = static_cast<uint8_t *>(buffer.data());
  EXPECT_EQ(reinterpret_cast<uintptr_t>(bytes) % 4096, 0u);
  EXPECT_EQ(bytes[0], 0);
  EXPECT_EQ(bytes[(3 << 20) - 1], 0);
  EXPECT_RT_ERROR(device->allocate(size_t(1) << 60, "a whale"), Capacity, "bytes of a whale");
}

TEST(CpuDevice, FillDoesNotDependOnThreads) {
  fb::WeightT w;
  w.name = "w";
  w.dtype = fb::DType::F8E4M3FN;
  w.shape = {300001};
  w.bytes = 300001;
  w.fill = fb::FillKind::Normal;
  w.fill_scale = 20;
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(fb::Weight::Pack(builder, &w));
  const auto &weight = *flatbuffers::GetRoot<fb::Weight>(builder.GetBufferPointer());
  std::vector<uint8_t> one(w.bytes), three(w.bytes);
  createCpuDevice(1)->fillWeight(weight, 5, one.data());
  createCpuDevice(3)->fillWeight(weight, 5, three.data());
  EXPECT_EQ(one, three);
  createCpuDevice(3)->fillWeight(weight, 6, three.data());
  EXPECT_NE(one, three);
}

TEST(CpuDevice, MeasuresABandwidth) {
  double rate = createCpuDevice(2)->measureReadBandwidth(8 << 20);
  EXPECT_GT(rate, 1e8);
  EXPECT_LT(rate, 1e13);
}

} // namespace
