// What a kernel only reads is a weight; what it writes lies in the arena, a case's own program.
#include "codegen/target/nvidia/cases/Package.h"

#include "runtime/bundle/Assemble.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"

#include <stdexcept>

using namespace moec;
using namespace moec::cases;
namespace fb = moec::rt::fb;
namespace json = llvm::json;

fb::DType moec::cases::getDType(llvm::StringRef name) {
  auto type = llvm::StringSwitch<std::optional<fb::DType>>(name)
                  .Case("f32", fb::DType::F32)
                  .Case("f16", fb::DType::F16)
                  .Case("bf16", fb::DType::BF16)
                  .Case("f8E4M3FN", fb::DType::F8E4M3FN)
                  .Case("i32", fb::DType::I32)
                  .Case("i8", fb::DType::I8)
                  .Default(std::nullopt);
  if (!type)
    throw std::runtime_error("a package has no " + name.str());
  return *type;
}

static uint64_t getBytes(fb::DType type) {
  return type == fb::DType::F8E4M3FN || type == fb::DType::I8 ? 1
         : type == fb::DType::F32 || type == fb::DType::I32   ? 4
                                                              : 2;
}

namespace {

class Package {
public:
  explicit Package(const std::string &arch);
  void addCode(const codegen::NvidiaImage &image);
  void addCase(const PackageCase &made);
  std::vector<uint8_t> finish();

private:
  uint32_t addImage(const char *format, const std::string &bytes);
  void addKernel(const codegen::NvidiaKernel &kernel, uint32_t image);
  uint32_t addWeight(const std::string &name, const PackageSlot &slot,
                     const std::vector<uint8_t> &bytes);
  /// A case while it is made.
  struct Making {
    fb::ProgramT places; // counts the arena
    uint32_t caches = 0;
    json::Array inputs, outputs;
  };
  fb::Arg addSlot(const PackageSlot &slot, const std::string &name, bool isOpen, Making &making);
  json::Object makeOutput(const PackageSlot &slot, const std::string &name, json::Object place);
  /// Whether a tensor map leaves a slot's outermost size to the cache that is passed.
  bool isOpen(llvm::StringRef kernel, unsigned slot);
  void addProgram(const std::string &name, const PackageCase &made, const PackageLaunch &launch,
                  uint64_t arenaBytes, std::vector<fb::Arg> args);
  void addEntry(const std::string &name, std::unique_ptr<fb::ProgramT> program);

  rt::BundleParts parts;
  fb::ManifestT &manifest = parts.manifest;
  llvm::StringMap<uint32_t> kernels; // index by symbol
  llvm::StringMap<uint32_t> fills;   // index of the weight by its name
  json::Array cases;
};

} // namespace

Package::Package(const std::string &arch) {
  manifest.model_type = "kernels";
  manifest.compiler = "pack-kernels";
  manifest.target = std::make_unique<fb::TargetT>();
  manifest.target->kind = "cuda";
  manifest.target->arch = arch;
  manifest.vocab_size = manifest.max_batch = manifest.max_context = 1;
  manifest.pages_per_sequence = 1;
  manifest.cache = std::make_unique<fb::CacheLayoutT>();
  manifest.cache->layers = manifest.cache->row_width = manifest.cache->page_rows = 1;
  manifest.weights_present = true;
  for (const char *name : {"prefill", "decode"}) {
    auto program = std::make_unique<fb::ProgramT>();
    program->max_tokens = program->max_sequences = program->max_output_rows = 1;
    addEntry(name, std::move(program));
  }
}

void Package::addCode(const codegen::NvidiaImage &image) {
  uint32_t first = manifest.images.size();
  if (!image.cubin.empty()) {
    addImage("cubin", image.cubin);
    manifest.images.back()->alternative = first + 1;
  }
  addImage("ptx", image.ptx);
  for (const codegen::NvidiaKernel &kernel : image.kernels)
    addKernel(kernel, first);
}

