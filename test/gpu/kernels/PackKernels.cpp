// Packs kernels with inputs and expected results, to be run where there is a GPU and no compiler.
// See README.md.
#include "codegen/target/nvidia/EmitKernels.h"
#include "dialects/plan/PlanDialect.h"
#include "passes/KernelCost.h"
#include "test/codegen/KernelHarness.h"
#include "test/gpu/kernels/Package.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Parser/Parser.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

#include <CLI/CLI.hpp>
#include <iostream>

using namespace moec;
using namespace moec::test;

namespace {

struct Options {
  std::string target, folder, against, filter;
  std::vector<int64_t> tokens = {1, 3, 17};
  bool candidates = false;
  int64_t sequences = 3, earlierTokens = 0;
  std::vector<std::string> files;
};

std::string print(mlir::Operation *op) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  op->print(stream, mlir::OpPrintingFlags().useLocalScope());
  return text;
}

template <typename T> std::string toText(T typeOrAttribute) {
  std::string text;
  llvm::raw_string_ostream(text) << typeOrAttribute;
  return text;
}

//===----------------------------------------------------------------------===//
// Schedules and costs
//===----------------------------------------------------------------------===//

/// A kernel scheduled for some sizes, and what it costs there.
struct Scheduled {
  std::string text;
  std::string name; // of the schedule, when there are several
  uint64_t bytes = 0, flops = 0;
};

/// A function that launches `kernel` at these bounds, which the target's choice of a schedule and
/// the costs are for.
mlir::func::FuncOp addCaller(kern::KernelOp kernel, kern::BoundsAttr bounds) {
  mlir::OpBuilder b(kernel.getContext());
  b.setInsertionPointAfter(kernel);
  auto type = b.getFunctionType(kernel.getArgumentTypes(), kernel.getResultTypes());
  auto caller = mlir::func::FuncOp::create(b, kernel.getLoc(), "caller", type);
  caller->setAttr("kern.bounds", bounds);
  b.setInsertionPointToStart(caller.addEntryBlock());
  auto launch =
      kern::LaunchOp::create(b, kernel.getLoc(), kernel.getResultTypes(), kernel.getSymName(),
                             caller.getArguments(), mlir::StringAttr());
  mlir::func::ReturnOp::create(b, kernel.getLoc(), launch.getResults());
  return caller;
}

/// The kernel without a schedule, which is some target's own.
std::string dropSchedule(const std::string &text, mlir::MLIRContext &mlir) {
  auto module = parseModule(text, mlir);
  kern::KernelOp kernel = *module->getOps<kern::KernelOp>().begin();
  kernel.removeScheduleAttr();
  return print(kernel);
}

/// `text` with the schedule that the target chooses for these sizes, or with each that it could.
std::vector<Scheduled> schedule(const std::string &text, const std::string &targetName,
                                const std::array<int64_t, 5> &dims, int64_t context, bool every,
                                mlir::MLIRContext &mlir) {
  auto module = parseModule(text, mlir);
  (*module)->setAttr(kern::kTargetAttr, mlir::StringAttr::get(&mlir, targetName));
  kern::KernelOp kernel = *module->getOps<kern::KernelOp>().begin();
  auto bounds = kern::BoundsAttr::get(&mlir, dims[1], dims[2], dims[3], context);
  mlir::func::FuncOp caller = addCaller(kernel, bounds);
  const kern::TargetModel *target = kern::getTarget(*module);
  llvm::SmallVector<kern::ScheduleAttr> schedules;
  auto *gpu = dynamic_cast<const codegen::GpuTarget *>(target);
  if (kernel.getSchedule())
    schedules.push_back(*kernel.getSchedule());
  else if (!every || !gpu)
    schedules.push_back(target->chooseSchedule(kernel));
  else
    for (const codegen::Candidate &candidate : gpu->getCandidates(kernel))
      schedules.push_back(candidate.schedule);
  Scheduled made;
  if (auto cost = passes::getKernelCost(kernel, bounds); succeeded(cost)) {
    made.bytes = cost->bytes + cost->contextBytes * uint64_t(context) * uint64_t(dims[2]);
    made.flops = cost->flops;
  }
  caller.erase();
  std::vector<Scheduled> all;
  for (kern::ScheduleAttr schedule : schedules) {
    kernel.setScheduleAttr(schedule);
    made.text = print(kernel);
    made.name = every ? " " + toText(schedule) : "";
    all.push_back(made);
  }
  return all;
}

