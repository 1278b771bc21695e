// Threads, barriers and shuffles of the gpu dialect as a vendor's intrinsics.
#pragma once

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/PatternMatch.h"

namespace moec::codegen {

struct ThreadIntrinsics {
  using Builder = mlir::ImplicitLocOpBuilder;

  mlir::Value (*readThread)(Builder &b,
                            mlir::gpu::Dimension dimension); // its place in the block, i32
  void (*emitBarrier)(Builder &b);                           // of the block
  void (*emitSubgroupBarrier)(Builder &b);
  /// What the thread has whose place in the subgroup is `place`, or differs by `by`: f32 or i32.
  mlir::Value (*fetch)(Builder &b, mlir::Value value, mlir::Value place);
  mlir::Value (*exchange)(Builder &b, mlir::Value value, mlir::Value by);
  /// The largest or smallest unsigned i32 of the subgroup, for all of its threads.
  mlir::Value (*reduce)(Builder &b, mlir::Value value, bool isMaximum);
};

/// gpu.thread_id, barrier, shuffle (xor and idx of f32 and i32) and subgroup_reduce (maxui and
/// minui of i32), and calls of moec.subgroup_barrier: what emitters use. Whole subgroups shuffle.
void populateThreadPatterns(mlir::RewritePatternSet &patterns, const ThreadIntrinsics &intrinsics);

} // namespace moec::codegen
