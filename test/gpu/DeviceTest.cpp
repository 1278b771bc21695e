// The CUDA device on a real GPU: weights arrive whole, synthetic ones are the
// host's bytes, and the speeds of both are printed. For test/gpu/run.py; needs
// no file.
#include "runtime/core/Model.h"
#include "test/runtime/toy/ExpectError.h"
#include "test/runtime/toy/TestBundle.h"

#include <cstring>

using namespace moec::rt;
using namespace moec::rt::test;

namespace {

Bytes fetch(const Model &model, int weight) {
  BufferView view = model.weight(weight);
  Bytes bytes(view.bytes);
  model.device().copyOut(bytes.data(), view.data, view.bytes);
  return bytes;
}

void addWeight(BundleParts &parts, std::unique_ptr<fb::WeightT> w) {
  w->bytes = w->shape[0] * elementSize(w->dtype);
  parts.manifest.weights.push_back(std::move(w));
}

/// A bundle of weights for any GPU: its kernels are gone.
BundleParts weightsOnly(int architecture) {
  BundleParts parts = cudaToyParts(ToyWeights::Synthetic, "sm_" + std::to_string(architecture));
  parts.manifest.kernels.clear();
  for (auto &entry : parts.manifest.entries)
    for (auto &program : entry->programs)
      program->launches.clear();
  parts.manifest.weights.clear();
  return parts;
}

constexpr int kArchitecture = 80; // or later

TEST(Gpu, FillsTheSameBytesAsTheHost) {
  BundleParts parts = weightsOnly(kArchitecture);
  for (fb::DType type : fb::EnumValuesDType())
    for (fb::FillKind kind : {fb::FillKind::Normal, fb::FillKind::Constant}) {
      auto w = std::make_unique<fb::WeightT>();
      w->name = std::string(fb::EnumNameDType(type)) + fb::EnumNameFillKind(kind);
      w->dtype = type;
      w->shape = {10'000'003};
      w->fill = kind;
      w->fill_scale = 0.75f;
      addWeight(parts, std::move(w));
    }
  TempFile file(".moeb", assemble(std::move(parts)));
  Model model(file.path());
  model.loadWeights();
  auto host = createCpuDevice();
  std::vector<void *> expected = host->loadWeights(model.bundle(), {});
  for (size_t i = 0; i < expected.size(); ++i) {
    Bytes got = fetch(model, int(i));
    EXPECT_EQ(std::memcmp(got.data(), expected[i], got.size()), 0)
        << model.manifest().weights()->Get(i)->name()->str();
  }
}

TEST(Gpu, FillsFast) {
  BundleParts parts = weightsOnly(kArchitecture);
  for (fb::DType type : {fb::DType::F8E4M3FN, fb::DType::BF16, fb::DType::F32}) {
    auto w = std::make_unique<fb::WeightT>();
    w->name = fb::EnumNameDType(type);
    w->dtype = type;
    w->shape = {uint64_t(4) << 30};
    w->fill = fb::FillKind::Normal;
    w->fill_scale = 0.02f;
    addWeight(parts, std::move(w));
  }
  TempFile file(".moeb", assemble(std::move(parts)));
  Model model(file.path());
  model.loadWeights();
  LoadStats stats = model.device().stats();
  std::printf("filled %.1f GB in %.3f s: %.1f GB/s\n", double(stats.filledBytes) / 1e9,
              stats.weightSeconds, double(stats.filledBytes) / stats.weightSeconds / 1e9);
}

TEST(Gpu, WeightsArriveWhole) {
  BundleParts parts = weightsOnly(kArchitecture);
  for (uint64_t bytes : {uint64_t(1) << 20, (uint64_t(2) << 30) + 12345, uint64_t(100)}) {
    auto w = std::make_unique<fb::WeightT>();
    w->name = "w" + std::to_string(bytes);
    w->dtype = fb::DType::U8;
    w->shape = {bytes};
    w->segment = int32_t(parts.segments.size());
    Bytes content(bytes);
    uint64_t state = bytes;
    for (uint64_t i = 0; i + 8 <= bytes; i += 8) {
      state = state * 6364136223846793005ull + 1442695040888963407ull;
      std::memcpy(&content[i], &state, 8);
    }
    parts.segments.push_back(std::move(content));
    addWeight(parts, std::move(w));
  }
  TempFile file(".moeb", assemble(std::move(parts)));
  for (int round = 0; round < 2; ++round) { // the second one with the file in memory
    Model model(file.path(), {.verifyWeights = false});
    model.loadWeights();
    LoadStats stats = model.device().stats();
    std::printf("copied %.1f GB in %.3f s: %.1f GB/s\n", double(stats.copiedBytes) / 1e9,
                stats.weightSeconds, double(stats.copiedBytes) / stats.weightSeconds / 1e9);
    for (int i = 0; i < 3; ++i) {
      auto expected = model.bundle().segment(model.manifest().weights()->Get(i)->segment());
      EXPECT_EQ(std::memcmp(fetch(model, i).data(), expected.data(), expected.size()), 0) << i;
    }
  }
}

TEST(Gpu, ReadsFast) {
  auto device = createCudaDevice();
  std::printf("%s\n", device->describe().c_str());
  for (uint64_t megabytes : {64, 1024, 4096})
    std::printf("reads %llu MiB at %.1f GB/s\n", (unsigned long long)megabytes,
                device->measureReadBandwidth(megabytes << 20) / 1e9);
}

TEST(Gpu, SaysWhatDoesNotFit) {
  auto device = createCudaDevice();
  std::vector<MemoryNeed> needs = {{"weights", 300ull << 30}, {"KV cache", 1ull << 30}};
  EXPECT_RT_ERROR(device->checkRoom(needs), Capacity,
                  "(weights 322.12, KV cache 1.07), device 0 (");
  std::printf("%s\n", errorOf([&] { device->checkRoom(needs); }, ErrorKind::Capacity).c_str());
}

} // namespace
