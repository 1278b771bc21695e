// Packs kernels with inputs and expected results, to be run where there is a GPU and no compiler:
//
//   pack-kernels <target> <folder> [--tokens 1,3,17] <file.mlir>...
//
// writes kernels.ptx, kernels.cubin (when there is an assembler), data.bin and cases.json for
// run_kernels.py, and all of it as package.moeb for moec-kernel-test. Every
// kern.kernel of the files becomes a case for each number of tokens: random arguments that make
// sense together, and what the reference interpreter makes of them. See run_kernels.py.
#include "codegen/target/nvidia/EmitKernels.h"
#include "dialects/plan/PlanDialect.h"
#include "test/codegen/KernelHarness.h"
#include "test/gpu/kernels/Package.h"

#include "mlir/Parser/Parser.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

#include <iostream>

using namespace moec;
using namespace moec::test;
namespace json = llvm::json;

namespace {

struct Options {
  std::string target, folder;
  std::vector<int64_t> tokens = {1, 3, 17};
  std::vector<std::string> files;
};

/// A file of the package, with what has been appended.
class DataFile {
public:
  explicit DataFile(const std::string &path) : stream(path, error) {
    if (error)
      throw std::runtime_error("'" + path + "' cannot be written");
  }
  /// Returns where the bytes begin.
  int64_t append(llvm::ArrayRef<uint8_t> bytes) {
    int64_t at = stream.tell();
    stream.write(reinterpret_cast<const char *>(bytes.data()), bytes.size());
    stream.write_zeros((256 - bytes.size() % 256) % 256);
    return at;
  }

private:
  std::error_code error;
  llvm::raw_fd_ostream stream;
};

std::string getTypeName(mlir::Type type) {
  std::string text;
  llvm::raw_string_ostream(text) << type;
  return text;
}

/// What quantizes may be a step off where the interpreter, in double, rounds otherwise.
double getTolerance(kern::KernelOp kernel, mlir::Type element) {
  bool quantizes = false, multiplies = false;
  kernel.walk([&](moe::QuantizeOp) { quantizes = true; });
  kernel.walk([&](mlir::Operation *op) {
    multiplies |= llvm::isa<moe::LinearOp, moe::GroupedLinearOp, moe::HeadLinearOp,
                            moe::LatentAttentionOp, moe::MlaAttentionOp>(op);
  });
  if (element.isBF16())
    return 3e-3;
  if (quantizes && llvm::isa<mlir::Float8E4M3FNType>(element))
    return 4e-3;
  return multiplies ? 1e-5 : 2e-6;
}

json::Object makeCase(KernelHarness &harness, const std::string &symbol, DataFile &data,
                      PackageCase &packed) {
  std::map<unsigned, SlotMemory> expected = harness.interpretSlots();
  json::Array slots;
  for (auto [i, slot] : llvm::enumerate(harness.getSlots())) {
    mlir::Type element = slot.type.getElementType();
    json::Object entry{{"dtype", getTypeName(element)}, {"bytes", int64_t(slot.bytes().size())}};
    if (!harness.isOutput(i)) // outputs are poisoned where they are run
      entry["data"] = data.append(slot.bytes());
    if (auto found = expected.find(i); found != expected.end()) {
      entry["expected"] = data.append(found->second.bytes());
      entry["tolerance"] = getTolerance(harness.getKernel(), element);
    }
    slots.push_back(std::move(entry));
    PackageSlot &place = packed.slots.emplace_back();
    place.type = getTypeName(element);
    if (!harness.isOutput(i))
      place.input = slot.bytes().vec();
    if (auto found = expected.find(i); found != expected.end()) {
      place.expected = found->second.bytes().vec();
      place.tolerance = getTolerance(harness.getKernel(), element);
    }
  }
  auto dims = harness.getDims();
  kern::GridAttr grid = harness.getGrid();
  int64_t tiles =
      llvm::divideCeil(dims[unsigned(grid.getDim())] * grid.getMultiplier(), grid.getDivisor());
  if (grid.getCap())
    tiles = std::min(tiles, grid.getCap());
  packed.kernel = symbol;
  packed.dims = dims;
  uint64_t cap = grid.getCap() ? grid.getCap() : std::numeric_limits<uint64_t>::max();
  packed.grid = rt::fb::Grid(rt::fb::Dim(grid.getDim()), grid.getMultiplier(), grid.getDivisor(),
                             cap, grid.getFactor());
  return json::Object{{"kernel", symbol},
                      {"dims", json::Array(dims)},
                      {"blocks", tiles * grid.getFactor()},
                      {"slots", std::move(slots)}};
}

void writeFile(const Options &options, llvm::StringRef name, llvm::StringRef text) {
  llvm::SmallString<128> path(options.folder);
  llvm::sys::path::append(path, name);
  std::error_code error;
  llvm::raw_fd_ostream stream(path, error);
  stream << text;
  if (error || stream.has_error())
    throw std::runtime_error("'" + path.str().str() + "' cannot be written");
}

/// The kern.kernels of a file, as texts.
std::vector<std::string> readKernels(const std::string &path, mlir::MLIRContext &context) {
  auto file = llvm::MemoryBuffer::getFile(path);
  if (!file)
    throw std::runtime_error("'" + path + "' cannot be read");
  auto module = parseModule((*file)->getBuffer(), context);
  std::vector<std::string> texts;
  for (auto kernel : module->getOps<kern::KernelOp>()) {
    llvm::raw_string_ostream stream(texts.emplace_back());
    kernel->print(stream, mlir::OpPrintingFlags().useLocalScope());
  }
  return texts;
}

void pack(const Options &options) {
  llvm::sys::fs::create_directories(options.folder);
  auto context = makeContext();
  context->getOrLoadDialect<plan::PlanDialect>();
  mlir::OwningOpRef<mlir::ModuleOp> all =
      mlir::ModuleOp::create(mlir::UnknownLoc::get(context.get()));
  DataFile data(options.folder + "/data.bin");
  json::Array cases;
  std::vector<PackageCase> packed;
  unsigned count = 0;
  for (const std::string &path : options.files)
    for (const std::string &text : readKernels(path, *context)) {
      std::string symbol = "k" + std::to_string(count++);
      KernelHarness harness(text, {}, options.target);
      for (int64_t tokens : options.tokens) {
        harness.setDims({.tokens = tokens, .sequences = 3, .outputRows = 1}, tokens);
        json::Object made = makeCase(harness, symbol, data, packed.emplace_back());
        made["name"] = (llvm::sys::path::stem(path) + "/" + harness.getKernel().getSymName() + " " +
                        llvm::Twine(tokens))
                           .str();
        packed.back().name = made["name"].getAsString()->str();
        cases.push_back(std::move(made));
      }
      std::string scheduled;
      llvm::raw_string_ostream stream(scheduled);
      harness.getKernel().setSymName(symbol);
      harness.getKernel()->print(stream, mlir::OpPrintingFlags().useLocalScope());
      auto module = parseModule(scheduled, *context);
      (*module->getOps<kern::KernelOp>().begin())
          ->moveBefore(all->getBody(), all->getBody()->end());
    }

  auto chip = llvm::cantFail(codegen::findChip(options.target));
  auto assembler = llvm::cantFail(codegen::findAssembler(""));
  std::optional<llvm::StringRef> program;
  if (assembler)
    program = *assembler;
  auto image = codegen::emitKernels(*all, codegen::NvidiaTarget(*chip), program);
  if (!image)
    throw std::runtime_error(llvm::toString(image.takeError()));
  json::Object kernels;
  for (const codegen::NvidiaKernel &kernel : image->kernels)
    kernels[kernel.symbol] = json::Object{{"threads", kernel.launch.threads},
                                          {"shared", int64_t(kernel.launch.sharedBytes)},
                                          {"registers", kernel.report.registers},
                                          {"spills", kernel.report.spillBytes}};
  writeFile(options, "kernels.ptx", image->ptx);
  writeFile(options, "kernels.cubin", image->cubin);
  std::string text;
  llvm::raw_string_ostream(text) << json::Value(
      json::Object{{"kernels", std::move(kernels)}, {"cases", std::move(cases)}});
  writeFile(options, "cases.json", text);
  std::vector<uint8_t> package = makePackage(*image, options.target, packed);
  writeFile(options, "package.moeb",
            {reinterpret_cast<const char *>(package.data()), package.size()});
}

} // namespace

int main(int argc, char **argv) {
  Options options;
  if (argc < 4) {
    std::cerr << "usage: pack-kernels <target> <folder> [--tokens 1,3,17] <file.mlir>...\n";
    return 2;
  }
  options.target = argv[1];
  options.folder = argv[2];
  for (int i = 3; i < argc; ++i) {
    if (llvm::StringRef(argv[i]) != "--tokens" || i + 1 == argc) {
      options.files.push_back(argv[i]);
      continue;
    }
    options.tokens.clear();
    for (llvm::StringRef part : llvm::split(argv[++i], ','))
      options.tokens.push_back(std::stoll(part.str()));
  }
  try {
    pack(options);
  } catch (const std::exception &error) {
    std::cerr << "pack-kernels: error: " << error.what() << "\n";
    return 1;
  }
}
