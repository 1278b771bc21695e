// Answers the passes' questions from the kernel families, and builds tile functions.
#include "codegen/target/gpu/GpuTarget.h"

#include "codegen/kernels/TeamEmitters.h"
#include "codegen/target/gpu/AlignAccesses.h"

#include "dialects/plan/PlanDialect.h"
#include "passes/Remarks.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Diagnostics.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace moec;
using namespace moec::codegen;

Type GpuTarget::getActivationType(MLIRContext *context) const { return BFloat16Type::get(context); }

int64_t GpuTarget::getPrefillChunk() const { return 4096; }

const KernelEmitter *GpuTarget::findEmitter(kern::KernelOp kernel) const {
  for (const WholeKernelEmitter *emitter : getWholeKernelEmitters())
    if (!emitter->refuse(kernel))
      return emitter;
  return findTeamEmitter(kernel.getHero());
}

static std::string refuseHero(kern::Hero hero) {
  return "there are no kernels with hero " + kern::stringifyHero(hero).str() + " for GPUs yet";
}

std::optional<std::string> GpuTarget::refuseFusion(kern::Hero hero, Operation *op,
                                                   bool before) const {
  // One block would read the whole weight of a router.
  if (hero == kern::Hero::Routing && isa<moe::LinearOp>(op))
    return "a product is a kernel of its own, so that all multiprocessors read its weight";
  // Teams compute it by its absorbed form, and read the weight anew for each token and head.
  auto wantsIt = [&](const WholeKernelEmitter *emitter) { return emitter->wants(op); };
  if (isa<moe::MlaAttentionOp>(op) && llvm::none_of(getWholeKernelEmitters(), wantsIt))
    return "no kernel of this GPU expands cached latents into keys and values";
  if (const KernelEmitter *emitter = findTeamEmitter(hero))
    return emitter->refuseFusion(op, before);
  return refuseHero(hero);
}

std::optional<std::string> GpuTarget::refuseNormPrologue(moe::RmsNormOp norm, moe::LinearOp linear,
                                                         uint64_t rows) const {
  for (const WholeKernelEmitter *family : getWholeKernelEmitters())
    if (family->concerns(linear))
      return family->refuseNormPrologue(norm, linear, rows);
  return TargetModel::refuseNormPrologue(norm, linear, rows);
}

/// Nothing when one of the families computes it.
static void reportRefusals(ArrayRef<const WholeKernelEmitter *> families, kern::KernelOp kernel) {
  constexpr StringRef kPass = "assign-schedules"; // which asks
  SmallVector<std::string> reasons;
  for (const WholeKernelEmitter *family : families) {
    auto refusal = family->refuse(kernel);
    if (!refusal)
      return;
    auto concerns = [&](Operation &op) { return family->concerns(&op); };
    if (llvm::any_of(kernel.getBody().front(), concerns))
      reasons.push_back((family->getName() + " leave it to the plain kernels: " + *refusal).str());
  }
  for (const std::string &reason : reasons)
    passes::reportRefusal(kernel, kPass, reason);
}

SmallVector<Candidate> GpuTarget::getCandidates(kern::KernelOp kernel) const {
  reportRefusals(getWholeKernelEmitters(), kernel);
  return listCandidates(kernel);
}

SmallVector<Candidate> GpuTarget::listCandidates(kern::KernelOp kernel) const {
  if (const KernelEmitter *emitter = findEmitter(kernel))
    return emitter->getCandidates(kernel, machine);
  return {{makeSchedule(kernel.getContext(), {}), 0}};
}

std::optional<std::string> GpuTarget::checkSchedule(kern::KernelOp kernel) const {
  if (!findEmitter(kernel))
    return refuseHero(kernel.getHero());
  SmallVector<kern::ScheduleAttr> known;
  for (const Candidate &candidate : listCandidates(kernel))
    known.push_back(candidate.schedule);
  return kern::refuseUnknownSchedule(*kernel.getSchedule(), known);
}

kern::GridAttr GpuTarget::getGrid(kern::KernelOp kernel) const {
  if (const KernelEmitter *emitter = findEmitter(kernel))
    return emitter->getGrid(kernel);
  return kern::GridAttr::get(kernel.getContext(), kern::Dim::One, 1, 1, 0, 1);
}

const WholeKernelEmitter *GpuTarget::findWholeEmitter(kern::KernelOp kernel) const {
  return dynamic_cast<const WholeKernelEmitter *>(findEmitter(kernel));
}

SmallVector<int64_t> GpuTarget::getEarlyArguments(kern::KernelOp kernel) const {
  const WholeKernelEmitter *whole = findWholeEmitter(kernel);
  return whole ? whole->getEarlyArguments(kernel) : SmallVector<int64_t>();
}

