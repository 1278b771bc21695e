#include "runtime/device/cpu/CpuFeatures.h"
#include "test/runtime/toy/ExpectError.h"

#include <flatbuffers/flatbuffers.h>

using namespace moec::rt;

namespace {

struct Target {
  flatbuffers::FlatBufferBuilder builder;
  const fb::Target *target;
  Target(const char *kind, const char *arch, std::vector<std::string> features) {
    fb::TargetT t;
    t.kind = kind;
    t.arch = arch;
    t.features = std::move(features);
    builder.Finish(fb::Target::Pack(builder, &t));
    target = flatbuffers::GetRoot<fb::Target>(builder.GetBufferPointer());
  }
};

TEST(CpuFeatures, AgreesWithTheCompiler) {
  EXPECT_EQ(hasCpuFeature("sse2"), true);
  EXPECT_EQ(hasCpuFeature("avx2"), bool(__builtin_cpu_supports("avx2")));
  EXPECT_EQ(hasCpuFeature("fma"), bool(__builtin_cpu_supports("fma")));
  EXPECT_EQ(hasCpuFeature("f16c"), bool(__builtin_cpu_supports("f16c")));
  EXPECT_EQ(hasCpuFeature("avx512f"), bool(__builtin_cpu_supports("avx512f")));
  EXPECT_EQ(hasCpuFeature("avx512bf16"), bool(__builtin_cpu_supports("avx512bf16")));
  EXPECT_EQ(hasCpuFeature("fma4"), bool(__builtin_cpu_supports("fma4")));
  EXPECT_EQ(hasCpuFeature("quantum"), std::nullopt);
  EXPECT_EQ(hasCpuFeature("+avx2"), std::nullopt);
}

TEST(CpuFeatures, LevelsGrow) {
  size_t before = 0;
  for (const char *level : {"x86-64", "x86-64-v2", "x86-64-v3", "x86-64-v4"}) {
    auto features = featuresOfLevel(level);
    ASSERT_TRUE(features);
    EXPECT_GT(features->size(), before);
    before = features->size();
    for (std::string_view feature : *features)
      EXPECT_TRUE(hasCpuFeature(feature)) << feature;
  }
  EXPECT_FALSE(featuresOfLevel("znver4"));
}

TEST(CpuFeatures, AcceptsThisCpu) {
  checkCpuTarget(*Target("cpu", "x86-64", {}).target, "b");
  checkCpuTarget(*Target("cpu", "x86-64", {"sse2"}).target, "b");
  checkCpuTarget(*Target("cpu", "znver99", {"sse2", "cx16"}).target, "b");
}

TEST(CpuFeatures, RefusesOthers) {
  EXPECT_RT_ERROR(checkCpuTarget(*Target("nvidia", "sm_90a", {}).target, "b.moeb"), Target,
                  "bundle 'b.moeb' is built for nvidia:sm_90a, this runtime has devices for "
                  "the host CPU and NVIDIA's GPUs; compile it for one of them");
  EXPECT_RT_ERROR(checkCpuTarget(*Target("cpu", "znver4", {}).target, "b"), Target,
                  "built for CPU 'znver4' and lists no features");
  EXPECT_RT_ERROR(checkCpuTarget(*Target("cpu", "x86-64", {"quantum"}).target, "b"), Target,
                  "needs CPU features that this runtime does not know: quantum");
  // No CPU has both of AMD's abandoned and Intel's newest extensions.
  std::string message = test::errorOf(
      [] { checkCpuTarget(*Target("cpu", "x86-64", {"sse2", "fma4", "amx-fp8"}).target, "b"); },
      ErrorKind::Target);
  EXPECT_THAT(message, testing::HasSubstr("built for cpu:x86-64, this CPU lacks"));
  EXPECT_THAT(message, testing::HasSubstr("compile it with --target cpu:x86-64"));
}

} // namespace
