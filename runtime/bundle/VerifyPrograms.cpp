// Images, kernels, entries, programs and launches.
#include "runtime/bundle/Format.h"
#include "runtime/bundle/VerifyContext.h"

#include <cctype>
#include <unordered_set>

namespace moec::rt {
namespace {

bool isFor(const VerifyContext &c, std::string_view kind) {
  return c.manifest->target()->kind()->string_view() == kind;
}
bool isCuda(const VerifyContext &c) { return isFor(c, "cuda"); }
bool isHip(const VerifyContext &c) { return isFor(c, "hip"); }

void verifyImages(const VerifyContext &c) {
  const fb::Manifest &m = *c.manifest;
  for (unsigned i = 0; i < m.images()->size(); ++i) {
    const fb::Image &image = *m.images()->Get(i);
    std::string_view format = image.format()->string_view();
    bool known = isCuda(c)  ? format == "cubin" || format == "ptx"
                 : isHip(c) ? format == "hsaco"
                            : format == "elf-so";
    if (!known)
      c.bad("images[", i, "] has format '", image.format()->str(), "', expected ",
            isCuda(c)  ? "'cubin' or 'ptx'"
            : isHip(c) ? "'hsaco'"
                       : "'elf-so'");
    if (image.segment() >= m.segments()->size())
      c.bad("images[", i, "] names segment ", image.segment(), " of ", m.segments()->size());
    // Only later ones, so that following them ends.
    int64_t other = image.alternative();
    if (other != -1 && (other <= int64_t(i) || other >= int64_t(m.images()->size())))
      c.bad("images[", i, "] has alternative ", other, ", expected -1 or a later one of the ",
            m.images()->size(), " images");
  }
}

bool isSymbol(std::string_view name) {
  if (name.empty())
    return false;
  for (char ch : name)
    if (!std::isalnum(static_cast<unsigned char>(ch)) && ch != '_' && ch != '.' && ch != '$')
      return false;
  return true;
}

void verifyKernels(const VerifyContext &c) {
  constexpr uint64_t kMaxWorkspace = uint64_t(1) << 32;
  const fb::Manifest &m = *c.manifest;
  std::unordered_set<std::string_view> symbols;
  for (unsigned i = 0; i < m.kernels()->size(); ++i) {
    const fb::Kernel &k = *m.kernels()->Get(i);
    std::string what = joined("kernels[", i, "] '", k.symbol()->str(), "'");
    if (!isSymbol(k.symbol()->string_view()))
      c.bad(what, ": no symbol name");
    if (!symbols.insert(k.symbol()->string_view()).second)
      c.bad(what, " is there twice");
    if (k.image() >= m.images()->size())
      c.bad(what, " names image ", k.image(), " of ", m.images()->size());
    if (k.workspace_bytes() > kMaxWorkspace)
      c.bad(what, " wants a workspace of ", k.workspace_bytes(), " bytes, at most ", kMaxWorkspace,
            " are allowed");
    if (isCuda(c))
      verifyCudaKernel(c, k, what);
    if (isHip(c))
      verifyHipKernel(c, k, what);
  }
}

/// Bytes of input `kind` at the program's bounds. The sizes were checked to be
/// at most 2^30, so no product overflows.
uint64_t inputBytes(const fb::Manifest &m, const fb::Program &p, fb::InputKind kind) {
  switch (kind) {
  case fb::InputKind::BlockTable:
    return 4 * uint64_t(p.max_sequences()) * m.pages_per_sequence();
  case fb::InputKind::OutputRows:
    return 4 * uint64_t(p.max_output_rows());
  case fb::InputKind::Sampling:
    return kSamplingRowBytes * p.max_output_rows();
  default:
    return 4 * uint64_t(p.max_tokens());
  }
}

/// Size of what an argument refers to; complains about a bad index.
uint64_t argLimit(const VerifyContext &c, const fb::Program &p, const fb::Arg &arg,
                  const std::string &what) {
  const fb::Manifest &m = *c.manifest;
  auto index = [&](uint64_t count, const char *kind) {
    if (arg.index() >= count)
      c.bad(what, " names ", kind, " ", arg.index(), " of ", count);
  };
  switch (arg.kind()) {
  case fb::ArgKind::Arena:
    index(1, "arena");
    return p.arena_bytes();
  case fb::ArgKind::Weight:
    index(m.weights()->size(), "weight");
    return m.weights()->Get(arg.index())->bytes();
  case fb::ArgKind::Input:
    index(uint64_t(fb::InputKind::MAX) + 1, "input");
    return inputBytes(m, p, fb::InputKind(arg.index()));
  case fb::ArgKind::Output:
    index(2, "output");
    if (arg.index() == kTokensOutput)
      return 4 * uint64_t(p.max_output_rows());
    return checkedMul(c, 4 * uint64_t(p.max_output_rows()), m.vocab_size(), what + " output");
  case fb::ArgKind::Cache:
    index(m.cache()->layers(), "cache");
    return 0;
  case fb::ArgKind::Counters:
    index(1, "counters");
    return kCounterBytes;
  }
  c.bad(what, " has kind ", unsigned(arg.kind()));
}

void verifyArg(const VerifyContext &c, const fb::Program &p, const fb::Arg &arg,
               const std::string &what) {
  uint64_t limit = argLimit(c, p, arg, what);
  if (!fits(arg.offset(), arg.bytes(), limit))
    c.bad(what, " (", fb::EnumNameArgKind(arg.kind()), " ", arg.index(), ") covers bytes [",
          arg.offset(), ", +", arg.bytes(), ") of ", limit);
}

void verifyGrid(const VerifyContext &c, const fb::Program &p, const fb::Grid &grid,
                const std::string &what) {
  if (grid.dim() > fb::Dim::MAX)
    c.bad(what, " grid has dim ", unsigned(grid.dim()));
  if (!grid.divisor() || !grid.multiplier() || !grid.cap() || !grid.factor())
    c.bad(what, " grid has a zero divisor, multiplier, cap or factor");
  uint64_t scaled = checkedMul(c, boundOf(p, grid.dim()), grid.multiplier(), what + " grid");
  uint64_t tiles = (scaled + grid.divisor() - 1) / grid.divisor();
  uint64_t total = checkedMul(c, std::min(tiles, grid.cap()), grid.factor(), what + " grid");
  if (total > kMaxTiles)
    c.bad(what, " grid has ", total, " tiles, at most ", kMaxTiles, " are allowed");
}

void verifyProgram(const VerifyContext &c, const fb::Program &p, const std::string &what) {
  constexpr uint32_t kBound = 1u << 30;
  for (uint32_t bound : {p.max_tokens(), p.max_sequences(), p.max_output_rows()})
    if (bound == 0 || bound > kBound)
      c.bad(what, " has a bound of ", bound, ", expected 1 to ", kBound);
  if (p.max_sequences() > p.max_tokens() || p.max_output_rows() > p.max_tokens())
    c.bad(what, " has more sequences or output rows than its ", p.max_tokens(), " tokens");
  if (p.arena_bytes() >> 48)
    c.bad(what, " wants an arena of ", p.arena_bytes(), " bytes");
  for (unsigned i = 0; i < p.launches()->size(); ++i) {
    const fb::Launch &launch = *p.launches()->Get(i);
    std::string where = joined(what, " launches[", i, "]");
    const auto &kernels = *c.manifest->kernels();
    if (launch.kernel() >= kernels.size())
      c.bad(where, " names kernel ", launch.kernel(), " of ", kernels.size());
    const fb::Kernel &kernel = *kernels.Get(launch.kernel());
    if (launch.args()->size() != kernel.num_args())
      c.bad(where, " has ", launch.args()->size(), " arguments, kernel '", kernel.symbol()->str(),
            "' takes ", kernel.num_args());
    for (unsigned a = 0; a < launch.args()->size(); ++a)
      verifyArg(c, p, *launch.args()->Get(a), joined(where, " args[", a, "]"));
    verifyGrid(c, p, *launch.grid(), where);
    if (isCuda(c) || isHip(c))
      verifyBlockCount(c, p, launch, where);
    if (isCuda(c))
      verifyTensorMaps(c, p, launch, where);
  }
}

/// Entry "sample" reads nothing but how to choose, no other reads that, and no other makes tokens.
void verifySampling(const VerifyContext &c, const fb::Program &p, bool samples,
                    const std::string &what) {
  for (const fb::Launch *launch : *p.launches())
    for (const fb::Arg *arg : *launch->args()) {
      bool isChoice = arg->index() == uint32_t(fb::InputKind::Sampling);
      if (arg->kind() == fb::ArgKind::Input && isChoice != samples)
        c.bad(what, samples ? " reads another input than Sampling, its only one"
                            : " reads the input Sampling, which entry 'sample' alone has");
      if (arg->kind() == fb::ArgKind::Output && arg->index() == kTokensOutput && !samples)
        c.bad(what, " has tokens as an output, which entry 'sample' alone has");
    }
}

/// Programs of entry "sample" are for as many rows as a decode step makes.
void verifySampleRows(const VerifyContext &c, const fb::Entry &decode, const fb::Entry &sample) {
  uint32_t made = decode.programs()->Get(decode.programs()->size() - 1)->max_output_rows();
  uint32_t most = 0;
  for (const fb::Program *p : *sample.programs())
    most = std::max(most, p->max_output_rows());
  if (most < made)
    c.bad("entry 'sample' chooses tokens for ", most, " rows, entry 'decode' makes ", made);
}

void verifyEntry(const VerifyContext &c, const fb::Entry &entry) {
  std::string what = joined("entry '", entry.name()->str(), "'");
  bool samples = entry.name()->string_view() == kSampleEntry;
  const auto &programs = *entry.programs();
  if (programs.size() == 0)
    c.bad(what, " has no programs");
  for (unsigned i = 0; i < programs.size(); ++i) {
    if (i && programs.Get(i)->max_tokens() <= programs.Get(i - 1)->max_tokens())
      c.bad(what, " programs[", i, "] is for ", programs.Get(i)->max_tokens(),
            " tokens, not more than the ", programs.Get(i - 1)->max_tokens(), " before it");
    std::string which = joined(what, " programs[", i, "]");
    verifyProgram(c, *programs.Get(i), which);
    verifySampling(c, *programs.Get(i), samples, which);
  }
}

} // namespace

void verifyPrograms(const VerifyContext &c) {
  verifyImages(c);
  verifyKernels(c);
  std::unordered_set<std::string_view> names;
  for (const fb::Entry *entry : *c.manifest->entries()) {
    if (!names.insert(entry->name()->string_view()).second)
      c.bad("entry '", entry->name()->str(), "' is there twice");
    verifyEntry(c, *entry);
  }
  for (const char *wanted : {"prefill", "decode"})
    if (!names.count(wanted))
      c.bad("entry '", wanted, "' is missing");
  auto find = [&](std::string_view name) {
    const fb::Entry *found = nullptr;
    for (const fb::Entry *entry : *c.manifest->entries())
      found = entry->name()->string_view() == name ? entry : found;
    return found;
  };
  if (const fb::Entry *sample = find(kSampleEntry))
    verifySampleRows(c, *find("decode"), *sample);
}

} // namespace moec::rt
