// Families that write a whole kernel rather than a tile function: with their own loop over tiles,
// roles of warps and copies by descriptors. A target asks them before the families of tile
// functions.
#pragma once

#include "codegen/kernels/Emitter.h"

#include "mlir/IR/BuiltinOps.h"

namespace moec::codegen {

/// multiplier * bound(dim) + addend, bound(dim) being a program's bound.
struct Extent {
  kern::Dim dim;
  uint64_t multiplier = 0, addend = 0;
};

/// A descriptor that the launch makes of a buffer and passes by value (docs/contracts.md).
struct TensorMap {
  unsigned slot = 0;
  uint64_t offset = 0;           // bytes
  mlir::Type element;            // FP8: moved as bytes
  std::vector<Extent> sizes;     // innermost first
  std::vector<uint64_t> strides; // bytes, of sizes[1] on
  std::vector<uint32_t> box;
  unsigned swizzle = 0, l2Promotion = 0; // bytes
};

/// How a kernel is launched.
struct LaunchShape {
  unsigned threads = 0;
  uint64_t sharedBytes = 0;
  unsigned cluster = 1;     // blocks
  unsigned maxBlocks = 0;   // the kernel loops over tiles; 0: a block a tile
  bool earlyLaunch = false; // waits for the launch before it by itself
  bool coResident = false;  // blocks wait for each other: all maxBlocks must run at once
  std::vector<TensorMap> tensorMaps;
};

class WholeKernelEmitter : public KernelEmitter {
public:
  /// For remarks: what it computes, "FP8 products of Hopper".
  virtual llvm::StringRef getName() const = 0;

  /// Whether it is a family for kernels with `op`; only then is its refusal worth a remark.
  virtual bool concerns(mlir::Operation *op) const = 0;

  /// Why this family does not compute `kernel`, by its body and shapes, or nothing when it does;
  /// asked before it has a schedule.
  virtual std::optional<std::string> refuse(kern::KernelOp kernel) const = 0;

  /// Of a product that it is for: why its tiles do not normalise the product's rows themselves (at
  /// most `rows`), or nothing when they do.
  virtual std::optional<std::string> refuseNormPrologue(moe::RmsNormOp, moe::LinearOp,
                                                        uint64_t /*rows*/) const {
    return "its products take their rows as they are";
  }

  /// Whether it has a kernel for an op that need not stay in its form, once its values have the
  /// target's types; asked before there are kernels.
  virtual bool wants(mlir::Operation *) const { return false; }

  /// Arguments that a scheduled kernel reads before its wait for the launch before, when they are
  /// `settled`.
  virtual llvm::SmallVector<int64_t> getEarlyArguments(kern::KernelOp) const { return {}; }

  /// Whether each block of a scheduled kernel waits for the launch before ahead of letting the next
  /// one begin.
  virtual bool holdsBackNext(kern::KernelOp) const { return false; }

  /// Adds the entry point, an llvm.func named as the kernel, to `module`: one pointer a slot
  /// (getSlots), the pointer to the dims, then the tensor maps by value. What it calls and holds is
  /// lowered with the tile functions.
  virtual mlir::FailureOr<LaunchShape> emitKernel(kern::KernelOp kernel,
                                                  mlir::ModuleOp module) const = 0;

  mlir::LogicalResult emit(TileFunction &) const final { return mlir::failure(); }
};

} // namespace moec::codegen
