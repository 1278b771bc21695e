// A tile of a kernel whose hero is one product: the sums of a block of columns for some rows, then
// what the body does to them. moe.linear and moe.grouped_linear differ only in which rows and which
// matrix of the weight that is.
#pragma once

#include "codegen/kernels/matmul/DotTile.h"
#include "codegen/kernels/matmul/Epilogue.h"
#include "codegen/kernels/matmul/GatedEpilogue.h"
#include "codegen/kernels/matmul/MatrixSchedule.h"

namespace moec::codegen {

class ProductTile {
public:
  /// Why `op` cannot follow a product in its kernel, or nothing when it can.
  static std::optional<std::string> refuse(mlir::Operation *op);

  /// Schedules for a weight of `columns` output columns.
  static llvm::SmallVector<Candidate> getCandidates(kern::KernelOp kernel, const Machine &machine,
                                                    int64_t columns);
  /// How many blocks of columns there are.
  static int64_t countBlocks(kern::KernelOp kernel, int64_t weightColumns);

  /// The tile of product `hero`, x times `weight`. Allocates workspace: stands before loops.
  static mlir::FailureOr<ProductTile> get(TileFunction &tile, mlir::Operation *hero, mlir::Value x,
                                          mlir::Value weight);

  const DotSizes &getSizes() const { return sizes; }

  struct Range {
    mlir::Value block;                                            // which block of columns
    mlir::Value numTokens;                                        // 1 ... the schedule's
    llvm::function_ref<mlir::Value(mlir::Value token)> source;    // token -> row of x
    llvm::function_ref<mlir::Value(mlir::Value token)> resultRow; // token -> row of the results
    mlir::Value expert; // null unless the weight is a stack
  };
  void emit(const Range &range);

private:
  ProductTile(TileFunction &tile, DotTile dot, DotSizes sizes)
      : tile(&tile), dot(dot), sizes(sizes) {}
  void emitPlain(const Range &range);
  void emitGated(const Range &range);

  TileFunction *tile;
  DotTile dot;
  DotSizes sizes;
  int64_t columns = 0, tileColumns = 0; // of the results, and of a tile
  bool sharesScales = false;            // rows of a register tile
  std::optional<Epilogue> epilogue;
  std::optional<GatedEpilogue> gated;
};

} // namespace moec::codegen
