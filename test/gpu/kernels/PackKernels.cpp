// Packs kernels with inputs and expected results, to be run where there is a GPU and no compiler.
// See README.md.
#include "codegen/target/nvidia/cases/DeviceCase.h"
#include "codegen/target/nvidia/cases/KernelSet.h"
#include "dialects/moe/CacheRow.h"
#include "dialects/moe/MoeSamplingOps.h"
#include "dialects/plan/PlanDialect.h"
#include "frontend/Files.h"
#include "runtime/device/SyntheticFill.h"
#include "test/codegen/KernelHarness.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Parser/Parser.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

#include <CLI/CLI.hpp>
#include <cmath>
#include <cstring>
#include <iostream>

using namespace moec;
using namespace moec::cases;
using namespace moec::test;

namespace {

struct Options {
  std::string target, folder, against, filter;
  std::vector<int64_t> tokens = {1, 3, 17};
  bool candidates = false, dropSchedules = false;
  bool crowded = false;
  int64_t sequences = 3;
  std::vector<int64_t> earlierTokens = {-1};
  std::vector<std::string> files, skip;
};

//===----------------------------------------------------------------------===//
// Schedules and costs
//===----------------------------------------------------------------------===//

/// A kernel scheduled for some sizes, and what it costs there.
struct Scheduled {
  std::string text;
  std::string name; // of the schedule, when there are several
  uint64_t bytes = 0, flops = 0;
};

/// The kernel without a schedule, which is some target's own.
std::string dropSchedule(const std::string &text, mlir::MLIRContext &mlir) {
  auto module = parseModule(text, mlir);
  kern::KernelOp kernel = *module->getOps<kern::KernelOp>().begin();
  kernel.removeScheduleAttr();
  return toText(kernel.getOperation());
}

const kern::TargetModel &getTarget(mlir::ModuleOp module) {
  std::string message;
  mlir::ScopedDiagnosticHandler handler(
      module.getContext(), [&](mlir::Diagnostic &diagnostic) { message = diagnostic.str(); });
  const kern::TargetModel *target = kern::getTarget(module);
  if (!target)
    throw std::runtime_error(message);
  return *target;
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
  const kern::TargetModel *target = &getTarget(*module);
  llvm::SmallVector<kern::ScheduleAttr> schedules;
  if (kernel.getSchedule())
    schedules.push_back(*kernel.getSchedule());
  else if (!every)
    schedules.push_back(target->chooseSchedule(kernel));
  else
    for (const kern::Candidate &candidate : target->getCandidates(kernel))
      schedules.push_back(candidate.schedule);
  Scheduled made;
  CaseCost cost = getCost(kernel, bounds);
  made.bytes = cost.bytes;
  made.flops = cost.flops;
  caller.erase();
  std::vector<Scheduled> all;
  for (kern::ScheduleAttr schedule : schedules) {
    kernel.setScheduleAttr(schedule);
    made.text = toText(kernel.getOperation());
    made.name = every ? " " + toText(mlir::Attribute(schedule)) : "";
    all.push_back(made);
  }
  return all;
}

//===----------------------------------------------------------------------===//
// Cases
//===----------------------------------------------------------------------===//

/// Smaller arguments are stored, whose random numbers are of more than a few hundred values, unless
/// they must have a fill's values.
constexpr size_t kFillBytes = 16 << 10;

/// Whether it matters how far floats that a kernel compares are apart: the few values of a fill
/// would make its result ambiguous.
bool choosesByFloats(kern::KernelOp kernel) {
  bool chooses = false;
  kernel.walk([&](mlir::Operation *op) {
    chooses |= llvm::isa<moe::ChunkMaximaOp, moe::ChunkMassesOp, moe::SampleOp>(op);
  });
  return chooses;
}

/// Whether the plain kernel would be the same code.
bool hasGate(kern::KernelOp kernel) {
  return kernel.walk([](moe::GateOp) { return mlir::WalkResult::interrupt(); }).wasInterrupted();
}

/// Makes the numbers that the device makes for the slot.
void fillMemory(SlotMemory &memory, const PackageSlot &slot) {
  rt::FillTable table(getDType(slot.type), rt::fb::FillKind::Normal, slot.fill);
  rt::fillElements(table, rt::fillKey(slot.fillName, 0), 0, slot.bytes / table.codeBytes(),
                   memory.data());
}

/// Arguments that hold the cosines and sines of a rotation.
llvm::SmallDenseSet<unsigned> findTables(kern::KernelOp kernel) {
  llvm::SmallDenseSet<unsigned> tables;
  kernel.walk([&](moe::RopeOp rope) {
    if (auto argument = llvm::dyn_cast_or_null<mlir::BlockArgument>(rope.getTable()))
      tables.insert(argument.getArgNumber());
  });
  return tables;
}

/// Slots without their contents, but for how those that take much room are filled on the device.
std::vector<PackageSlot> describeSlots(KernelHarness &harness) {
  std::vector<PackageSlot> made;
  kern::KernelOp kernel = harness.getKernel();
  llvm::SmallVector<codegen::Slot> slots = codegen::getSlots(kernel);
  llvm::SmallDenseSet<unsigned> tables = findTables(kernel);
  bool mayFill = !choosesByFloats(kernel);
  size_t smallest = quantizesSums(kernel) ? 0 : kFillBytes;
  for (auto [i, memory] : llvm::enumerate(harness.getSlots())) {
    PackageSlot &slot = made.emplace_back();
    mlir::Type element = memory.type.getElementType();
    slot.type = toText(element);
    slot.bytes = memory.bytes().size();
    slot.isCounters = harness.isCounters(i);
    slot.isWritten = harness.isWritten(i);
    slot.tolerance = getTolerance(kernel, element);
    bool isScale = i > 0 && slots[i - 1].value == slots[i].value;
    if (!mayFill || harness.isOutput(i) || !element.isFloat() || slot.bytes < smallest ||
        tables.contains(slots[i].value))
      continue;
    slot.fill = getFill(kernel, element, isScale);
    slot.fillName =
        llvm::formatv("{0} {1} x {2}, slot {3}", slot.fill, slot.bytes, slot.type, i).str();
  }
  return made;
}

/// Slots with their contents: random and interpreted.
std::vector<PackageSlot> makeInterpretedSlots(KernelHarness &harness) {
  std::vector<PackageSlot> made = describeSlots(harness);
  for (auto [slot, memory] : llvm::zip(made, harness.getSlots()))
    if (slot.fill)
      fillMemory(memory, slot);
  std::map<unsigned, SlotMemory> expected = harness.interpretSlots();
  for (auto [i, memory] : llvm::enumerate(harness.getSlots())) {
    if (!harness.isOutput(i) && !made[i].fill)
      made[i].input = memory.bytes().vec();
    if (auto found = expected.find(i); found != expected.end())
      made[i].expected = found->second.bytes().vec();
  }
  return made;
}

template <typename T> T orThrow(llvm::Expected<T> made) {
  if (!made)
    throw std::runtime_error(llvm::toString(made.takeError()));
  return std::move(*made);
}

/// Quantized caches of more bytes are for timing only: four bytes that are codes, a power of 2 and
/// bf16 numbers, over and over.
constexpr uint64_t kMostStored = 64 << 20;
constexpr float kConstantRows = 0x1p-6;

/// Rows of a quantized cache, of which no fill of bytes would make numbers: a few in turn, so that
/// a page begins with another row than the one before.
std::vector<uint8_t> makeCacheRows(const moe::CacheRow &layout, uint64_t bytes) {
  constexpr uint64_t kRows = 61;
  auto fill = [&](rt::fb::DType type, float deviation, uint64_t key, uint64_t count) {
    rt::FillTable table(type, rt::fb::FillKind::Normal, deviation);
    std::vector<uint8_t> made(count * table.codeBytes());
    rt::fillElements(table, key, 0, count, made.data());
    return made;
  };
  std::vector<uint8_t> codes = fill(rt::fb::DType::F8E4M3FN, 60, 1, kRows * layout.codes);
  std::vector<uint8_t> tails = fill(rt::fb::DType::BF16, 1, 2, kRows * layout.tail);
  std::vector<uint8_t> rows(bytes);
  for (uint64_t row = 0; row < bytes / layout.bytes; ++row) {
    uint8_t *to = rows.data() + row * layout.bytes;
    std::copy_n(codes.data() + row % kRows * layout.codes, layout.codes, to);
    for (int64_t i = 0; i < layout.getScales(); ++i) {
      float scale = std::ldexp(1.0f, int(row % kRows + i) % 5 - 8); // a power of 2, as appended
      std::memcpy(to + layout.getScalesOffset() + 4 * i, &scale, sizeof scale);
    }
    std::copy_n(tails.data() + row % kRows * 2 * layout.tail, 2 * layout.tail,
                to + layout.getTailOffset());
  }
  return rows;
}

/// Slots whose floats the device fills.
DeviceCase makeFilledCase(kern::KernelOp kernel, const reference::InputDims &dims) {
  DeviceCase made = orThrow(makeDeviceCase(kernel, dims));
  for (auto [to, slot] : llvm::zip(made.slots, codegen::getSlots(kernel))) {
    if (slot.value >= kernel.getNumArguments())
      continue;
    auto cache = llvm::dyn_cast<moe::CacheType>(kernel.getArgumentTypes()[slot.value]);
    if (!cache || !moe::getCacheRow(cache).isQuantized())
      continue;
    to.isConstant = to.bytes > kMostStored;
    to.fill = to.isConstant ? kConstantRows : 0;
    if (to.isConstant)
      to.type = "f32";
    else
      to.input = makeCacheRows(moe::getCacheRow(cache), to.bytes);
  }
  return made;
}

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
  void addCase(llvm::StringRef file, const std::string &text, int64_t tokens, int64_t earlier);
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
    if (kernel.getSymName().contains(options.filter) &&
        !llvm::is_contained(options.skip, kernel.getSymName()))
      for (int64_t tokens : options.tokens)
        for (int64_t earlier : options.earlierTokens) {
          std::string text = toText(kernel.getOperation());
          addCase(llvm::sys::path::stem(path),
                  options.dropSchedules ? dropSchedule(text, *context) : text, tokens, earlier);
        }
}