bool GpuTarget::holdsBackNext(kern::KernelOp kernel) const {
  const WholeKernelEmitter *whole = findWholeEmitter(kernel);
  return whole && whole->holdsBackNext(kernel);
}

//===----------------------------------------------------------------------===//
// Tile functions
//===----------------------------------------------------------------------===//

/// How the buffers of each kernel's launches are aligned, in bytes, at least.
using Alignments = llvm::StringMap<SmallVector<uint64_t>>;

static Alignments readAlignments(ModuleOp module) {
  Alignments alignments;
  module.walk([&](plan::LaunchOp launch) {
    SmallVector<uint64_t> &known = alignments[launch.getKernel()];
    known.resize(launch.getBuffers().size(), kBufferAlignment);
    for (auto [alignment, buffer] : llvm::zip_equal(known, launch.getBuffers()))
      if (auto place = buffer.getDefiningOp<plan::ArenaOp>())
        if (uint64_t offset = place.getOffset())
          alignment = std::min(alignment, offset & -offset);
  });
  return alignments;
}

/// Emits one kernel; returns why it cannot be, with what the emitter has reported.
static std::optional<std::string> buildTile(const GpuTarget &target, ModuleOp into,
                                            ArrayRef<uint64_t> alignments, GpuKernel &built) {
  kern::KernelOp kernel = built.kernel;
  const KernelEmitter *emitter = target.findEmitter(kernel);
  if (!emitter)
    return refuseHero(kernel.getHero());
  std::string reason = "its emitter refuses it";
  ScopedDiagnosticHandler collect(kernel.getContext(), [&](Diagnostic &diagnostic) {
    reason = diagnostic.str();
    return success();
  });
  built.workspaceSpace = target.getMachine().workspaceSpace;
  if (auto *whole = dynamic_cast<const WholeKernelEmitter *>(emitter)) {
    auto launch = whole->emitKernel(kernel, into);
    if (failed(launch))
      return reason;
    built.isWhole = true;
    built.launch = *launch;
    return std::nullopt;
  }
  if (auto schedule = kernel.getSchedule(); schedule && !schedule->get("threads", 0))
    return "its schedule has no threads: it is another target's, drop it or compile for that";
  TileFunction tile(kernel, into, target.getMachine());
  LogicalResult emitted = emitter->emit(tile);
  tile.finish();
  built.launch.threads = tile.getTeam().threads;
  built.launch.earlyLaunch = target.canLaunchEarly();
  built.launch.sharedBytes =
      tile.function->getAttrOfType<IntegerAttr>(TileFunction::kWorkspaceAttr).getInt();
  if (failed(emitted))
    return reason;
  uint64_t most = target.getMachine().workspaceBytes;
  if (most && built.launch.sharedBytes > most)
    return llvm::formatv("a tile needs {0} bytes of shared memory, a block has {1}",
                         built.launch.sharedBytes, most)
        .str();
  alignAccesses(tile.function, alignments);
  return std::nullopt;
}

/// Where in the model the first launch of `kernel` comes from.
static std::string findLabel(ModuleOp module, kern::KernelOp kernel) {
  std::string label;
  module.walk([&](Operation *op) {
    auto symbol = op->getAttrOfType<FlatSymbolRefAttr>("kernel");
    auto text = op->getAttrOfType<StringAttr>("label");
    if (!symbol || !text || symbol.getAttr() != kernel.getSymNameAttr())
      return WalkResult::advance();
    label = text.str();
    return WalkResult::interrupt();
  });
  return label;
}

llvm::Expected<GpuTiles> moec::codegen::buildGpuTiles(ModuleOp module, const GpuTarget &target) {
  module.getContext()
      ->loadDialect<arith::ArithDialect, func::FuncDialect, gpu::GPUDialect, math::MathDialect,
                    memref::MemRefDialect, scf::SCFDialect, vector::VectorDialect,
                    LLVM::LLVMDialect>(); // matrix instructions
  GpuTiles tiles{ModuleOp::create(UnknownLoc::get(module.getContext())), {}};
  Alignments alignments = readAlignments(module);
  std::string refusals;
  unsigned refused = 0;
  for (auto kernel : module.getOps<kern::KernelOp>()) {
    GpuKernel built;
    built.kernel = kernel;
    if (auto reason = buildTile(target, *tiles.module, alignments[kernel.getSymName()], built)) {
      ++refused;
      refusals +=
          llvm::formatv("\n  '{0}' ({1}, {2}): {3}", kernel.getSymName(),
                        kern::stringifyHero(kernel.getHero()), findLabel(module, kernel), *reason);
    }
    tiles.kernels.push_back(built);
  }
  if (refused)
    return llvm::createStringError(llvm::formatv("{0} of {1} kernels cannot be emitted for {2}:{3}",
                                                 refused, tiles.kernels.size(), target.getName(),
                                                 refusals)
                                       .str());
  return tiles;
}
