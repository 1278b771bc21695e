// Tile functions, LLVM dialect, LLVM IR, O3, object, code object.
#include "codegen/target/amd/EmitCodeObject.h"

#include "codegen/target/amd/AmdLower.h"
#include "codegen/target/common/LinkSharedObject.h"
#include "codegen/target/common/OptimizeModule.h"
#include "codegen/target/gpu/WrapKernel.h"

#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/TargetParser/Triple.h"

using namespace mlir;
using namespace moec;
using namespace moec::codegen;
using llvm::createStringError;
using llvm::Expected;

/// Address space of device memory, and that of the dispatch packet.
static constexpr unsigned kGlobalSpace = 1, kConstantSpace = 4;
/// Version 5: ROCm 6 and later load it.
static constexpr unsigned kCodeObjectVersion = 500;

static Value readBlockIndex(ImplicitLocOpBuilder &b) {
  return callIntrinsic(b, "llvm.amdgcn.workgroup.id.x");
}

/// Blocks of the launch: its dispatch packet has the threads, u32 at byte 12 (grid_size_x). So no
/// hidden arguments are needed.
static Value readGridSize(ImplicitLocOpBuilder &b, unsigned threads) {
  Type pointer = LLVM::LLVMPointerType::get(b.getContext(), kConstantSpace);
  Value packet = LLVM::CallIntrinsicOp::create(
                     b, pointer, b.getStringAttr("llvm.amdgcn.dispatch.ptr"), ValueRange{})
                     .getResult(0);
  Value place = LLVM::GEPOp::create(b, pointer, b.getI8Type(), packet, ArrayRef<LLVM::GEPArg>{12});
  Value all = LLVM::LoadOp::create(b, b.getI32Type(), place, /*alignment=*/4);
  Value each = LLVM::ConstantOp::create(b, b.getI32Type(), b.getI32IntegerAttr(threads));
  return LLVM::UDivOp::create(b, all, each);
}

/// Entry points around the lowered tile functions.
static llvm::Error lowerTiles(GpuTiles &tiles, const AmdTarget &target) {
  if (failed(lowerToAmdgpu(*tiles.module, target.getChip())))
    return createStringError("the tile functions cannot be lowered to LLVM");
  for (const GpuKernel &kernel : tiles.kernels) {
    unsigned threads = kernel.launch.threads;
    auto gridSize = [&](ImplicitLocOpBuilder &b) { return readGridSize(b, threads); };
    KernelIntrinsics intrinsics{readBlockIndex,   gridSize, LLVM::CConv::AMDGPU_KERNEL,
                                emitGroupBarrier, {},       {}};
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

static Expected<std::unique_ptr<llvm::TargetMachine>> createMachine(const AmdChip &chip) {
  LLVMInitializeAMDGPUTargetInfo();
  LLVMInitializeAMDGPUTarget();
  LLVMInitializeAMDGPUTargetMC();
  LLVMInitializeAMDGPUAsmPrinter();
  llvm::Triple triple("amdgcn-amd-amdhsa");
  std::string error;
  const llvm::Target *target = llvm::TargetRegistry::lookupTarget(triple, error);
  if (!target)
    return createStringError("LLVM has no AMDGPU target: " + error);
  return std::unique_ptr<llvm::TargetMachine>(
      target->createTargetMachine(triple, chip.name, "", {}, llvm::Reloc::PIC_, std::nullopt,
                                  llvm::CodeGenOptLevel::Aggressive));
}

/// Everything up to optimised LLVM IR, then `finish`.
template <typename Finish>
static Expected<std::string> compile(GpuTiles &tiles, const AmdTarget &target, Finish finish) {
  if (llvm::Error error = lowerTiles(tiles, target))
    return error;
  auto machine = createMachine(target.getChip());
  if (!machine)
    return machine.takeError();
  llvm::LLVMContext context;
  auto module = translateModule(*tiles.module, context, **machine);
  if (!module)
    return module.takeError();
  (*module)->addModuleFlag(llvm::Module::Error, "amdhsa_code_object_version", kCodeObjectVersion);
  optimizeModule(**module, **machine);
  return finish(**module, **machine);
}

static Expected<std::string> emitObject(llvm::Module &module, llvm::TargetMachine &machine) {
  auto object = generateCode(module, machine, llvm::CodeGenFileType::ObjectFile);
  if (!object)
    return object.takeError();
  return linkSharedObject(*object);
}

static Expected<std::string> emitAssembly(llvm::Module &module, llvm::TargetMachine &machine) {
  return generateCode(module, machine, llvm::CodeGenFileType::AssemblyFile);
}

static Expected<std::string> print(llvm::Module &module, llvm::TargetMachine &) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  module.print(stream, nullptr);
  return text;
}

Expected<AmdImage> moec::codegen::emitCodeObject(ModuleOp module, const AmdTarget &target) {
  auto tiles = buildGpuTiles(module, target);
  if (!tiles)
    return tiles.takeError();
  auto object = compile(*tiles, target, emitObject);
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
                                                 AmdStage stage) {
  auto tiles = buildGpuTiles(module, target);
  if (!tiles)
    return tiles.takeError();
  if (stage == AmdStage::Tile) {
    std::string text;
    llvm::raw_string_ostream(text) << *tiles->module;
    return text;
  }
  return compile(*tiles, target, stage == AmdStage::Llvm ? print : emitAssembly);
}