/// `text` is a scheduled kernel.
PackageLaunch Packer::addLaunch(KernelSet &set, const std::string &text) {
  auto module = parseModule(text, *context);
  return set.add(*module->getOps<kern::KernelOp>().begin());
}

void Packer::addCase(llvm::StringRef file, const std::string &text, int64_t tokens,
                     int64_t earlier) {
  reference::InputDims dims{.tokens = tokens,
                            .sequences = options.sequences,
                            .outputRows = 1,
                            .earlierTokens = earlier,
                            .crowded = options.crowded};
  int64_t sequences = std::min(options.sequences, tokens);
  int64_t context = std::max<int64_t>(earlier, 0) + llvm::divideCeil(tokens, sequences);
  std::array<int64_t, 5> sizes{1, tokens, sequences, 1, 1};
  auto parsed = parseModule(text, *this->context);
  kern::KernelOp unscheduled = *parsed->getOps<kern::KernelOp>().begin();
  bool onDevice =
      !options.against.empty() && !choosesByFloats(unscheduled) && !hasGate(unscheduled);
  PackageLaunch reference;
  if (onDevice)
    reference = addLaunch(references, schedule(dropSchedule(text, *this->context), options.against,
                                               sizes, context, false, *this->context)
                                          .front()
                                          .text);
  for (const Scheduled &scheduled :
       schedule(text, options.target, sizes, context, options.candidates, *this->context)) {
    auto module = parseModule(scheduled.text, *this->context);
    kern::KernelOp kernel = *module->getOps<kern::KernelOp>().begin();
    PackageCase &made = cases.emplace_back();
    made.name = (file + "/" + kernel.getSymName() + " " + llvm::Twine(tokens) +
                 (earlier < 0 ? "" : " after " + std::to_string(earlier)) +
                 (options.crowded ? " crowded" : "") + scheduled.name)
                    .str();
    if (!onDevice) {
      KernelHarness harness(scheduled.text, dims, options.target, tokens);
      made.slots = makeInterpretedSlots(harness);
      made.dims = harness.getDims();
    } else {
      DeviceCase device = makeFilledCase(kernel, dims);
      made.slots = std::move(device.slots);
      made.dims = device.dims;
    }
    made.launch = addLaunch(kernels, scheduled.text);
    made.reference = reference;
    made.bytes = scheduled.bytes;
    made.flops = scheduled.flops;
  }
}

