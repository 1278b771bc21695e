#include "codegen/tools/moec/Backend.h"

#include "codegen/kernels/TeamEmitters.h"
#include "codegen/target/amd/EmitCodeObject.h"
#include "codegen/target/cpu/EmitImage.h"
#include "codegen/target/nvidia/EmitKernels.h"
#include "codegen/target/nvidia/cases/TuneCase.h"
#include "frontend/Errors.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;
using namespace moec;
using frontend::makeError;

Backend::~Backend() = default;

Expected<std::vector<uint8_t>> Backend::packCandidates(StringRef, kern::BoundsAttr) const {
  return makeError("kernels for target '{0}' cannot be measured one by one; those for NVIDIA can",
                   getModel().getName());
}

static std::vector<uint8_t> toBytes(StringRef text) {
  return {text.bytes_begin(), text.bytes_end()};
}

//===----------------------------------------------------------------------===//
// CPUs
//===----------------------------------------------------------------------===//

namespace {
class CpuBackend : public Backend {
public:
  explicit CpuBackend(codegen::Cpu cpu) : target(std::move(cpu)) {}

  const kern::TargetModel &getModel() const override { return target; }

  ArrayRef<StringLiteral> getStages() const override {
    static constexpr StringLiteral stages[] = {"llvm", "asm"};
    return stages;
  }

  Expected<std::string> emitText(mlir::ModuleOp module, StringRef stage) const override {
    return codegen::emitText(module, target,
                             stage == "llvm" ? codegen::Stage::Llvm : codegen::Stage::Assembly);
  }

  Expected<bundle::KernelCode> emitCode(mlir::ModuleOp module) const override {
    auto image = codegen::emitImage(module, target);
    if (!image)
      return image.takeError();
    bundle::KernelCode code;
    code.targetKind = "cpu";
    code.arch = target.getCpu().llvmCpu;
    code.features = target.getCpu().features;
    code.images.push_back({"elf-so", toBytes(image->bytes)});
    for (const codegen::KernelSymbol &kernel : image->kernels)
      code.kernels[kernel.symbol].workspaceBytes = kernel.workspaceBytes;
    return code;
  }

private:
  codegen::CpuTarget target;
};

//===----------------------------------------------------------------------===//
// NVIDIA
//===----------------------------------------------------------------------===//

codegen::GpuStage findGpuStage(StringRef name) {
  if (name == "tile")
    return codegen::GpuStage::Tile;
  return name == "llvm" ? codegen::GpuStage::Llvm : codegen::GpuStage::Assembly;
}

void setShape(bundle::KernelLaunch &launch, const codegen::LaunchShape &shape) {
  launch.threads = shape.threads;
  launch.sharedBytes = shape.sharedBytes;
  launch.cluster = shape.cluster;
  launch.maxBlocks = shape.maxBlocks;
  launch.earlyLaunch = shape.earlyLaunch;
  launch.coResident = shape.coResident;
  for (const codegen::TensorMap &map : shape.tensorMaps) {
    bundle::TensorMap &made = launch.tensorMaps.emplace_back();
    made = {map.slot,    map.offset, map.element, {},
            map.strides, map.box,    map.swizzle, map.l2Promotion};
    for (const codegen::Extent &size : map.sizes)
      made.sizes.push_back({size.dim, size.multiplier, size.addend});
  }
}

class NvidiaBackend : public Backend {
public:
  NvidiaBackend(const codegen::Chip &chip, std::optional<std::string> assembler)
      : target(chip), assembler(std::move(assembler)) {}

  const kern::TargetModel &getModel() const override { return target; }

  ArrayRef<int64_t> getRowClasses() const override { return target.getRowClasses(); }
  bool samplesTokens() const override { return true; }

  ArrayRef<StringLiteral> getStages() const override {
    static constexpr StringLiteral stages[] = {"tile", "llvm", "ptx"};
    return stages;
  }

  Expected<std::string> emitText(mlir::ModuleOp module, StringRef stage) const override {
    return codegen::emitNvidiaText(module, target, findGpuStage(stage));
  }

  /// The kernels of the oldest chip take any buffers and use nothing of newer ones.
  Expected<std::vector<uint8_t>> packCandidates(StringRef kernel,
                                                kern::BoundsAttr bounds) const override {
    return cases::packCandidates({kernel.str(), bounds}, target.getName().str(),
                                 codegen::getChips().front().name.str(), getProgram());
  }

