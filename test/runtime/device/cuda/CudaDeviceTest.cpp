// The CUDA device on the fake driver: what arrives, what is recorded and
// launched, and one clear error for each thing that can go wrong.
#include "runtime/core/Session.h"
#include "test/runtime/device/cuda/FakeCuda.h"
#include "test/runtime/toy/ExpectError.h"
#include "test/runtime/toy/TestBundle.h"

#include <cstring>
#include <optional>

using namespace moec::rt;
using namespace moec::rt::test;

namespace {

using Edit = std::function<void(fb::ManifestT &)>;
using Tokens = std::vector<int32_t>;

Tokens someTokens(size_t count, uint32_t state) {
  Tokens out(count);
  for (int32_t &token : out) {
    state = state * 1664525u + 1013904223u;
    token = int32_t((state >> 8) % TOY_VOCAB);
  }
  return out;
}

/// A model of the CUDA toy bundle on a fake driver.
class Opened {
public:
  explicit Opened(const char *driver = "", BundleParts parts = cudaToyParts(),
                  const Edit &edit = {}, const DeviceOptions &options = {})
      : file(".moeb", assemble(std::move(parts), edit)) {
    fakeCudaReset(driver);
    model.emplace(file.path(), ModelOptions{.device = options});
  }
  const FakeLog &log() const { return *fakeCudaLog(); }
  int calls(const char *name) const {
    auto known = log().calls.find(name);
    return known == log().calls.end() ? 0 : known->second;
  }

