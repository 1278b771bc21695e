// Tile functions, LLVM dialect, LLVM IR, O3, PTX, cubin.
#include "codegen/target/nvidia/EmitKernels.h"

#include "codegen/target/gpu/WrapKernel.h"
#include "codegen/target/nvidia/Lower.h"

#include "mlir/Target/LLVMIR/Dialect/NVVM/NVVMToLLVMIRTranslation.h"
#include "llvm/Support/TargetSelect.h"

using namespace mlir;
using namespace moec;
using namespace moec::codegen;
using llvm::createStringError;
using llvm::Expected;

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

/// Whether threads keep many sums.
static bool hasSums(kern::KernelOp kernel) {
  kern::Hero hero = kernel.getHero();
  return hero == kern::Hero::Matmul || hero == kern::Hero::GroupedMatmul ||
         hero == kern::Hero::HeadMatmul || hero == kern::Hero::Attention;
}

/// Entry points around the lowered tile functions.
static llvm::Error lowerTiles(GpuTiles &tiles, const NvidiaTarget &target) {
  if (failed(lowerToNvptx(*tiles.module, target.getChip())))
    return createStringError("the tile functions cannot be lowered to LLVM");
  auto blockIndex = [](auto &b) { return callIntrinsic(b, "llvm.nvvm.read.ptx.sreg.ctaid.x"); };
  KernelIntrinsics intrinsics{blockIndex, LLVM::CConv::PTX_Kernel,
                              emitGridControl<kLaunchDependents>, emitGridControl<kWait>};
  for (const GpuKernel &kernel : tiles.kernels) {
    if (kernel.isWhole)
      continue;
    LLVM::LLVMFuncOp function =
        wrapKernel(kernel, target.getGrid(kernel.kernel), *tiles.module, intrinsics);
    Builder b(function.getContext());
    SmallVector<Attribute> limits{
        b.getStrArrayAttr({"nvvm.maxntid", std::to_string(kernel.launch.threads)})};
    // Otherwise ptxas spills sums to make room for more blocks.
    if (hasSums(kernel.kernel))
      limits.push_back(b.getStrArrayAttr({"nvvm.minctasm", "1"}));
    function.setPassthroughAttr(b.getArrayAttr(limits));
  }
  return llvm::Error::success();
}

namespace {

class NvidiaCompiler : public GpuCompiler {
public:
  explicit NvidiaCompiler(const NvidiaTarget &target) : GpuCompiler(target), target(target) {}

private:
  llvm::Error lower(GpuTiles &tiles) const override {
    if (llvm::Error error = lowerTiles(tiles, target))
      return error;
    registerNVVMDialectTranslation(*tiles.module->getContext());
    return llvm::Error::success();
  }
  Expected<std::unique_ptr<llvm::TargetMachine>> createMachine() const override {
    LLVMInitializeNVPTXTargetInfo();
    LLVMInitializeNVPTXTarget();
    LLVMInitializeNVPTXTargetMC();
    LLVMInitializeNVPTXAsmPrinter();
    const Chip &chip = target.getChip();
    return createGpuMachine("nvptx64-nvidia-cuda", chip.name, chip.ptx, std::nullopt);
  }

  const NvidiaTarget &target;
};

} // namespace

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
  auto ptx = NvidiaCompiler(target).compile(*tiles, emitAssembly);
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
                                                    GpuStage stage) {
  return NvidiaCompiler(target).emitText(module, stage);
}