//===----------------------------------------------------------------------===//
// Cases
//===----------------------------------------------------------------------===//

/// What quantizes may be a step off where the interpreter, in double, rounds otherwise.
double getTolerance(kern::KernelOp kernel, mlir::Type element) {
  bool quantizes = false, multiplies = false, multipliesFp8 = false;
  auto isQuantized = [](mlir::Value value) { return llvm::isa<moe::QTensorType>(value.getType()); };
  kernel.walk([&](moe::QuantizeOp) { quantizes = true; });
  kernel.walk([&](mlir::Operation *op) {
    multiplies |= llvm::isa<moe::LinearOp, moe::GroupedLinearOp, moe::HeadLinearOp,
                            moe::LatentAttentionOp, moe::MlaAttentionOp, moe::AttentionOp>(op);
    multipliesFp8 |= llvm::isa<moe::LinearOp, moe::GroupedLinearOp>(op) &&
                     isQuantized(op->getOperand(0)) && isQuantized(op->getOperand(1));
  });
  // Families of matrix instructions round probabilities to the queries' bf16.
  bool attendsInBFloat16 = false;
  kernel.walk([&](moe::LatentAttentionOp op) {
    auto query = llvm::cast<mlir::RankedTensorType>(op.getQ().getType());
    attendsInBFloat16 |= query.getElementType().isBF16();
  });
  // Keys and values are rounded to bf16 where a family expands latents, and so is what comes of
  // them.
  bool expandsInBFloat16 = false;
  kernel.walk([&](moe::MlaAttentionOp op) {
    auto query = llvm::cast<mlir::RankedTensorType>(op.getQ().getType());
    expandsInBFloat16 |= query.getElementType().isBF16();
  });
  if (expandsInBFloat16)
    return 4e-3;
  if (element.isBF16() || attendsInBFloat16)
    return 3e-3;
  if (quantizes && llvm::isa<mlir::Float8E4M3FNType>(element))
    return 4e-3;
  // Tensor cores add products of E4M3 with fewer bits than f32 has.
  return multipliesFp8 ? 5e-4 : multiplies ? 1e-5 : 2e-6;
}

/// The deviation of numbers that make sense for a slot; scales are small, codes use E4M3's range.
float getFill(const SlotMemory &slot, bool isScale) {
  mlir::Type element = slot.type.getElementType();
  if (llvm::isa<mlir::Float8E4M3FNType>(element))
    return 60;
  return isScale ? 1e-2f : 1;
}

rt::fb::Grid toGrid(kern::GridAttr grid) {
  uint64_t cap = grid.getCap() ? grid.getCap() : std::numeric_limits<uint64_t>::max();
  return rt::fb::Grid(rt::fb::Dim(grid.getDim()), grid.getMultiplier(), grid.getDivisor(), cap,
                      grid.getFactor());
}

/// Slots with their contents: random and interpreted, or, for a reference kernel on the device,
/// only integers and tables.
std::vector<PackageSlot> makeSlots(KernelHarness &harness, bool onDevice) {
  std::map<unsigned, SlotMemory> expected;
  if (!onDevice)
    expected = harness.interpretSlots();
  std::vector<PackageSlot> made;
  llvm::SmallVector<codegen::Slot> slots = codegen::getSlots(harness.getKernel());
  auto isTable = [&](unsigned value) {
    bool table = false;
    harness.getKernel().walk([&](moe::RopeOp rope) {
      auto argument = llvm::dyn_cast_or_null<mlir::BlockArgument>(rope.getTable());
      table |= argument && argument.getArgNumber() == value;
    });
    return table;
  };
  for (auto [i, memory] : llvm::enumerate(harness.getSlots())) {
    PackageSlot &slot = made.emplace_back();
    mlir::Type element = memory.type.getElementType();
    slot.type = toText(element);
    slot.bytes = memory.bytes().size();
    slot.isCounters = harness.isCounters(i);
    slot.isWritten = harness.isWritten(i);
    slot.tolerance = getTolerance(harness.getKernel(), element);
    bool isScale = i > 0 && slots[i - 1].value == slots[i].value;
    if (harness.isOutput(i)) {
    } else if (onDevice && element.isFloat() && !isTable(slots[i].value))
      slot.fill = getFill(memory, isScale);
    else
      slot.input = memory.bytes().vec();
    if (auto found = expected.find(i); found != expected.end())
      slot.expected = found->second.bytes().vec();
  }
  return made;
}