void Package::addKernel(const codegen::NvidiaKernel &kernel, uint32_t image) {
  kernels[kernel.symbol] = manifest.kernels.size();
  auto &made = manifest.kernels.emplace_back(std::make_unique<fb::KernelT>());
  made->symbol = kernel.symbol;
  made->image = image;
  made->threads = kernel.launch.threads;
  made->shared_bytes = kernel.launch.sharedBytes;
  made->cluster = kernel.launch.cluster;
  made->max_blocks = kernel.launch.maxBlocks;
  made->early_launch = kernel.launch.earlyLaunch;
  made->co_resident = kernel.launch.coResident;
  made->registers = kernel.report.registers;
  made->spill_bytes = kernel.report.spillBytes;
  made->blocks_per_core = kernel.blocksPerCore;
  made->peak_flops = kernel.peakFlops;
  for (const codegen::TensorMap &map : kernel.launch.tensorMaps) {
    auto &entry = made->tensor_maps.emplace_back(std::make_unique<fb::TensorMapT>());
    std::string type;
    llvm::raw_string_ostream(type) << map.element;
    entry->slot = map.slot;
    entry->offset = map.offset;
    entry->dtype = getDType(type);
    for (const codegen::Extent &size : map.sizes)
      entry->sizes.emplace_back(fb::Dim(size.dim), size.multiplier, size.addend);
    entry->strides.assign(map.strides.begin(), map.strides.end());
    entry->box.assign(map.box.begin(), map.box.end());
    entry->swizzle = map.swizzle;
    entry->l2_promotion = map.l2Promotion;
  }
}

uint32_t Package::addImage(const char *format, const std::string &bytes) {
  auto &image = manifest.images.emplace_back(std::make_unique<fb::ImageT>());
  image->format = format;
  image->segment = parts.segments.size();
  parts.segments.emplace_back(bytes.begin(), bytes.end());
  return manifest.images.size() - 1;
}

void Package::addEntry(const std::string &name, std::unique_ptr<fb::ProgramT> program) {
  auto &entry = manifest.entries.emplace_back(std::make_unique<fb::EntryT>());
  entry->name = name;
  entry->programs.push_back(std::move(program));
}

uint32_t Package::addWeight(const std::string &name, const PackageSlot &slot,
                            const std::vector<uint8_t> &bytes) {
  if (bytes.empty()) {
    auto [found, isNew] = fills.try_emplace(name, manifest.weights.size());
    if (!isNew)
      return found->second;
  }
  auto &weight = manifest.weights.emplace_back(std::make_unique<fb::WeightT>());
  weight->name = name;
  weight->dtype = getDType(slot.type);
  weight->shape = {slot.bytes / getBytes(weight->dtype)};
  weight->bytes = slot.bytes;
  if (bytes.empty()) {
    weight->fill = slot.isConstant ? fb::FillKind::Constant : fb::FillKind::Normal;
    weight->fill_scale = slot.fill;
  } else {
    weight->segment = parts.segments.size();
    parts.segments.push_back(bytes);
  }
  return manifest.weights.size() - 1;
}

/// The weight with what is in a slot before the case runs.
static std::string getInputName(const PackageSlot &slot, const std::string &own) {
  return slot.input.empty() && !slot.fillName.empty() ? slot.fillName : own;
}

bool Package::isOpen(llvm::StringRef kernel, unsigned slot) {
  for (const auto &map : manifest.kernels[kernels.at(kernel)]->tensor_maps)
    if (map->slot == slot && !map->sizes.back().multiplier() && !map->sizes.back().addend())
      return true;
  return false;
}

/// What must be at `place` in the end.
json::Object Package::makeOutput(const PackageSlot &slot, const std::string &name,
                                 json::Object place) {
  fb::DType type = getDType(slot.type);
  json::Object output = std::move(place);
  output["dtype"] = fb::EnumNameDType(type);
  output["count"] = slot.bytes / getBytes(type);
  if (!slot.expected.empty()) {
    addWeight(name, slot, slot.expected);
    output["expected"] = name;
  }
  if (type == fb::DType::I32)
    output["exact"] = true;
  else {
    // A single value may be a step off where the type is coarse.
    bool isCoarse = type == fb::DType::F8E4M3FN || type == fb::DType::BF16;
    output["l2"] = slot.tolerance;
    output["max"] = isCoarse ? 0.5 : 100 * slot.tolerance;
  }
  return output;
}

