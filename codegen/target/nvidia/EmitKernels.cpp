// Tile functions, LLVM dialect, LLVM IR, O3, PTX, cubin.
#include "codegen/target/nvidia/EmitKernels.h"

#include "codegen/target/common/OptimizeModule.h"
#include "codegen/target/gpu/WrapKernel.h"
#include "codegen/target/nvidia/Lower.h"

#include "mlir/Target/LLVMIR/Dialect/NVVM/NVVMToLLVMIRTranslation.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/TargetParser/Triple.h"

using namespace mlir;
using namespace moec;
using namespace moec::codegen;
using llvm::createStringError;
using llvm::Expected;

static void emitBarrier(ImplicitLocOpBuilder &b) {
  Value all = LLVM::ConstantOp::create(b, b.getI32Type(), b.getI32IntegerAttr(0));
  LLVM::CallIntrinsicOp::create(b, b.getStringAttr("llvm.nvvm.barrier.cta.sync.aligned.all"),
                                ValueRange{all});
}

/// Assembly, not an intrinsic: LLVM's say that they touch no memory, and loads could pass them.
template <const char *text> static void emitGridControl(ImplicitLocOpBuilder &b) {
  LLVM::InlineAsmOp::create(b, TypeRange{}, ValueRange{}, text, "~{memory}",
                            /*has_side_effects=*/true, /*is_align_stack=*/false,
                            LLVM::TailCallKind::None,
                            LLVM::AsmDialectAttr::get(b.getContext(), LLVM::AsmDialect::AD_ATT),
                            /*operand_attrs=*/ArrayAttr());
}
static constexpr char kLaunchDependents[] = "griddepcontrol.launch_dependents;";
static constexpr char kWait[] = "griddepcontrol.wait;";

static bool isProduct(kern::KernelOp kernel) {
  kern::Hero hero = kernel.getHero();
  return hero == kern::Hero::Matmul || hero == kern::Hero::GroupedMatmul ||
         hero == kern::Hero::HeadMatmul;
}

/// Entry points around the lowered tile functions.
static llvm::Error lowerTiles(GpuTiles &tiles, const NvidiaTarget &target) {
  if (failed(lowerToNvptx(*tiles.module, target.getChip())))
    return createStringError("the tile functions cannot be lowered to LLVM");
  auto blockIndex = [](auto &b) { return callIntrinsic(b, "llvm.nvvm.read.ptx.sreg.ctaid.x"); };
  auto gridSize = [](auto &b) { return callIntrinsic(b, "llvm.nvvm.read.ptx.sreg.nctaid.x"); };
  KernelIntrinsics intrinsics{blockIndex,
                              gridSize,
                              LLVM::CConv::PTX_Kernel,
                              emitBarrier,
                              emitGridControl<kLaunchDependents>,
                              emitGridControl<kWait>};
  for (const GpuKernel &kernel : tiles.kernels) {
    if (kernel.isWhole)
      continue;
    LLVM::LLVMFuncOp function =
        wrapKernel(kernel, target.getGrid(kernel.kernel), *tiles.module, intrinsics);
    Builder b(function.getContext());
    SmallVector<Attribute> limits{
        b.getStrArrayAttr({"nvvm.maxntid", std::to_string(kernel.launch.threads)})};
    // Otherwise ptxas spills sums to make room for more blocks.
    if (isProduct(kernel.kernel))
      limits.push_back(b.getStrArrayAttr({"nvvm.minctasm", "1"}));
    function.setPassthroughAttr(b.getArrayAttr(limits));
  }
  return llvm::Error::success();
}

static Expected<std::unique_ptr<llvm::TargetMachine>> createMachine(const Chip &chip) {
  LLVMInitializeNVPTXTargetInfo();
  LLVMInitializeNVPTXTarget();
  LLVMInitializeNVPTXTargetMC();
  LLVMInitializeNVPTXAsmPrinter();
  llvm::Triple triple("nvptx64-nvidia-cuda");
  std::string error;
  const llvm::Target *target = llvm::TargetRegistry::lookupTarget(triple, error);
  if (!target)
    return createStringError("LLVM has no NVPTX target: " + error);
  return std::unique_ptr<llvm::TargetMachine>(
      target->createTargetMachine(triple, chip.name, chip.ptx, {}, std::nullopt, std::nullopt,
                                  llvm::CodeGenOptLevel::Aggressive));
}

