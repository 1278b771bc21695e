// What a kernel family supplies: which ops it can fuse, which schedules it
// knows, how many tiles there are, and the tile function itself.
#pragma once

#include "codegen/kernels/TileFunction.h"
#include "dialects/kern/TargetModel.h"

#include <optional>
#include <string>

namespace moec::codegen {

using kern::Candidate;

class KernelEmitter {
public:
  virtual ~KernelEmitter();

  /// Why `op` cannot be fused into a group of this family, or nothing when it can.
  /// `before` is true when the op feeds the hero.
  virtual std::optional<std::string> refuseFusion(mlir::Operation *op, bool before) const = 0;

  /// Why `op` cannot be computed by the last tile of a row block, of `rows` rows in all at most, or
  /// nothing when it can.
  virtual std::optional<std::string> refuseRowEpilogue(mlir::Operation *op, uint64_t rows) const;

  /// The schedules to choose from: the cheapest wins, the first among equals. Never empty.
  virtual llvm::SmallVector<Candidate> getCandidates(kern::KernelOp kernel,
                                                     const Machine &machine) const = 0;

  /// The tile count of a scheduled kernel.
  virtual kern::GridAttr getGrid(kern::KernelOp kernel) const = 0;

  /// Writes the body of a scheduled kernel's tile function; a failure has been
  /// reported at the kernel or at an op of its body.
  virtual mlir::LogicalResult emit(TileFunction &tile) const = 0;
};

// One function a family, defined in its folder.
const KernelEmitter &getRowsEmitter();
const KernelEmitter &getRoutingEmitter();
const KernelEmitter &getPermutationEmitter();
const KernelEmitter &getMatmulEmitter();
const KernelEmitter &getGroupedMatmulEmitter();
const KernelEmitter &getHeadMatmulEmitter();
const KernelEmitter &getAttentionEmitter();

/// The family of rows, gates and permutations, the same for one thread and for teams of several;
/// null for other heroes.
const KernelEmitter *findRowEmitter(kern::Hero hero);

/// The family that computes kernels with this hero on the host, or null.
const KernelEmitter *findHostEmitter(kern::Hero hero);

/// A schedule attribute from named sizes.
kern::ScheduleAttr makeSchedule(mlir::MLIRContext *context,
                                llvm::ArrayRef<std::pair<llvm::StringRef, int64_t>> sizes);

} // namespace moec::codegen