/// A slot whose length is `isOpen` is a cache; other caches are as good as weights.
fb::Arg Package::addSlot(const PackageSlot &slot, const std::string &name, bool isOpen,
                         Making &making) {
  if (slot.isCounters)
    return fb::Arg(fb::ArgKind::Counters, 0, 0, slot.bytes);
  bool hasInput = !slot.input.empty() || slot.fill;
  if (hasInput && !slot.isWritten && !isOpen)
    return fb::Arg(fb::ArgKind::Weight, addWeight(getInputName(slot, name), slot, slot.input), 0,
                   slot.bytes);
  fb::Arg arg(fb::ArgKind::Cache, making.caches, 0, 0);
  json::Object place{{"cache", making.caches}};
  if (isOpen) {
    manifest.cache->layers = std::max(manifest.cache->layers, ++making.caches);
  } else {
    uint64_t at = making.places.arena_bytes;
    making.places.arena_bytes = (at + slot.bytes + 255) / 256 * 256;
    arg = fb::Arg(fb::ArgKind::Arena, 0, at, slot.bytes);
    place = json::Object{{"arena", at}};
  }
  if (hasInput) {
    std::string before = getInputName(slot, name + ".before");
    addWeight(before, slot, slot.input);
    json::Object input = place;
    input["weight"] = before;
    making.inputs.push_back(std::move(input));
  }
  if (slot.isWritten)
    making.outputs.push_back(makeOutput(slot, name, std::move(place)));
  return arg;
}

void Package::addProgram(const std::string &name, const PackageCase &made,
                         const PackageLaunch &launched, uint64_t arenaBytes,
                         std::vector<fb::Arg> args) {
  auto program = std::make_unique<fb::ProgramT>();
  program->max_tokens = made.dims[1];
  program->max_sequences = made.dims[2];
  program->max_output_rows = made.dims[3];
  program->arena_bytes = arenaBytes;
  auto launch = std::make_unique<fb::LaunchT>();
  launch->kernel = kernels.at(launched.kernel);
  launch->label = made.name;
  launch->grid = std::make_unique<fb::Grid>(launched.grid);
  launch->args = std::move(args);
  launch->bytes = made.bytes;
  launch->flops = made.flops;
  manifest.kernels[launch->kernel]->num_args = launch->args.size();
  program->launches.push_back(std::move(launch));
  addEntry(name, std::move(program));
}

void Package::addCase(const PackageCase &made) {
  std::string entry = "case" + std::to_string(cases.size());
  Making making;
  std::vector<fb::Arg> args, shared;
  for (auto [i, slot] : llvm::enumerate(made.slots)) {
    args.push_back(
        addSlot(slot, entry + ".slot" + std::to_string(i), isOpen(made.launch.kernel, i), making));
    bool isScratch = slot.isCounters || (slot.input.empty() && !slot.fill && !slot.isWritten);
    if (!isScratch)
      shared.push_back(args.back());
  }
  addProgram(entry, made, made.launch, making.places.arena_bytes, args);
  json::Object object{{"name", made.name},
                      {"entry", entry},
                      {"dims", json::Array(made.dims)},
                      {"inputs", std::move(making.inputs)},
                      {"outputs", std::move(making.outputs)}};
  if (!made.reference.kernel.empty()) {
    addProgram(entry + ".reference", made, made.reference, making.places.arena_bytes, shared);
    object["reference"] = entry + ".reference";
  }
  cases.push_back(std::move(object));
}

std::vector<uint8_t> Package::finish() {
  auto &file = manifest.files.emplace_back(std::make_unique<fb::TextFileT>());
  file->name = "cases.json";
  llvm::raw_string_ostream(file->text) << json::Value(std::move(cases));
  return rt::assemble(std::move(parts));
}

std::vector<uint8_t> moec::cases::makePackage(const codegen::NvidiaImage &image,
                                              const codegen::NvidiaImage &reference,
                                              const std::string &arch,
                                              const std::vector<PackageCase> &cases) {
  Package package(arch);
  package.addCode(image);
  if (!reference.kernels.empty())
    package.addCode(reference);
  for (const PackageCase &made : cases)
    package.addCase(made);
  return package.finish();
}
