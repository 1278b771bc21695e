// A level is a promise about instructions; a CPU by name refines it with cache
// sizes and rates. Rates are orders of magnitude for one socket, not measurements.
#include "codegen/target/cpu/KnownCpus.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/TargetParser/Host.h"

using namespace moec;
using namespace moec::codegen;

namespace {
struct KnownCpu {
  llvm::StringLiteral name;
  int64_t level1Kib, level2Kib;
  double gigabytesPerSecond, gigaflopsPerSecond;
};
constexpr double kSecondsPerLaunch = 3e-6;

constexpr KnownCpu kLevels[] = {
    {"x86-64-v3", 32, 512, 25, 200},
    {"x86-64-v4", 32, 1024, 50, 500},
};
constexpr KnownCpu kCpus[] = {
    {"haswell", 32, 256, 40, 300},           {"skylake", 32, 256, 30, 250},
    {"skylake-avx512", 32, 1024, 90, 900},   {"cascadelake", 32, 1024, 100, 1000},
    {"icelake-server", 48, 1280, 150, 1500}, {"sapphirerapids", 48, 2048, 200, 2500},
    {"emeraldrapids", 48, 2048, 220, 2500},  {"znver2", 32, 512, 120, 1000},
    {"znver3", 32, 512, 150, 1200},          {"znver4", 32, 1024, 300, 3000},
    {"znver5", 48, 1024, 400, 5000},
};
/// What the emitters assume; x86-64-v3 has all of these.
constexpr llvm::StringLiteral kRequired[] = {"avx", "avx2", "bmi", "bmi2", "f16c", "fma", "sse4.2"};
constexpr llvm::StringLiteral kLevel4[] = {"avx512f", "avx512bw", "avx512cd", "avx512dq",
                                           "avx512vl"};
} // namespace

/// Fills registers, caches and rates from the table row and the features.
static void describe(Cpu &cpu, const KnownCpu &known, bool wide,
                     llvm::function_ref<bool(llvm::StringRef)> has) {
  cpu.machine.vectorBytes = wide ? 64 : 32;
  cpu.machine.vectorRegisters = wide ? 32 : 16;
  cpu.machine.level1Bytes = known.level1Kib << 10;
  cpu.machine.level2Bytes = known.level2Kib << 10;
  cpu.machine.hasByteDot = has("avx512vnni") || has("avxvnni");
  cpu.machine.hasBFloat16Dot = has("avx512bf16");
  cpu.machine.hasBytePermute = has("avx512vbmi");
  cpu.rates = {known.gigabytesPerSecond * 1e9, known.gigaflopsPerSecond * 1e9, kSecondsPerLaunch};
}

llvm::Expected<Cpu> moec::codegen::describeHost(llvm::StringRef name, llvm::StringRef llvmCpu,
                                                const llvm::StringMap<bool> &features) {
  auto has = [&](llvm::StringRef feature) { return features.lookup(feature); };
  for (llvm::StringRef feature : kRequired)
    if (!has(feature))
      return llvm::createStringError("target '%s': this CPU (%s) lacks %s; moec needs an x86-64-v3 "
                                     "CPU: name the level of the machine that will run the bundle "
                                     "(cpu:x86-64-v3)",
                                     name.str().c_str(), llvmCpu.str().c_str(),
                                     feature.str().c_str());
  Cpu cpu{name.str(), llvmCpu.str(), {}, {}, {}};
  for (const auto &feature : features)
    if (feature.getValue())
      cpu.features.push_back(feature.getKey().str());
  llvm::sort(cpu.features);
  bool wide = llvm::all_of(kLevel4, has);
  const KnownCpu *known =
      llvm::find_if(kCpus, [&](const KnownCpu &k) { return k.name == llvmCpu; });
  describe(cpu, known != std::end(kCpus) ? *known : kLevels[wide], wide, has);
  return cpu;
}

llvm::Expected<Cpu> moec::codegen::findCpu(llvm::StringRef name) {
  auto [prefix, level] = name.split(':');
  if (prefix == "cpu" && !name.contains(':'))
    return describeHost(name, llvm::sys::getHostCPUName(), llvm::sys::getHostCPUFeatures());
  for (const KnownCpu &known : kLevels)
    if (prefix == "cpu" && known.name == level) {
      Cpu cpu{name.str(), level.str(), {}, {}, {}};
      describe(cpu, known, level == "x86-64-v4", [](llvm::StringRef) { return false; });
      return cpu;
    }
  return llvm::createStringError("target '%s': unknown CPU level; known are cpu (this machine), "
                                 "cpu:x86-64-v3, cpu:x86-64-v4",
                                 name.str().c_str());
}
