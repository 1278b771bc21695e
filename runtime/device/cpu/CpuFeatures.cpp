// A feature is a CPUID bit plus, for wide registers, the operating system's
// promise (XCR0) to save them.
#include "runtime/device/cpu/CpuFeatures.h"

#include "runtime/bundle/Error.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace moec::rt {
namespace {

enum Reg : uint8_t { EAX, EBX, ECX, EDX };
enum State : uint8_t { Any, Avx, Avx512, Amx, Apx };

struct Feature {
  std::string_view name;
  uint32_t leaf, subleaf;
  Reg reg;
  uint8_t bit;
  State state = Any;
};

constexpr Feature kFeatures[] = {
    {"x87", 1, 0, EDX, 0},
    {"cx8", 1, 0, EDX, 8},
    {"cmov", 1, 0, EDX, 15},
    {"mmx", 1, 0, EDX, 23},
    {"fxsr", 1, 0, EDX, 24},
    {"sse", 1, 0, EDX, 25},
    {"sse2", 1, 0, EDX, 26},
    {"sse3", 1, 0, ECX, 0},
    {"pclmul", 1, 0, ECX, 1},
    {"ssse3", 1, 0, ECX, 9},
    {"fma", 1, 0, ECX, 12, Avx},
    {"cx16", 1, 0, ECX, 13},
    {"sse4.1", 1, 0, ECX, 19},
    {"sse4.2", 1, 0, ECX, 20},
    {"crc32", 1, 0, ECX, 20},
    {"movbe", 1, 0, ECX, 22},
    {"popcnt", 1, 0, ECX, 23},
    {"aes", 1, 0, ECX, 25},
    {"xsave", 1, 0, ECX, 27},
    {"avx", 1, 0, ECX, 28, Avx},
    {"f16c", 1, 0, ECX, 29, Avx},
    {"rdrnd", 1, 0, ECX, 30},
    {"fsgsbase", 7, 0, EBX, 0},
    {"sgx", 7, 0, EBX, 2},
    {"bmi", 7, 0, EBX, 3},
    {"avx2", 7, 0, EBX, 5, Avx},
    {"bmi2", 7, 0, EBX, 8},
    {"invpcid", 7, 0, EBX, 10},
    {"rtm", 7, 0, EBX, 11},
    {"avx512f", 7, 0, EBX, 16, Avx512},
    {"evex512", 7, 0, EBX, 16, Avx512},
    {"avx512dq", 7, 0, EBX, 17, Avx512},
    {"rdseed", 7, 0, EBX, 18},
    {"adx", 7, 0, EBX, 19},
    {"avx512ifma", 7, 0, EBX, 21, Avx512},
    {"clflushopt", 7, 0, EBX, 23},
    {"clwb", 7, 0, EBX, 24},
    {"avx512cd", 7, 0, EBX, 28, Avx512},
    {"sha", 7, 0, EBX, 29},
    {"avx512bw", 7, 0, EBX, 30, Avx512},
    {"avx512vl", 7, 0, EBX, 31, Avx512},
    {"avx512vbmi", 7, 0, ECX, 1, Avx512},
    {"pku", 7, 0, ECX, 4},
    {"waitpkg", 7, 0, ECX, 5},
    {"avx512vbmi2", 7, 0, ECX, 6, Avx512},
    {"shstk", 7, 0, ECX, 7},
    {"gfni", 7, 0, ECX, 8},
    {"vaes", 7, 0, ECX, 9, Avx},
    {"vpclmulqdq", 7, 0, ECX, 10, Avx},
    {"avx512vnni", 7, 0, ECX, 11, Avx512},
    {"avx512bitalg", 7, 0, ECX, 12, Avx512},
    {"avx512vpopcntdq", 7, 0, ECX, 14, Avx512},
    {"rdpid", 7, 0, ECX, 22},
    {"kl", 7, 0, ECX, 23},
    {"cldemote", 7, 0, ECX, 25},
    {"movdiri", 7, 0, ECX, 27},
    {"movdir64b", 7, 0, ECX, 28},
    {"enqcmd", 7, 0, ECX, 29},
    {"uintr", 7, 0, EDX, 5},
    {"avx512vp2intersect", 7, 0, EDX, 8, Avx512},
    {"serialize", 7, 0, EDX, 14},
    {"tsxldtrk", 7, 0, EDX, 16},
    {"pconfig", 7, 0, EDX, 18},
    {"amx-bf16", 7, 0, EDX, 22, Amx},
    {"avx512fp16", 7, 0, EDX, 23, Avx512},
    {"amx-tile", 7, 0, EDX, 24, Amx},
    {"amx-int8", 7, 0, EDX, 25, Amx},
    {"sha512", 7, 1, EAX, 0, Avx},
    {"sm3", 7, 1, EAX, 1, Avx},
    {"sm4", 7, 1, EAX, 2, Avx},
    {"raoint", 7, 1, EAX, 3},
    {"avxvnni", 7, 1, EAX, 4, Avx},
    {"avx512bf16", 7, 1, EAX, 5, Avx512},
    {"cmpccxadd", 7, 1, EAX, 7},
    {"amx-fp16", 7, 1, EAX, 21, Amx},
    {"hreset", 7, 1, EAX, 22},
    {"avxifma", 7, 1, EAX, 23, Avx},
    {"movrs", 7, 1, EAX, 31},
    {"avxvnniint8", 7, 1, EDX, 4, Avx},
    {"avxneconvert", 7, 1, EDX, 5, Avx},
    {"amx-complex", 7, 1, EDX, 8, Amx},
    {"avxvnniint16", 7, 1, EDX, 10, Avx},
    {"prefetchi", 7, 1, EDX, 14},
    {"usermsr", 7, 1, EDX, 15},
    {"avx10.1", 7, 1, EDX, 19, Avx512},
    // Leaf 0x24 holds a version: 2 and 3 have this bit.
    {"avx10.2", 0x24, 0, EBX, 1, Avx512},
    // LLVM names the parts of APX one by one; they come together.
    {"egpr", 7, 1, EDX, 21, Apx},
    {"push2pop2", 7, 1, EDX, 21, Apx},
    {"ppx", 7, 1, EDX, 21, Apx},
    {"ndd", 7, 1, EDX, 21, Apx},
    {"ccmp", 7, 1, EDX, 21, Apx},
    {"nf", 7, 1, EDX, 21, Apx},
    {"cf", 7, 1, EDX, 21, Apx},
    {"zu", 7, 1, EDX, 21, Apx},
    {"xsaveopt", 0xD, 1, EAX, 0},
    {"xsavec", 0xD, 1, EAX, 1},
    {"xsaves", 0xD, 1, EAX, 3},
    {"ptwrite", 0x14, 0, EBX, 4},
    {"widekl", 0x19, 0, EBX, 2},
    {"amx-fp8", 0x1E, 1, EAX, 4, Amx},
    {"amx-tf32", 0x1E, 1, EAX, 6, Amx},
    {"amx-avx512", 0x1E, 1, EAX, 7, Amx},
    {"amx-movrs", 0x1E, 1, EAX, 8, Amx},
    {"sahf", 0x80000001, 0, ECX, 0},
    {"lzcnt", 0x80000001, 0, ECX, 5},
    {"sse4a", 0x80000001, 0, ECX, 6},
    {"prfchw", 0x80000001, 0, ECX, 8},
    {"xop", 0x80000001, 0, ECX, 11, Avx},
    {"lwp", 0x80000001, 0, ECX, 15},
    {"fma4", 0x80000001, 0, ECX, 16, Avx},
    {"tbm", 0x80000001, 0, ECX, 21},
    {"mwaitx", 0x80000001, 0, ECX, 29},
    {"64bit", 0x80000001, 0, EDX, 29},
    {"clzero", 0x80000008, 0, EBX, 0},
    {"rdpru", 0x80000008, 0, EBX, 4},
    {"wbnoinvd", 0x80000008, 0, EBX, 9},
};

#if defined(__x86_64__)
bool cpuidBit(uint32_t leaf, uint32_t subleaf, Reg reg, unsigned bit) {
  unsigned r[4];
  // Above the highest leaf (or subleaf of leaf 7) nothing is offered.
  if (!__get_cpuid_count(leaf, 0, &r[EAX], &r[EBX], &r[ECX], &r[EDX]))
    return false;
  if (leaf == 7 && subleaf > r[EAX])
    return false;
  __cpuid_count(leaf, subleaf, r[EAX], r[EBX], r[ECX], r[EDX]);
  return (r[reg] >> bit) & 1;
}

bool savesState(State state) {
  if (state == Any)
    return true;
  if (!cpuidBit(1, 0, ECX, 27)) // OSXSAVE
    return false;
  uint32_t low, high;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  uint32_t wanted = state == Avx ? 0x6 : state == Avx512 ? 0xE6 : state == Amx ? 0x60000 : 0x80000;
  return (low & wanted) == wanted;
}
#else
bool cpuidBit(uint32_t, uint32_t, Reg, unsigned) { return false; }
bool savesState(State) { return false; }
#endif

/// The best level that this CPU has.
std::string_view hostLevel() {
  std::string_view best = "x86-64";
  for (std::string_view level : {"x86-64-v2", "x86-64-v3", "x86-64-v4"}) {
    auto features = featuresOfLevel(level);
    for (std::string_view feature : *features)
      if (!hasCpuFeature(feature).value_or(false))
        return best;
    best = level;
  }
  return best;
}

} // namespace

