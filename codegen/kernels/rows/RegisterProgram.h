// Row-wise ops on a row that stays in its team's registers (RegisterLayout.h): each op is straight
// code on a thread's own columns. All that is read from memory is read before the first op; what
// the kernel yields, or a cache gets, is stored where it is computed. Threads wait for each other
// only in sums over whole rows.
#pragma once

#include "codegen/kernels/rows/RegisterLayout.h"
#include "codegen/kernels/rows/RowRef.h"

#include "llvm/ADT/DenseMap.h"

namespace moec::codegen {

class RegisterProgram {
public:
  /// All ops of the kernel, for which getRegisterLayouts has `layout`. Allocates workspace: stands
  /// before loops.
  RegisterProgram(TileFunction &tile, const RegisterLayout &layout);

  /// Computes part `part` of row `row`, once in a tile.
  void emit(mlir::Value row, mlir::Value part);

private:
  /// A thread's columns in one step. Where `active` (i1; null: always) is false they are none: in
  /// registers there are zeros.
  struct Step {
    mlir::Value column, active;
  };
  /// f32 vectors, one a step.
  using Row = llvm::SmallVector<mlir::Value, 8>;

  llvm::ArrayRef<Step> getSteps(int64_t columns);
  /// What `body` makes of each step, `width` f32; zeros where a thread has no columns.
  Row forSteps(int64_t columns, int64_t width, llvm::function_ref<mlir::Value(const Step &)> body);
  /// `body(step, index)` by the threads that have columns.
  void forActive(int64_t columns, llvm::function_ref<void(const Step &, size_t index)> body);

  RowRef locate(mlir::Value value);
  mlir::Value loadScalar(mlir::Value vector);
  /// The row of an argument, or of an op before.
  const Row &get(mlir::Value value);
  Row load(const RowRef &ref, int64_t columns);
  /// Makes `row` the value of an op's result, as its type can hold it, and stores it.
  void set(mlir::Value value, Row row);
  mlir::Value round(mlir::Value values, mlir::Type element);
  /// Where a value is to be stored, `offset` columns further on.
  void addPlaces(mlir::Value value, int64_t offset, llvm::SmallVectorImpl<RowRef> &places);
  RowRef locateInCache(moe::CacheAppendOp op);
  void store(mlir::Value value, const Row &row);

  /// Reads what the op needs from memory.
  void prepare(mlir::Operation *op);
  void prepareRow(mlir::Value value);
  void prepareNorm(moe::RmsNormOp op);
  void prepareDequantize(moe::DequantizeOp op);
  void prepareCombine(moe::CombineOp op);
  void prepareRope(moe::RopeOp op);

  void compute(mlir::Operation *op);
  void storeArguments(mlir::ValueRange values);
  void computeNorm(moe::RmsNormOp op);
  void computeQuantize(moe::QuantizeOp op);
  void computeCombine(moe::CombineOp op);
  void computeRope(moe::RopeOp op);
  Row rotatePairs(moe::RopeOp op);
  Row rotateHalves(moe::RopeOp op);
  Row readPartners(const Row &row, int64_t columns);
  /// Of a column, which head's it is: counted from the first that is rotated, and whether it is.
  struct Rotated {
    mlir::Value column, is; // `is`: null when all are
  };
  Rotated findRotated(moe::RopeOp op, mlir::Value column);
  Row keepOthers(moe::RopeOp op, Row rotated);

  mlir::Value getNormFactor(mlir::Value squares, moe::RmsNormOp op);
  mlir::Value remainder(mlir::Value value, int64_t by);
  mlir::Value divide(mlir::Value value, int64_t by);

  TileFunction &tile;
  mlir::ImplicitLocOpBuilder &b;
  const Team &team;
  RegisterLayout layout;
  llvm::SmallVector<mlir::Operation *> ops;
  llvm::DenseMap<mlir::Operation *, mlir::Value> scratches; // of a sum over whole rows
  mlir::Value row, first; // first: column of the tile's part, null for whole rows
  llvm::DenseMap<int64_t, llvm::SmallVector<Step, 8>> steps; // by columns
  llvm::DenseMap<mlir::Value, Row> rows;
  llvm::DenseMap<mlir::Value, mlir::Value> scalars; // of this row, by vector
  llvm::DenseMap<mlir::Operation *, mlir::Value> cacheRows;
  /// What prepare has read for an op: a norm's weight; the cosines, sines, and, where they lie in
  /// memory, partners of a rotation; a combination's slots and weights.
  llvm::DenseMap<mlir::Operation *, llvm::SmallVector<Row, 3>> operands;
};

} // namespace moec::codegen
