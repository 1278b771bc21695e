// Tile functions, LLVM dialect, LLVM IR, O3, object, code object.
#include "codegen/target/amd/EmitCodeObject.h"

#include "codegen/target/amd/AmdLower.h"
#include "codegen/target/common/LinkSharedObject.h"
#include "codegen/target/common/OptimizeModule.h"
#include "codegen/target/gpu/WrapKernel.h"

#include "llvm/Support/TargetSelect.h"

using namespace mlir;
using namespace moec;
using namespace moec::codegen;
using llvm::createStringError;
using llvm::Expected;

/// Address space of device memory.
static constexpr unsigned kGlobalSpace = 1;
/// Version 5: ROCm 6 and later load it.
static constexpr unsigned kCodeObjectVersion = 500;

static Value readBlockIndex(ImplicitLocOpBuilder &b) {
  return callIntrinsic(b, "llvm.amdgcn.workgroup.id.x");
}

/// Entry points around the lowered tile functions.
static llvm::Error lowerTiles(GpuTiles &tiles, const AmdTarget &target) {
  if (failed(lowerToAmdgpu(*tiles.module, target.getChip())))
    return createStringError("the tile functions cannot be lowered to LLVM");
  for (const GpuKernel &kernel : tiles.kernels) {
    unsigned threads = kernel.launch.threads;
    KernelIntrinsics intrinsics{readBlockIndex, LLVM::CConv::AMDGPU_KERNEL, {}, {}};
    intrinsics.bufferSpace = kGlobalSpace;
    intrinsics.hasSizedMemory = true;
    LLVM::LLVMFuncOp function =
        wrapKernel(kernel, target.getGrid(kernel.kernel), *tiles.module, intrinsics);
    Builder b(function.getContext());
    std::string range = std::to_string(threads) + "," + std::to_string(threads);
    function.setPassthroughAttr(
        b.getArrayAttr({b.getStrArrayAttr({"amdgpu-flat-work-group-size", range}),
                        b.getStrArrayAttr({"uniform-work-group-size", "true"})}));
  }
  return llvm::Error::success();
}

namespace {

class AmdCompiler : public GpuCompiler {
public:
  explicit AmdCompiler(const AmdTarget &target) : GpuCompiler(target), target(target) {}

private:
  llvm::Error lower(GpuTiles &tiles) const override { return lowerTiles(tiles, target); }
  Expected<std::unique_ptr<llvm::TargetMachine>> createMachine() const override {
    LLVMInitializeAMDGPUTargetInfo();
    LLVMInitializeAMDGPUTarget();
    LLVMInitializeAMDGPUTargetMC();
    LLVMInitializeAMDGPUAsmPrinter();
    return createGpuMachine("amdgcn-amd-amdhsa", target.getChip().name, "", llvm::Reloc::PIC_);
  }
  void prepare(llvm::Module &module) const override {
    module.addModuleFlag(llvm::Module::Error, "amdhsa_code_object_version", kCodeObjectVersion);
  }

  const AmdTarget &target;
};

} // namespace

static Expected<std::string> emitObject(llvm::Module &module, llvm::TargetMachine &machine) {
  auto object = generateCode(module, machine, llvm::CodeGenFileType::ObjectFile);
  if (!object)
    return object.takeError();
  return linkSharedObject(*object);
}

Expected<AmdImage> moec::codegen::emitCodeObject(ModuleOp module, const AmdTarget &target) {
  auto tiles = buildGpuTiles(module, target);
  if (!tiles)
    return tiles.takeError();
  auto object = AmdCompiler(target).compile(*tiles, emitObject);
  if (!object)
    return object.takeError();
  auto reports = readCodeObject(*object);
  if (!reports)
    return reports.takeError();
  AmdImage image{std::move(*object), {}};
  for (const GpuKernel &kernel : tiles->kernels) {
    std::string symbol = const_cast<GpuKernel &>(kernel).kernel.getSymName().str();
    CodeObjectReport report = reports->lookup(symbol);
    unsigned threads = kernel.launch.threads;
    unsigned groups =
        target.getChip().countGroups(threads, report.vectorRegisters, report.sharedBytes);
    image.kernels.push_back({symbol, threads, groups, report});
  }
  return image;
}

Expected<std::string> moec::codegen::emitAmdText(ModuleOp module, const AmdTarget &target,
                                                 GpuStage stage) {
  return AmdCompiler(target).emitText(module, stage);
}
