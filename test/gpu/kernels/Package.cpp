// What a kernel only reads is a weight; what it writes lies in the arena, a case's own program.
#include "test/gpu/kernels/Package.h"

#include "test/runtime/toy/TestBundle.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"

#include <stdexcept>

using namespace moec;
using namespace moec::test;
namespace fb = moec::rt::fb;
namespace json = llvm::json;

static fb::DType getType(llvm::StringRef name) {
  auto type = llvm::StringSwitch<std::optional<fb::DType>>(name)
                  .Case("f32", fb::DType::F32)
                  .Case("f16", fb::DType::F16)
                  .Case("bf16", fb::DType::BF16)
                  .Case("f8E4M3FN", fb::DType::F8E4M3FN)
                  .Case("i32", fb::DType::I32)
                  .Default(std::nullopt);
  if (!type)
    throw std::runtime_error("a package has no " + name.str());
  return *type;
}

static uint64_t getBytes(fb::DType type) {
  return type == fb::DType::F8E4M3FN ? 1 : type == fb::DType::F32 || type == fb::DType::I32 ? 4 : 2;
}

namespace {

class Package {
public:
  Package(const codegen::NvidiaImage &image, const std::string &arch);
  void addCase(const PackageCase &made);
  std::vector<uint8_t> finish();

private:
  void addImage(const char *format, const std::string &bytes);
  uint32_t addWeight(const std::string &name, fb::DType type, const std::vector<uint8_t> &bytes);
  fb::Arg addSlot(const PackageSlot &slot, const std::string &name, fb::ProgramT &program,
                  json::Array &inputs, json::Array &outputs);
  void addEntry(const std::string &name, std::unique_ptr<fb::ProgramT> program);

  rt::test::BundleParts parts;
  fb::ManifestT &manifest = parts.manifest;
  llvm::StringMap<uint32_t> kernels; // index by symbol
  json::Array cases;
};

} // namespace

Package::Package(const codegen::NvidiaImage &image, const std::string &arch) {
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
  if (!image.cubin.empty())
    addImage("cubin", image.cubin);
  addImage("ptx", image.ptx);
  for (const codegen::NvidiaKernel &kernel : image.kernels) {
    kernels[kernel.symbol] = manifest.kernels.size();
    auto &made = manifest.kernels.emplace_back(std::make_unique<fb::KernelT>());
    made->symbol = kernel.symbol;
    made->threads = kernel.launch.threads;
    made->shared_bytes = kernel.launch.sharedBytes;
    made->cluster = kernel.launch.cluster;
    made->max_blocks = kernel.launch.maxBlocks;
    made->early_launch = kernel.launch.earlyLaunch;
    made->registers = kernel.report.registers;
    made->spill_bytes = kernel.report.spillBytes;
    made->blocks_per_core = kernel.blocksPerCore;
  }
  for (const char *name : {"prefill", "decode"}) {
    auto program = std::make_unique<fb::ProgramT>();
    program->max_tokens = program->max_sequences = program->max_output_rows = 1;
    addEntry(name, std::move(program));
  }
}

void Package::addImage(const char *format, const std::string &bytes) {
  if (!manifest.images.empty())
    manifest.images.back()->alternative = manifest.images.size();
  auto &image = manifest.images.emplace_back(std::make_unique<fb::ImageT>());
  image->format = format;
  image->segment = parts.segments.size();
  parts.segments.emplace_back(bytes.begin(), bytes.end());
}

void Package::addEntry(const std::string &name, std::unique_ptr<fb::ProgramT> program) {
  auto &entry = manifest.entries.emplace_back(std::make_unique<fb::EntryT>());
  entry->name = name;
  entry->programs.push_back(std::move(program));
}

uint32_t Package::addWeight(const std::string &name, fb::DType type,
                            const std::vector<uint8_t> &bytes) {
  auto &weight = manifest.weights.emplace_back(std::make_unique<fb::WeightT>());
  weight->name = name;
  weight->dtype = type;
  weight->shape = {bytes.size() / getBytes(type)};
  weight->bytes = bytes.size();
  weight->segment = parts.segments.size();
  parts.segments.push_back(bytes);
  return manifest.weights.size() - 1;
}

fb::Arg Package::addSlot(const PackageSlot &slot, const std::string &name, fb::ProgramT &program,
                         json::Array &inputs, json::Array &outputs) {
  fb::DType type = getType(slot.type);
  if (slot.expected.empty())
    return fb::Arg(fb::ArgKind::Weight, addWeight(name, type, slot.input), 0, slot.input.size());
  uint64_t at = program.arena_bytes, bytes = slot.expected.size();
  program.arena_bytes = (at + bytes + 255) / 256 * 256;
  if (!slot.input.empty()) {
    addWeight(name + ".before", type, slot.input);
    inputs.push_back(json::Object{{"weight", name + ".before"}, {"arena", at}});
  }
  addWeight(name, type, slot.expected);
  json::Object output{{"arena", at},
                      {"dtype", fb::EnumNameDType(type)},
                      {"count", bytes / getBytes(type)},
                      {"expected", name}};
  if (type == fb::DType::I32)
    output["exact"] = true;
  else {
    // A single value may be a step off where the type is coarse.
    bool isCoarse = type == fb::DType::F8E4M3FN || type == fb::DType::BF16;
    output["l2"] = slot.tolerance;
    output["max"] = isCoarse ? 0.5 : 100 * slot.tolerance;
  }
  outputs.push_back(std::move(output));
  return fb::Arg(fb::ArgKind::Arena, 0, at, bytes);
}

void Package::addCase(const PackageCase &made) {
  std::string entry = "case" + std::to_string(cases.size());
  auto program = std::make_unique<fb::ProgramT>();
  program->max_tokens = made.dims[1];
  program->max_sequences = made.dims[2];
  program->max_output_rows = made.dims[3];
  auto launch = std::make_unique<fb::LaunchT>();
  launch->kernel = kernels.at(made.kernel);
  launch->label = made.name;
  launch->grid = std::make_unique<fb::Grid>(made.grid);
  json::Array inputs, outputs;
  for (size_t i = 0; i < made.slots.size(); ++i) {
    launch->args.push_back(
        addSlot(made.slots[i], entry + ".slot" + std::to_string(i), *program, inputs, outputs));
    launch->bytes += launch->args.back().bytes();
  }
  manifest.kernels[launch->kernel]->num_args = made.slots.size();
  program->launches.push_back(std::move(launch));
  addEntry(entry, std::move(program));
  cases.push_back(json::Object{{"name", made.name},
                               {"entry", entry},
                               {"dims", json::Array(made.dims)},
                               {"inputs", std::move(inputs)},
                               {"outputs", std::move(outputs)}});
}

std::vector<uint8_t> Package::finish() {
  auto &file = manifest.files.emplace_back(std::make_unique<fb::TextFileT>());
  file->name = "cases.json";
  llvm::raw_string_ostream(file->text) << json::Value(std::move(cases));
  return rt::test::assemble(std::move(parts));
}

std::vector<uint8_t> moec::test::makePackage(const codegen::NvidiaImage &image,
                                             const std::string &arch,
                                             const std::vector<PackageCase> &cases) {
  Package package(image, arch);
  for (const PackageCase &made : cases)
    package.addCase(made);
  return package.finish();
}
