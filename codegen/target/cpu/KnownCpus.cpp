// A level is a promise about instructions; a CPU by name refines it with cache
// sizes and rates. Rates are orders of magnitude for one socket, not measurements.
#include "codegen/target/cpu/KnownCpus.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/TargetParser/Host.h"

#include <thread>

using namespace moec;
using namespace moec::codegen;

namespace {
struct KnownCpu {
  llvm::StringLiteral name;
  int64_t level1Kib, level2Kib;
  double gigabytesPerSecond; // of a socket
};
constexpr double kSecondsPerLaunch = 2e-6;
/// What one core reaches: with 32-byte and with 64-byte vectors.
constexpr double kCoreGigabytesPerSecond = 12;
constexpr double kCoreGigaflopsPerSecond[] = {40, 65};
constexpr double kCoreRowGigaflopsPerSecond[] = {3, 5};
/// A tile of gates and what they gate reads one run of rows.
constexpr int64_t kGateRows = 64;
/// Cores of a machine that is only known by its level.
constexpr double kLevelCores = 8;

constexpr KnownCpu kLevels[] = {{"x86-64-v3", 32, 512, 50}, {"x86-64-v4", 32, 1024, 100}};
constexpr KnownCpu kCpus[] = {
    {"haswell", 32, 256, 40},          {"skylake", 32, 256, 30},
    {"skylake-avx512", 32, 1024, 90},  {"cascadelake", 32, 1024, 100},
    {"icelake-server", 48, 1280, 150}, {"sapphirerapids", 48, 2048, 200},
    {"emeraldrapids", 48, 2048, 220},  {"znver2", 32, 512, 120},
    {"znver3", 32, 512, 150},          {"znver4", 32, 1024, 300},
    {"znver5", 48, 1024, 400},
};
/// What the emitters assume; x86-64-v3 has all of these.
constexpr llvm::StringLiteral kRequired[] = {"avx", "avx2", "bmi", "bmi2", "f16c", "fma", "sse4.2"};
constexpr llvm::StringLiteral kLevel4[] = {"avx512f", "avx512bw", "avx512cd", "avx512dq",
                                           "avx512vl"};
} // namespace

/// Fills registers, caches and rates from the table row and the features.
static void describe(Cpu &cpu, const KnownCpu &known, bool wide, double cores,
                     llvm::function_ref<bool(llvm::StringRef)> has) {
  cpu.machine.workers = int64_t(cores);
  cpu.machine.vectorBytes = wide ? 64 : 32;
  cpu.machine.vectorRegisters = wide ? 32 : 16;
  cpu.machine.level1Bytes = known.level1Kib << 10;
  cpu.machine.level2Bytes = known.level2Kib << 10;
  cpu.machine.gateRows = kGateRows;
  cpu.machine.hasByteDot = has("avx512vnni") || has("avxvnni");
  cpu.machine.hasBFloat16Dot = has("avx512bf16");
  cpu.machine.hasBytePermute = has("avx512vbmi");
  cpu.rates = {.bytesPerSecond =
                   std::min(known.gigabytesPerSecond, kCoreGigabytesPerSecond * cores) * 1e9,
               .flopsPerSecond = kCoreGigaflopsPerSecond[wide] * cores * 1e9,
               .secondsPerLaunch = kSecondsPerLaunch,
               .workers = cores,
               .rowFlopsPerSecond = kCoreRowGigaflopsPerSecond[wide] * 1e9};
}

/// Cores of this machine that may be used.
static double countCores() { return std::max(1u, std::thread::hardware_concurrency()); }

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
  describe(cpu, known != std::end(kCpus) ? *known : kLevels[wide], wide, countCores(), has);
  return cpu;
}

llvm::Expected<Cpu> moec::codegen::findCpu(llvm::StringRef name) {
  auto [prefix, level] = name.split(':');
  if (prefix == "cpu" && !name.contains(':'))
    return describeHost(name, llvm::sys::getHostCPUName(), llvm::sys::getHostCPUFeatures());
  for (const KnownCpu &known : kLevels)
    if (prefix == "cpu" && known.name == level) {
      Cpu cpu{name.str(), level.str(), {}, {}, {}};
      describe(cpu, known, level == "x86-64-v4", kLevelCores,
               [](llvm::StringRef) { return false; });
      return cpu;
    }
  return llvm::createStringError("target '%s': unknown CPU level; known are cpu (this machine), "
                                 "cpu:x86-64-v3, cpu:x86-64-v4",
                                 name.str().c_str());
}
