// What the matrix kernels of the host share beside the inner loops: what they
// fuse, schedules, blocks of columns and the run-time size that their rows count.
#pragma once

#include "codegen/kernels/Emitter.h"

namespace moec::codegen {

/// What the emitters of matrix kernels answer alike.
class MatrixEmitter : public KernelEmitter {
public:
  std::optional<std::string> refuseFusion(mlir::Operation *op, bool before) const override;
};

/// The schedules of a kernel whose tiles are DotTiles over a weight of `columns` output columns.
llvm::SmallVector<Candidate> getDotCandidates(kern::KernelOp kernel, const Machine &machine,
                                              int64_t columns);

/// The schedules of a kernel whose tiles are gated: DotTiles over two ranges of `columns` columns
/// each. A tile's columns are a multiple of `multiple`, or all.
llvm::SmallVector<Candidate> getGatedCandidates(kern::KernelOp kernel, const Machine &machine,
                                                int64_t columns, int64_t multiple);

/// Tokens of a register tile, beside four weight rows, whose sums fit the machine's registers.
int64_t getTokenGroup(const Machine &machine);

/// What the columns of a panel must be a multiple of, so that it ends on scale blocks and chunks.
int64_t getBlockMultiple(kern::KernelOp kernel);

/// Columns of a panel of `panelRows` unpacked weight rows, read in register tiles of `rows` weight
/// rows and `group` tokens: the tiles stay in the first cache, the panel in half of the second.
int64_t getPanelDepth(kern::KernelOp kernel, const Machine &machine, int64_t panelRows,
                      int64_t rows, int64_t group);

/// The kernel's op of this kind; there is one.
template <typename Op> Op findHero(kern::KernelOp kernel) {
  return *kernel.getBody().front().getOps<Op>().begin();
}

/// The run-time size, and its multiple, that counts the rows of the yielded values.
std::pair<kern::Dim, int64_t> getRows(kern::KernelOp kernel);

/// The largest number of those rows that a program of the module launches `kernel` for; `otherwise`
/// when none says. Programs are known until they are planned.
int64_t getMostRows(kern::KernelOp kernel, int64_t otherwise);

/// A block of at most `size` columns of `columns`, beginning at `begin`, a multiple of `size`.
struct ColumnBlock {
  mlir::Value count;     // columns in the block
  mlir::Value isLast;    // whether it is the short one; null when none is
  int64_t lastCount = 0; // columns of the short one

  /// Calls `body(columns)` for either static width, `size` or that of the short block, in a branch
  /// each.
  void forWidth(mlir::ImplicitLocOpBuilder &b, int64_t size,
                llvm::function_ref<void(int64_t columns)> body) const;
};
ColumnBlock getColumnBlock(mlir::ImplicitLocOpBuilder &b, mlir::Value begin, int64_t columns,
                           int64_t size);

} // namespace moec::codegen