  Expected<bundle::KernelCode> emitCode(mlir::ModuleOp module) const override {
    std::optional<StringRef> program = getProgram();
    if (!program)
      errs() << "note: no ptxas found (PATH, CUDA_HOME, --ptxas): the bundle has PTX only, which "
                "the driver compiles when it is loaded\n";
    auto image = codegen::emitKernels(module, target, program);
    if (!image)
      return image.takeError();
    bundle::KernelCode code;
    code.targetKind = "cuda";
    code.arch = target.getName().str();
    if (!image->cubin.empty())
      code.images.push_back({"cubin", toBytes(image->cubin)});
    code.images.push_back({"ptx", toBytes(image->ptx)});
    for (const codegen::NvidiaKernel &kernel : image->kernels) {
      bundle::KernelLaunch &launch = code.kernels[kernel.symbol];
      setShape(launch, kernel.launch);
      launch.registers = kernel.report.registers;
      launch.spillBytes = kernel.report.spillBytes;
      launch.blocksPerCore = kernel.blocksPerCore;
      launch.peakFlops = kernel.peakFlops;
    }
    return code;
  }

private:
  std::optional<StringRef> getProgram() const {
    return assembler ? std::optional<StringRef>(*assembler) : std::nullopt;
  }

  codegen::NvidiaTarget target;
  std::optional<std::string> assembler;
};

//===----------------------------------------------------------------------===//
// AMD
//===----------------------------------------------------------------------===//

class AmdBackend : public Backend {
public:
  explicit AmdBackend(const codegen::AmdChip &chip) : target(chip) {}

  const kern::TargetModel &getModel() const override { return target; }
  ArrayRef<int64_t> getRowClasses() const override {
    return codegen::getTeamRowClasses(target.getMachine());
  }

  ArrayRef<StringLiteral> getStages() const override {
    static constexpr StringLiteral stages[] = {"tile", "llvm", "asm"};
    return stages;
  }

  Expected<std::string> emitText(mlir::ModuleOp module, StringRef stage) const override {
    return codegen::emitAmdText(module, target, findGpuStage(stage));
  }

  Expected<bundle::KernelCode> emitCode(mlir::ModuleOp module) const override {
    auto image = codegen::emitCodeObject(module, target);
    if (!image)
      return image.takeError();
    bundle::KernelCode code;
    code.targetKind = "hip";
    code.arch = target.getName().str();
    code.images.push_back({"hsaco", toBytes(image->codeObject)});
    for (const codegen::AmdKernel &kernel : image->kernels) {
      bundle::KernelLaunch &launch = code.kernels[kernel.symbol];
      launch.threads = kernel.threads;
      launch.sharedBytes = kernel.report.sharedBytes;
      launch.registers = kernel.report.vectorRegisters;
      launch.scalarRegisters = kernel.report.scalarRegisters;
      launch.accumulatorRegisters = kernel.report.accumulatorRegisters;
      launch.spillBytes = kernel.report.scratchBytes;
      launch.blocksPerCore = kernel.groupsPerUnit;
    }
    return code;
  }

private:
  codegen::AmdTarget target;
};
} // namespace

//===----------------------------------------------------------------------===//
// The table
//===----------------------------------------------------------------------===//

ArrayRef<StringLiteral> moec::listBackendStages() {
  static constexpr StringLiteral stages[] = {"tile", "llvm", "asm", "ptx"};
  return stages;
}

Expected<std::unique_ptr<Backend>> moec::findBackend(StringRef name,
                                                     const BackendOptions &options) {
  if (name.split(':').first == "cpu") {
    auto cpu = codegen::findCpu(name);
    if (!cpu)
      return cpu.takeError();
    return std::make_unique<CpuBackend>(std::move(*cpu));
  }
  if (is_contained(map_range(codegen::getChips(), [](auto &chip) { return chip.name; }), name)) {
    auto chip = codegen::findChip(name);
    if (!chip)
      return chip.takeError();
    auto assembler = codegen::findAssembler(options.ptxas);
    if (!assembler)
      return assembler.takeError();
    return std::make_unique<NvidiaBackend>(**chip, std::move(*assembler));
  }
  if (is_contained(map_range(codegen::getAmdChips(), [](auto &chip) { return chip.name; }), name)) {
    auto chip = codegen::findAmdChip(name);
    if (!chip)
      return chip.takeError();
    return std::make_unique<AmdBackend>(**chip);
  }
  std::vector<std::string> names;
  for (auto &[known, text] : listTargets())
    names.push_back(known);
  return makeError("target '{0}' is unknown; known are {1}", name, join(names, ", "));
}

std::vector<std::pair<std::string, std::string>> moec::listTargets() {
  std::vector<std::pair<std::string, std::string>> targets = {
      {"cpu", "this machine"},
      {"cpu:x86-64-v3", "any CPU with AVX2"},
      {"cpu:x86-64-v4", "any CPU with AVX-512"}};
  for (const codegen::Chip &chip : codegen::getChips())
    targets.emplace_back(chip.name,
                         chip.refusal.empty()
                             ? formatv("NVIDIA, as {0}", chip.device).str()
                             : formatv("NVIDIA, as {0}; {1}", chip.device, chip.refusal).str());
  for (const codegen::AmdChip &chip : codegen::getAmdChips())
    targets.emplace_back(chip.name,
                         formatv("AMD, as {0}; compiled only, no runtime yet", chip.device).str());
  return targets;
}

void moec::registerTargets(mlir::DialectRegistry &registry) {
  codegen::registerAmdTargets(registry);
  codegen::registerCpuTarget(registry);
  codegen::registerNvidiaTargets(registry);
}