std::optional<bool> hasCpuFeature(std::string_view name) {
  for (const Feature &f : kFeatures)
    if (f.name == name)
      return savesState(f.state) && cpuidBit(f.leaf, f.subleaf, f.reg, f.bit);
  return std::nullopt;
}

std::optional<std::vector<std::string_view>> featuresOfLevel(std::string_view arch) {
  static const std::vector<std::string_view> levels[] = {
      {"64bit", "cmov", "cx8", "fxsr", "mmx", "sse", "sse2"},
      {"cx16", "sahf", "popcnt", "sse3", "sse4.1", "sse4.2", "ssse3"},
      {"avx", "avx2", "bmi", "bmi2", "f16c", "fma", "lzcnt", "movbe", "xsave"},
      {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}};
  constexpr std::string_view names[] = {"x86-64", "x86-64-v2", "x86-64-v3", "x86-64-v4"};
  std::vector<std::string_view> features;
  for (int i = 0; i < 4; ++i) {
    features.insert(features.end(), levels[i].begin(), levels[i].end());
    if (arch == names[i])
      return features;
  }
  return std::nullopt;
}

void checkCpuTarget(const fb::Target &target, const std::string &bundle) {
  std::string kind = target.kind()->str(), arch = target.arch()->str();
  if (kind != "cpu")
    fail(ErrorKind::Target, "bundle '", bundle, "' is built for ", kind, ":", arch,
         ", this runtime has devices for the host CPU and NVIDIA's GPUs; compile it for one of "
         "them");
  std::vector<std::string_view> wanted;
  auto level = featuresOfLevel(arch);
  if (level)
    wanted = *level;
  if (target.features())
    for (const flatbuffers::String *feature : *target.features())
      wanted.push_back(feature->string_view());
  if (wanted.empty())
    fail(ErrorKind::Target, "bundle '", bundle, "' is built for CPU '", arch,
         "' and lists no features, so this CPU cannot be checked; compile it "
         "again");
  std::string missing, unknown;
  for (std::string_view name : wanted) {
    std::optional<bool> has = hasCpuFeature(name);
    std::string &list = has ? missing : unknown;
    if (!has.value_or(false))
      list += (list.empty() ? "" : ", ") + std::string(name);
  }
  if (!unknown.empty())
    fail(ErrorKind::Target, "bundle '", bundle,
         "' needs CPU features that this runtime does not know: ", unknown,
         "; compile it with --target cpu:", hostLevel());
  if (!missing.empty())
    fail(ErrorKind::Target, "bundle '", bundle, "' is built for cpu:", arch, ", this CPU lacks ",
         missing, "; compile it with --target cpu:", hostLevel());
}

} // namespace moec::rt