/// Kernels of one target, each once.
class KernelSet {
public:
  KernelSet(std::string target, std::string prefix, mlir::MLIRContext &context)
      : target(std::move(target)), prefix(std::move(prefix)), context(context),
        module(mlir::ModuleOp::create(mlir::UnknownLoc::get(&context))) {}

  /// The symbol of the kernel of this text.
  std::string add(const std::string &text) {
    auto [found, isNew] = symbols.try_emplace(text, prefix + std::to_string(symbols.size()));
    if (isNew) {
      auto parsed = parseModule(text, context);
      kern::KernelOp kernel = *parsed->getOps<kern::KernelOp>().begin();
      kernel.setSymName(found->second);
      kernel->moveBefore(module->getBody(), module->getBody()->end());
    }
    return found->second;
  }

  codegen::NvidiaImage emit(bool assembled) {
    if (symbols.empty())
      return {};
    auto chip = llvm::cantFail(codegen::findChip(target));
    auto assembler = llvm::cantFail(codegen::findAssembler(""));
    std::optional<llvm::StringRef> program;
    if (assembler && assembled)
      program = *assembler;
    auto image = codegen::emitKernels(*module, codegen::NvidiaTarget(*chip), program);
    if (!image)
      throw std::runtime_error(llvm::toString(image.takeError()));
    return std::move(*image);
  }

  const std::string target;

private:
  std::string prefix;
  mlir::MLIRContext &context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::map<std::string, std::string> symbols; // by text
};

class Packer {
public:
  explicit Packer(const Options &options)
      : options(options), context(makeContext()), kernels(options.target, "k", *context),
        references(options.against, "reference", *context) {
    context->getOrLoadDialect<plan::PlanDialect>();
  }
  void addFile(const std::string &path);
  void finish();

private:
  void addCase(llvm::StringRef file, const std::string &text, int64_t tokens);
  PackageLaunch addLaunch(KernelSet &set, const std::string &text);
  void writeFile(llvm::StringRef name, llvm::StringRef text);

  const Options &options;
  std::unique_ptr<mlir::MLIRContext> context;
  KernelSet kernels, references;
  std::vector<PackageCase> cases;
};

} // namespace

void Packer::addFile(const std::string &path) {
  auto file = llvm::MemoryBuffer::getFile(path);
  if (!file)
    throw std::runtime_error("'" + path + "' cannot be read");
  auto module = parseModule((*file)->getBuffer(), *context);
  for (auto kernel : module->getOps<kern::KernelOp>())
    if (kernel.getSymName().contains(options.filter))
      for (int64_t tokens : options.tokens)
        addCase(llvm::sys::path::stem(path), print(kernel), tokens);
}

/// `text` is a scheduled kernel.
PackageLaunch Packer::addLaunch(KernelSet &set, const std::string &text) {
  auto module = parseModule(text, *context);
  (*module)->setAttr(kern::kTargetAttr, mlir::StringAttr::get(context.get(), set.target));
  kern::KernelOp kernel = *module->getOps<kern::KernelOp>().begin();
  return {set.add(text), toGrid(kern::getTarget(*module)->getGrid(kernel))};
}