void Packer::writeFile(llvm::StringRef name, llvm::StringRef text) {
  llvm::SmallString<128> path(options.folder);
  llvm::sys::path::append(path, name);
  if (llvm::Error error = frontend::writeFile(path, text))
    throw std::runtime_error(llvm::toString(std::move(error)));
}

void Packer::finish() {
  (void)llvm::sys::fs::create_directories(options.folder); // files in it cannot be written then
  auto assembler = orThrow(codegen::findAssembler(""));
  std::optional<llvm::StringRef> program;
  if (assembler)
    program = *assembler;
  codegen::NvidiaImage image = orThrow(kernels.emit(program));
  codegen::NvidiaImage reference = orThrow(references.emit(std::nullopt));
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
  app.add_option(
         "--earlier-tokens", options.earlierTokens,
         "of each sequence, a case for each of these (default: random, up to one and a half "
         "pages)")
      ->delimiter(',')
      ->allow_extra_args(false);
  app.add_flag("--crowded", options.crowded,
               "all tokens go to the first expert, one to the second, none to the last");
  app.add_option("--filter", options.filter, "only kernels whose names contain this");
  app.add_flag("--drop-schedules", options.dropSchedules,
               "choose schedules for kernels that have some of another target");
  app.add_option("--skip", options.skip, "not the kernels of these names")
      ->delimiter(',')
      ->allow_extra_args(false);
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
