// RUN: moec-opt %s --absorb-latent | FileCheck %s
// RUN: moec-opt %s --absorb-latent --check-numerics -o %t

moe.weight @up : tensor<20x8xf32> = #moe.checkpoint<"up">

// CHECK-LABEL: @attention
// CHECK-SAME: (%[[Q:.+]]: tensor<?x20xf32>,
func.func @attention(%q: tensor<?x20xf32>, %cache: !moe.cache<12xf32, page = 4>, %positions: tensor<?xi32> {moe.input = "positions"}, %sequences: tensor<?xi32> {moe.input = "sequence_ids"}, %table: tensor<?x?xi32> {moe.input = "block_table"}) -> tensor<?x8xf32> {
  // CHECK: %[[UP:.+]] = moe.param @up
  %up = moe.param @up : tensor<20x8xf32>
  // CHECK: %[[L:.+]] = moe.head_linear %[[Q]], %[[UP]] {heads = 2 : i64, transposed = true, w_offset = 0 : i64, w_size = 6 : i64, x_offset = 0 : i64, x_size = 6 : i64} : {{.*}} -> tensor<?x16xf32>
  // CHECK: %[[C:.+]] = moe.latent_attention %[[L]], %[[Q]], {{.*}} {heads = 2 : i64, rope_dim = 4 : i64, scale = 3.000000e-01 : f64}
  // CHECK: %[[Y:.+]] = moe.head_linear %[[C]], %[[UP]] {heads = 2 : i64, transposed = false, w_offset = 6 : i64, w_size = 4 : i64, x_offset = 0 : i64, x_size = 8 : i64} : {{.*}} -> tensor<?x8xf32>
  // CHECK: return %[[Y]]
  %y = moe.mla_attention %q, %up, %cache, %positions, %sequences, %table {heads = 2 : i64, nope_dim = 6 : i64, rope_dim = 4 : i64, v_dim = 4 : i64, scale = 0.3 : f64} : (tensor<?x20xf32>, tensor<20x8xf32>, !moe.cache<12xf32, page = 4>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}