  TempFile file;
  std::optional<Model> model;
};

std::vector<float> feed(Session &session, SequenceId id, std::span<const int32_t> tokens) {
  Feed f{id, tokens};
  const float *row = session.step({&f, 1})[0];
  return {row, row + TOY_VOCAB};
}

void expectLogits(std::span<const float> got, std::span<const int32_t> tokens) {
  std::vector<float> expected = toyLogits(tokens);
  for (size_t i = 0; i < TOY_VOCAB; ++i)
    ASSERT_NEAR(got[i], expected[i], 1e-4) << "logit " << i;
}

TEST(CudaDevice, RunsTheModel) {
  Opened o;
  Session session(*o.model, {.poison = true});
  for (size_t length : {1, 2, 4, 5, 16, 17, 40, TOY_CONTEXT}) {
    Tokens tokens = someTokens(length, uint32_t(length));
    SequenceId id = session.addSequence();
    expectLogits(feed(session, id, tokens), tokens);
    session.removeSequence(id);
  }
}

TEST(CudaDevice, StepsBatches) {
  Opened o;
  Session session(*o.model, {.poison = true});
  std::vector<Tokens> histories;
  std::vector<SequenceId> ids;
  for (int s = 0; s < TOY_BATCH; ++s) {
    histories.push_back(someTokens(3 + 5 * s, 10 + s));
    ids.push_back(session.addSequence());
    feed(session, ids[s], histories[s]);
  }
  for (int round = 0; round < 4; ++round) {
    std::vector<Feed> feeds;
    for (int s = round; s < TOY_BATCH; ++s) {
      histories[s].push_back((round * 31 + s) % TOY_VOCAB);
      feeds.push_back({ids[s], std::span(histories[s]).last(1)});
    }
    auto rows = session.step(feeds);
    for (int s = round; s < TOY_BATCH; ++s)
      expectLogits({rows[s - round], TOY_VOCAB}, histories[s]);
  }
}

TEST(CudaDevice, RecordsEachProgramOnce) {
  Opened o;
  Session session(*o.model);
  EXPECT_EQ(o.calls("cuGraphInstantiateWithFlags"), 5);
  EXPECT_TRUE(o.log().launches.empty()); // recording runs nothing
  SequenceId id = session.addSequence();
  feed(session, id, someTokens(33, 1));
  feed(session, id, someTokens(1, 1));
  EXPECT_EQ(o.calls("cuGraphInstantiateWithFlags"), 5);
  EXPECT_EQ(o.calls("cuGraphLaunch"), 4); // 16 + 16 + 1 tokens, and one step
  EXPECT_EQ(o.log().launches.size(), 12u);
  for (const FakeLaunch &launch : o.log().launches)
    EXPECT_TRUE(launch.inGraph);
  LoadStats stats = o.model->device().stats();
  EXPECT_EQ(stats.graphs, 5u);
  EXPECT_EQ(stats.graphLaunches, 15u);
}

// Only what a step uses of its inputs is copied, in one piece.
TEST(CudaDevice, CopiesInputsOnce) {
  Opened o;
  Session session(*o.model);
  SequenceId id = session.addSequence();
  size_t before = o.log().copies.size();
  feed(session, id, Tokens{1});
  ASSERT_EQ(o.log().copies.size(), before + 1);
  EXPECT_EQ(o.log().copies.back(), 5 * 256u + TOY_PAGES_PER_SEQUENCE * 4);
}

TEST(CudaDevice, ChoosesTokensWhereTheLogitsAre) {
  BundleParts parts = cudaToyParts();
  addSampling(parts);
  Opened o("", std::move(parts));
  Session session(*o.model, {.poison = true});
  EXPECT_EQ(o.calls("cuGraphInstantiateWithFlags"), 8);
  Tokens history = someTokens(6, 1), fed = history;
  SequenceId id = session.addSequence();
  Sampler sampler({});
  Sampler *samplers[] = {&sampler};
  for (int step = 0; step < 3; ++step) {
    Feed feed{id, fed};
    fed = session.stepTokens({&feed, 1}, samplers);
    EXPECT_EQ(fed[0], argmax(toyLogits(history)));
    history.push_back(fed[0]);
    EXPECT_EQ(o.log().launches.back().kernel, "toy_sample");
    EXPECT_EQ(o.log().copies.back(), 256u + 16); // dims, and how to choose one token
  }
}

TEST(CudaDevice, LaunchesAsTheKernelSays) {
  Opened o;
  Session session(*o.model);
  feed(session, session.addSequence(), someTokens(3, 1)); // the program for up to 4 tokens
  ASSERT_EQ(o.log().launches.size(), 3u);
  const FakeLaunch &append = o.log().launches[0], &head = o.log().launches[2];
  EXPECT_EQ(append.kernel, "toy_append");
  EXPECT_EQ(append.blocks, 4u);
  EXPECT_EQ(append.threads, 128u);
  EXPECT_EQ(append.cluster, 1u);
  EXPECT_FALSE(append.early);
  EXPECT_EQ(head.kernel, "toy_head");
  EXPECT_EQ(head.blocks, 4u); // 16 tiles, at most 4 blocks
  EXPECT_EQ(head.sharedBytes, 64u << 10);
  EXPECT_EQ(head.cluster, 2u);
  EXPECT_TRUE(head.early);
}

TEST(CudaDevice, OldDriversLaunchInOrder) {
  Opened o("driver=12020");
  Session session(*o.model);
  feed(session, session.addSequence(), someTokens(3, 1));
  EXPECT_FALSE(o.log().launches[2].early);
}

TEST(CudaDevice, EncodesTensorMaps) {
  Opened o;
  Session session(*o.model, {.maxSequences = 2});
  ASSERT_EQ(o.log().maps.size(), 10u); // two in each program
  const FakeMap &cache = o.log().maps[0], &head = o.log().maps[1];
  EXPECT_EQ(cache.sizes, (std::vector<uint64_t>{TOY_WIDTH, 2 * TOY_CONTEXT}));
  EXPECT_EQ(head.sizes, (std::vector<uint64_t>{TOY_WIDTH, TOY_VOCAB}));
  EXPECT_EQ(head.address, o.model->weight(1).data);
  EXPECT_EQ(head.strides, std::vector<uint64_t>{TOY_WIDTH * 4});
  EXPECT_EQ(head.box, (std::vector<uint32_t>{8, 64}));
  EXPECT_EQ(head.dataType, 7); // float32
  EXPECT_EQ(head.swizzle, 1);
  EXPECT_EQ(head.l2Promotion, 2);
}

// Columns behind others: the last row has them, too.
TEST(CudaDevice, AMapOfPartsOfCachedRowsReachesTheLastRow) {
  BundleParts parts = cudaToyParts();
  for (auto &kernel : parts.manifest.kernels)
    for (auto &map : kernel->tensor_maps)
      if (!map->sizes.back().multiplier() && !map->sizes.back().addend()) {
        map->offset = 16;
        map->sizes[0] = fb::Extent(fb::Dim::One, 0, TOY_WIDTH - 4);
      }
  Opened o("", std::move(parts));
  Session session(*o.model, {.maxSequences = 2});
  ASSERT_FALSE(o.log().maps.empty());
  EXPECT_EQ(o.log().maps[0].sizes, (std::vector<uint64_t>{TOY_WIDTH - 4, 2 * TOY_CONTEXT}));
}

TEST(CudaDevice, WeightsArriveWhole) {
  BundleParts parts = cudaToyParts();
  // Larger than both pinned buffers, and no multiple of anything.
  Bytes big((100 << 20) + 4);
  for (size_t i = 0; i < big.size(); ++i)
    big[i] = uint8_t(i * 2654435761u >> 13);
  auto w = std::make_unique<fb::WeightT>();
  w->name = "big";
  w->dtype = fb::DType::U8;
  w->shape = {big.size()};
  w->bytes = big.size();
  w->segment = int32_t(parts.segments.size());
  parts.segments.push_back(big);
  parts.manifest.weights.insert(parts.manifest.weights.begin() + 1, std::move(w));
  for (auto &entry : parts.manifest.entries)
    for (auto &program : entry->programs)
      program->launches[2]->args[1] = fb::Arg(fb::ArgKind::Weight, 2, 0, TOY_VOCAB * TOY_WIDTH * 4);
  Opened o("", std::move(parts));
  uint64_t last = 0, calls = 0;
  o.model.emplace(o.file.path(), ModelOptions{.progress = [&](uint64_t done, uint64_t total) {
                    EXPECT_LE(done, total);
                    EXPECT_GE(done, last);
                    last = done;
                    ++calls;
                  }});
  o.model->loadWeights();
  EXPECT_EQ(last, o.model->weightBytes());
  EXPECT_GE(calls, 3u);
  for (int i = 0; i < 3; ++i) {
    std::span<const uint8_t> expected =
        o.model->bundle().segment(o.model->manifest().weights()->Get(i)->segment());
    EXPECT_EQ(reinterpret_cast<uintptr_t>(o.model->weight(i).data) % 256, 0u);
    EXPECT_EQ(std::memcmp(o.model->weight(i).data, expected.data(), expected.size()), 0) << i;
  }
  EXPECT_EQ(o.model->device().stats().copiedBytes, o.model->weightBytes());
}

TEST(CudaDevice, FillsTheSameBytesAsTheHost) {
  for (fb::DType type : fb::EnumValuesDType())
    for (fb::FillKind kind : {fb::FillKind::Normal, fb::FillKind::Constant}) {
      auto edit = [&](fb::ManifestT &m) {
        m.weights[0]->dtype = type;
        m.weights[0]->shape = {100003};
        m.weights[0]->bytes = 100003 * elementSize(type);
        m.weights[0]->fill = kind;
        m.weights[0]->fill_scale = 3;
      };
      Opened gpu("", cudaToyParts(ToyWeights::Synthetic), edit);
      gpu.model->loadWeights();
      TempFile file(".moeb", assemble(toyParts(ToyWeights::Synthetic), edit));
      Model host(file.path());
      host.loadWeights();
      for (int i = 0; i < 2; ++i)
        EXPECT_EQ(std::memcmp(gpu.model->weight(i).data, host.weight(i).data, host.weight(i).bytes),
                  0)
            << fb::EnumNameDType(type) << " " << fb::EnumNameFillKind(kind);
    }
}

TEST(CudaDevice, GivesItsMemoryBack) {
  {
    Opened o("", cudaToyParts(ToyWeights::Synthetic));
    Session session(*o.model);
    feed(session, session.addSequence(), someTokens(3, 1));
    EXPECT_GT(fakeCudaUsed(), 0u);
    o.model->device().measureReadBandwidth(1 << 20);
  }
  EXPECT_EQ(fakeCudaUsed(), 0u);
}

TEST(CudaDevice, TimesEachLaunch) {
  Opened o;
  Session session(*o.model);
  session.setProfiling(true);
  SequenceId id = session.addSequence();
  for (int i = 0; i < 2; ++i) {
    Tokens tokens = someTokens(4, i);
    feed(session, id, tokens);
    ASSERT_EQ(session.launchSeconds().size(), 3u);
    for (double seconds : session.launchSeconds())
      EXPECT_NEAR(seconds, 1e-3, 1e-9); // what the fake driver's kernels take
  }
  EXPECT_EQ(o.calls("cuGraphInstantiateWithFlags"), 6);
}

TEST(CudaDevice, LaunchByLaunchRecordsNothing) {
  Opened o("", cudaToyParts(), {}, {.launchByLaunch = true});
  Session session(*o.model);
  Tokens tokens = someTokens(20, 3);
  session.setProfiling(true);
  expectLogits(feed(session, session.addSequence(), tokens), tokens);
  EXPECT_EQ(o.calls("cuGraphInstantiateWithFlags"), 0);
  EXPECT_FALSE(o.log().launches[0].inGraph);
  EXPECT_EQ(session.launchSeconds().size(), 3u);
}

// ---- what can go wrong ----

TEST(CudaErrors, NoSuchGpu) {
  EXPECT_RT_ERROR(Opened("devices=0"), Target, "there is no GPU 0: the driver shows 0");
  EXPECT_RT_ERROR(Opened("devices=2", cudaToyParts(), {}, {.index = 2}), Target,
                  "there is no GPU 2: the driver shows 2; give --device a smaller number");
}

std::string archError(const char *driver, const char *arch) {
  return errorOf([&] { Opened(driver, cudaToyParts(ToyWeights::Present, arch)); },
                 ErrorKind::Target);
}

TEST(CudaErrors, BundleForAnotherGpu) {
  EXPECT_THAT(archError("arch=80", "sm_90a"),
              testing::HasSubstr("is compiled for sm_90a, device 0 (Fake GPU, sm_80) cannot run "
                                 "that; compile it with --target sm_80"));
  EXPECT_THAT(archError("arch=100", "sm_90a"), testing::HasSubstr("cannot run that"));
  EXPECT_THAT(archError("arch=100", "sm_90f"), testing::HasSubstr("cannot run that"));
  for (const char *odd : {"x86-64-v3", "sm_", "sm_90b", "sm_99999999999"})
    EXPECT_THAT(archError("", odd),
                testing::HasSubstr("expected a GPU architecture such as sm_90"));
}

TEST(CudaErrors, CodeRunsOnLaterGpus) {
  auto loaded = [](const char *driver, const char *arch) {
    BundleParts parts = cudaToyParts(ToyWeights::Present, arch);
    parts.manifest.kernels[2]->shared_bytes = 1 << 10;
    Opened o(driver, std::move(parts));
    return o.log().images;
  };
  using Images = std::vector<std::string>;
  EXPECT_EQ(loaded("arch=90", "sm_90a"), Images{"c"});
  EXPECT_EQ(loaded("arch=89", "sm_80"), Images{"c"});
  EXPECT_EQ(loaded("arch=90", "sm_80"), Images{"p"});
  EXPECT_EQ(loaded("arch=103", "sm_100f"), Images{"c"});
}

TEST(CudaErrors, PtxWhenTheCubinDoesNotLoad) {
  Opened o("fail=cuModuleLoadDataEx:209:1");
  EXPECT_EQ(o.log().images, std::vector<std::string>{"p"});
}

TEST(CudaErrors, NeitherImageLoads) {
  EXPECT_RT_ERROR(
      Opened("fail=cuModuleLoadDataEx:222,driver=12040"), Target,
      "its code does not load on device 0 (Fake GPU, sm_90): images[0] (cubin): CUDA error 222 "
      "(the provided PTX was compiled with an unsupported toolchain.); images[1] (ptx): CUDA error "
      "222 (the provided PTX was compiled with an unsupported toolchain.); the driver supports "
      "CUDA 12.4: install a newer driver");
}

TEST(CudaErrors, KernelsThatDoNotFit) {
  EXPECT_RT_ERROR(Opened("", cudaToyParts(), [](auto &m) { m.kernels[0]->symbol = "gone"; }),
                  Bundle, "kernel 'gone' is not in images[0]");
  EXPECT_RT_ERROR(Opened("", cudaToyParts(), [](auto &m) { m.kernels[0]->threads = 1024; }), Target,
                  "kernel 'toy_append' is launched with 1024 threads, its code allows 512");
  EXPECT_RT_ERROR(
      Opened("arch=80", cudaToyParts(ToyWeights::Present, "sm_80")), Target,
      "kernel 'toy_head' needs 65536 bytes of shared memory, device 0 (Fake GPU, sm_80) has 49152");
}

// The fake GPU has 4 multiprocessors; of a block with 64 KiB each holds 3.
TEST(CudaErrors, BlocksThatWaitMustAllFit) {
  auto blocks = [](unsigned count) {
    return [=](fb::ManifestT &m) {
      m.kernels[2]->co_resident = true;
      m.kernels[2]->max_blocks = count;
    };
  };
  Opened fits("", cudaToyParts(), blocks(12));
  EXPECT_EQ(fits.calls("cuOccupancyMaxActiveBlocksPerMultiprocessor"), 1);
  EXPECT_RT_ERROR(Opened("", cudaToyParts(), blocks(14)), Target,
                  "kernel 'toy_head' has 14 blocks that wait for each other, so all must run at "
                  "once; device 0 (Fake GPU, sm_90) runs 3 on each of its 4 multiprocessors: use a "
                  "GPU, or a part of one, with more of them");
  EXPECT_RT_ERROR(
      Opened("fail=cuOccupancyMaxActiveBlocksPerMultiprocessor:1", cudaToyParts(), blocks(4)),
      Internal, "kernel 'toy_head': cannot ask how many blocks fit: CUDA error 1");
}

TEST(CudaErrors, TooLittleMemory) {
  Opened o("memory=200000");
  int before = o.calls("cuMemAlloc");
  EXPECT_RT_ERROR(Session(*o.model), Capacity,
                  "the model needs 0.0003 GB of GPU memory (weights 0.0001, KV cache 0.0000, arena "
                  "0.0000, logits 0.0001, inputs 0.0000, recorded launches 0.0001), device 0 (Fake "
                  "GPU, sm_90) has 0.0002 GB free");
  EXPECT_EQ(o.calls("cuMemAlloc"), before); // seen before anything was allocated
}

TEST(CudaErrors, MemoryThatIsTakenMeanwhile) {
  Opened o("fail=cuMemAlloc:2:2");
  EXPECT_RT_ERROR(Session(*o.model), Capacity, "GB of KV cache of layer 0 (90 pages in each of 2");
}

TEST(CudaErrors, TensorMapThatTheDriverRefuses) {
  Opened o("fail=cuTensorMapEncodeTiled:1");
  EXPECT_RT_ERROR(Session(*o.model), Internal,
                  "kernel 'toy_attend' (attend) tensor_maps[0]: the driver refuses the tensor map: "
                  "CUDA error 1 (invalid argument)");
}

TEST(CudaErrors, LaunchThatTheDriverRefuses) {
  Opened o("fail=cuLaunchKernelEx:1:3");
  EXPECT_RT_ERROR(Session(*o.model), Internal,
                  "kernel 'toy_head' (head) does not launch: CUDA error 1 (invalid argument)");
}

TEST(CudaErrors, KernelsThatCrash) {
  Opened o("crash=toy_attend:700");
  Session session(*o.model);
  EXPECT_RT_ERROR(feed(session, session.addSequence(), Tokens{1}), Internal,
                  "a program failed on device 0 (Fake GPU, sm_90): CUDA error 700 (an illegal "
                  "memory access was encountered); run again with --launch-by-launch");
}

TEST(CudaErrors, CrashesAreNamedLaunchByLaunch) {
  Opened o("crash=toy_attend:700", cudaToyParts(), {}, {.launchByLaunch = true});
  Session session(*o.model);
  EXPECT_RT_ERROR(feed(session, session.addSequence(), Tokens{1}), Internal,
                  "kernel 'toy_attend' (attend) failed: CUDA error 700");
}

TEST(CudaErrors, MoreThanAProgramIsCompiledFor) {
  Opened o;
  o.model->loadWeights();
  Device &device = o.model->device();
  DeviceBuffer memory(device, 1 << 20, "a test");
  const fb::Program &program = *o.model->bundle().entry("decode")->programs()->Get(1);
  auto bound =
      device.bind(program, {memory.view(), [&](const fb::Arg &) { return memory.view(); }});
  auto run = [&](Dims dims) {
    bound->run({reinterpret_cast<const uint8_t *>(dims.data()), sizeof dims});
  };
  EXPECT_RT_ERROR(run({1, 3, 1, 1, 16}), Argument, "compiled for 2 tokens cannot run 3");
  EXPECT_RT_ERROR(run({1, 2, 3, 1, 16}), Argument, "compiled for 2 sequences cannot run 3");
  EXPECT_RT_ERROR(run({1, 2, 2, -1, 16}), Argument, "compiled for 2 output rows cannot run -1");
  EXPECT_RT_ERROR(bound->run({}), Internal, "an input block has 0 bytes");
}

} // namespace