void Packer::addCase(llvm::StringRef file, const std::string &text, int64_t tokens) {
  reference::InputDims dims{.tokens = tokens,
                            .sequences = options.sequences,
                            .outputRows = 1,
                            .earlierTokens = options.earlierTokens,
                            .shapesOnly = !options.against.empty()};
  int64_t sequences = std::min(options.sequences, tokens);
  int64_t context = options.earlierTokens + llvm::divideCeil(tokens, sequences);
  std::array<int64_t, 5> sizes{1, tokens, sequences, 1, 1};
  PackageLaunch reference;
  if (!options.against.empty())
    reference = addLaunch(references, schedule(dropSchedule(text, *this->context), options.against,
                                               sizes, context, false, *this->context)
                                          .front()
                                          .text);
  for (const Scheduled &scheduled :
       schedule(text, options.target, sizes, context, options.candidates, *this->context)) {
    KernelHarness harness(scheduled.text, dims, options.target, tokens);
    PackageCase &made = cases.emplace_back();
    made.name =
        (file + "/" + harness.getKernel().getSymName() + " " + llvm::Twine(tokens) + scheduled.name)
            .str();
    made.dims = harness.getDims();
    made.slots = makeSlots(harness, dims.shapesOnly);
    made.launch = addLaunch(kernels, scheduled.text);
    made.reference = reference;
    made.bytes = scheduled.bytes;
    made.flops = scheduled.flops;
  }
}

void Packer::writeFile(llvm::StringRef name, llvm::StringRef text) {
  llvm::SmallString<128> path(options.folder);
  llvm::sys::path::append(path, name);
  std::error_code error;
  llvm::raw_fd_ostream stream(path, error);
  if (!error) {
    stream << text;
    stream.close();
    error = stream.error();
    stream.clear_error();
  }
  if (error)
    throw std::runtime_error("'" + path.str().str() + "' cannot be written: " + error.message());
}

void Packer::finish() {
  llvm::sys::fs::create_directories(options.folder);
  codegen::NvidiaImage image = kernels.emit(/*assembled=*/true);
  codegen::NvidiaImage reference = references.emit(/*assembled=*/false);
  for (const codegen::NvidiaKernel &kernel : image.kernels)
    std::cout << kernel.symbol << ": " << kernel.report.registers << " registers, "
              << kernel.report.spillBytes << " bytes spilled, " << kernel.launch.sharedBytes
              << " bytes shared\n";
  for (const PackageCase &made : cases)
    std::cout << made.launch.kernel << ": " << made.name << "\n";
  writeFile("kernels.ptx", image.ptx);
  writeFile("kernels.cubin", image.cubin);
  std::vector<uint8_t> package = makePackage(image, reference, options.target, cases);
  writeFile("package.moeb", {reinterpret_cast<const char *>(package.data()), package.size()});
}

int main(int argc, char **argv) {
  CLI::App app{"Packs kern.kernels as cases for moec-kernel-test.", "pack-kernels"};
  Options options;
  app.add_option("target", options.target)->required();
  app.add_option("folder", options.folder, "gets package.moeb, kernels.ptx and kernels.cubin")
      ->required();
  app.add_option("files", options.files, "MLIR files with kern.kernels")->required();
  app.add_option("--tokens", options.tokens, "a case for each of these")
      ->delimiter(',')
      ->allow_extra_args(false);
  app.add_option("--sequences", options.sequences, "that the tokens belong to");
  app.add_option("--earlier-tokens", options.earlierTokens,
                 "of each sequence (default: random, up to one and a half pages)");
  app.add_option("--filter", options.filter, "only kernels whose names contain this");
  app.add_flag("--candidates", options.candidates,
               "a case for every schedule that the target considers");
  app.add_option("--against", options.against,
                 "inputs are made on the device and results are compared with what this target's "
                 "kernels make there: for sizes that the interpreter is too slow for");
  CLI11_PARSE(app, argc, argv);
  try {
    Packer packer(options);
    for (const std::string &file : options.files)
      packer.addFile(file);
    packer.finish();
  } catch (const std::exception &error) {
    std::cerr << "pack-kernels: error: " << error.what() << "\n";
    return 1;
  }
}