/// Everything up to optimised LLVM IR, then `finish`.
template <typename Finish>
static Expected<std::string> compile(GpuTiles &tiles, const NvidiaTarget &target, Finish finish) {
  if (llvm::Error error = lowerTiles(tiles, target))
    return error;
  auto machine = createMachine(target.getChip());
  if (!machine)
    return machine.takeError();
  registerNVVMDialectTranslation(*tiles.module->getContext());
  llvm::LLVMContext context;
  auto module = translateModule(*tiles.module, context, **machine);
  if (!module)
    return module.takeError();
  optimizeModule(**module, **machine);
  return finish(**module, **machine);
}

static Expected<std::string> emitPtx(GpuTiles &tiles, const NvidiaTarget &target) {
  return compile(tiles, target, [](llvm::Module &module, llvm::TargetMachine &machine) {
    return generateCode(module, machine, llvm::CodeGenFileType::AssemblyFile);
  });
}

/// Blocks that a multiprocessor holds at once.
static unsigned countBlocks(const Chip &chip, const NvidiaKernel &kernel) {
  constexpr unsigned kRegisters = 65536, kThreads = 2048, kBlocks = 32, kReserved = 1024;
  unsigned threads = kernel.launch.threads;
  unsigned registers = llvm::alignTo(std::max(kernel.report.registers, 1u), 8);
  unsigned shared = kernel.launch.sharedBytes + kReserved;
  return std::min({kRegisters / (registers * threads), kThreads / threads, kBlocks,
                   unsigned(chip.sharedKibPerCore << 10) / shared});
}

/// Of the matrix products of `kernel`: as fast as their operands in memory allow.
static double getPeakFlops(const Chip &chip, kern::KernelOp kernel) {
  double teraflops = chip.teraflops;
  kernel.walk([&](Operation *op) {
    if (!isa<moe::LinearOp, moe::GroupedLinearOp>(op))
      return;
    auto isFp8 = [](Value value) {
      auto type = dyn_cast<moe::QTensorType>(value.getType());
      return type && isa<Float8E4M3FNType>(type.getCodesType().getElementType());
    };
    if (isFp8(op->getOperand(0)) && isFp8(op->getOperand(1)))
      teraflops = chip.fp8Teraflops;
  });
  return teraflops * 1e12;
}

Expected<NvidiaImage> moec::codegen::emitKernels(ModuleOp module, const NvidiaTarget &target,
                                                 std::optional<StringRef> assembler) {
  auto tiles = buildGpuTiles(module, target);
  if (!tiles)
    return tiles.takeError();
  auto ptx = emitPtx(*tiles, target);
  if (!ptx)
    return ptx.takeError();
  NvidiaImage image{std::move(*ptx), {}, {}};
  Assembled assembled;
  if (assembler) {
    auto result = assemble(*assembler, image.ptx, target.getChip().name);
    if (!result)
      return result.takeError();
    assembled = std::move(*result);
  }
  image.cubin = std::move(assembled.cubin);
  for (const GpuKernel &kernel : tiles->kernels) {
    std::string symbol = const_cast<GpuKernel &>(kernel).kernel.getSymName().str();
    NvidiaKernel &built = image.kernels.emplace_back();
    built = {symbol, kernel.launch, 0, getPeakFlops(target.getChip(), kernel.kernel),
             assembled.reports.lookup(symbol)};
    if (assembler)
      built.blocksPerCore = countBlocks(target.getChip(), built);
  }
  return image;
}

Expected<std::string> moec::codegen::emitNvidiaText(ModuleOp module, const NvidiaTarget &target,
                                                    NvidiaStage stage) {
  auto tiles = buildGpuTiles(module, target);
  if (!tiles)
    return tiles.takeError();
  if (stage == NvidiaStage::Ptx)
    return emitPtx(*tiles, target);
  if (stage == NvidiaStage::Tile) {
    std::string text;
    llvm::raw_string_ostream(text) << *tiles->module;
    return text;
  }
  return compile(*tiles, target,
                 [](llvm::Module &module, llvm::TargetMachine &) -> Expected<std::string> {
                   std::string text;
                   llvm::raw_string_ostream stream(text);
                   module.print(stream, nullptr);
                   return text;
                 });
}
