// The one idea behind kernels: a kernel is a function of its buffers and a tile
// index. A TileFunction is that function while an emitter writes it, as a
// func.func of upstream dialects (func, memref, scf, arith, math, vector):
//
//   func @symbol.tile(buffers..., %dims: index x 5, %tile: index, %workspace: memref<?xi8>)
//
// A target wraps it: the host in a C function that a thread pool calls for each
// tile, a GPU in a kernel that maps blocks to tiles. There a tile's threads are its
// team, and the workspace is the block's own memory.
#pragma once

#include "codegen/kernels/Machine.h"
#include "codegen/kernels/Team.h"
#include "dialects/kern/KernDialect.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace moec::codegen {

/// The memory of one kernel argument or result.
///
///   tensor<?xNxT>          memref<?xNxT, strided<[row stride, 1]>>, row stride static
///   tensor<NxT>            memref<NxT>
///   tensor<ExNxKxT>        memref<ExNxKxT>
///   tensor<?x?xi32>        memref<?x?xi32, strided<[?, 1]>>: a block table, P columns
///   !moe.qtensor           codes as a tensor of them, and the scales as another (contiguous)
///   !moe.cache<WxT>        memref<?xWxT>; its row count is not known and must not be asked; of
///                          quantized rows memref<?x(bytes of a row)xi8> (QuantizedRows.h)
struct Buffer {
  mlir::Value data;   // memref: values, or codes of a quantized tensor
  mlir::Value scales; // memref, null unless quantized
  mlir::Value rows;   // index: size of axis 0; null for caches

  explicit operator bool() const { return static_cast<bool>(data); }
};

class TileFunction {
public:
  /// Starts `@<kernel>.tile` at the end of `module`. `b` stands in its body.
  TileFunction(kern::KernelOp kernel, mlir::ModuleOp module, const Machine &machine);

  kern::KernelOp kernel;
  const Machine &machine;
  mlir::ImplicitLocOpBuilder b;
  mlir::func::FuncOp function;

  /// The threads that compute the tile: as many as the schedule's `threads`, or one.
  const Team &getTeam() const { return team; }

  /// The tile index, `index`.
  mlir::Value getTile() const { return tile; }
  /// A run-time size, `index`.
  mlir::Value getDim(kern::Dim dim) const { return dims[static_cast<unsigned>(dim)]; }
  /// Pages per sequence (columns of the block table), `index`.
  mlir::Value getPages() const { return dims[kPages]; }

  /// The buffer of the kernel's block argument `value`, or a null buffer for other values.
  Buffer getArgument(mlir::Value value) const;
  /// The buffer of the kernel's result `index`. A cache that the kernel updates has the argument's.
  Buffer getResult(unsigned index) const { return results[index]; }
  /// The results that `value` is yielded as (usually none or one).
  llvm::SmallVector<unsigned> getResultsOf(mlir::Value value) const;

  /// memref<Nxi32>, zero when the kernel starts, and to be left so; null without counters.
  mlir::Value getCounters() const { return counters; }
  /// memref<Nxi8> that all tiles share, undefined when the kernel starts; null without scratch.
  mlir::Value getScratch() const { return scratch; }

  /// A size of the kernel's schedule.
  int64_t getScheduleSize(llvm::StringRef name, int64_t otherwise = 0) const;

  /// A contiguous buffer in the tile's workspace, 64-byte aligned, undefined on entry. Call it at
  /// the function's top level, before loops.
  mlir::Value allocate(llvm::ArrayRef<int64_t> shape, mlir::Type element);

  /// Ends the function. The bytes allocated are its attribute `kWorkspaceAttr`.
  void finish();

  static constexpr llvm::StringLiteral kWorkspaceAttr = "moec.workspace_bytes";
  static constexpr unsigned kPages = 4, kNumDims = 5;

  /// The parts of one kernel value in the order of the ABI's slots: one memref
  /// type, or two for a quantized tensor. `rowStride` is in elements, 0 when the value has no rows.
  static llvm::SmallVector<mlir::MemRefType, 2> getSlotTypes(mlir::Type type, int64_t rowStride);

private:
  Team makeTeam();
  mlir::MemRefType getWorkspaceType(llvm::ArrayRef<int64_t> shape, mlir::Type element);
  Buffer bindSlots(mlir::Type type, mlir::Attribute rows, unsigned &slot);

  llvm::SmallVector<Buffer> arguments, results;
  mlir::Value dims[kNumDims], tile, workspace, counters, scratch;
  int64_t workspaceBytes = 0;
  Team team;
};

/// The slots of `kernel` in the ABI's order, each with the index of the argument
/// (or, counted on from there, result, then the counters, then the scratch) that it belongs to.
struct Slot {
  mlir::MemRefType type;
  mlir::Attribute rows; // #kern.rows or unit
  unsigned value;
};
llvm::SmallVector<Slot> getSlots(kern::KernelOp kernel);

} // namespace moec::codegen
