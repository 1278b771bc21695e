// RUN: moec-opt %s --fuse-query-absorb | FileCheck %s
// RUN: moec-opt %s --fuse-query-absorb --check-numerics -o %t

!cache = !moe.cache<12xf32, page = 4>

module attributes {kern.target = "test"} {
  // The rotated query stays a result: attention reads its rope part.
  // CHECK-LABEL: @fires
  // CHECK: %[[R:.+]]:2 = kern.group hero <head_matmul> {
  // CHECK: %[[Q:.+]] = moe.linear
  // CHECK: %[[P:.+]] = moe.rope %[[Q]]
  // CHECK: %[[L:.+]] = moe.head_linear %[[P]]
  // CHECK: kern.yield %[[P]], %[[L]]
  // CHECK: moe.latent_attention %[[R]]#1, %[[R]]#0
  func.func @fires(%x: tensor<?x24xf32> {moe.input = "hidden"}, %q_b: tensor<40x24xf32>, %angles: tensor<64x4xf32>, %up: tensor<40x8xf32>, %cache: !cache {moe.input = "cache"}, %positions: tensor<?xi32> {moe.input = "positions"}, %sequences: tensor<?xi32> {moe.input = "sequence_ids"}, %table: tensor<?x?xi32> {moe.input = "block_table"}) -> tensor<?x32xf32> {
    %0 = moe.linear %x, %q_b : (tensor<?x24xf32>, tensor<40x24xf32>) -> tensor<?x40xf32>
    %1 = moe.rope %0, %positions, %angles {heads = 4 : i64, rope = #moe.rope<dim = 4, theta = 1.0e4, layout = interleaved>} : (tensor<?x40xf32>, tensor<?xi32>, tensor<64x4xf32>) -> tensor<?x40xf32>
    %2 = moe.head_linear %1, %up {heads = 4 : i64, x_offset = 0 : i64, x_size = 6 : i64, w_offset = 0 : i64, w_size = 6 : i64, transposed = true} : (tensor<?x40xf32>, tensor<40x8xf32>) -> tensor<?x32xf32>
    %3 = moe.latent_attention %2, %1, %cache, %positions, %sequences, %table {heads = 4 : i64, rope_dim = 4 : i64, scale = 0.3 : f64} : (tensor<?x32xf32>, tensor<?x40xf32>, !cache, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x32xf32>
    return %3 : tensor<?x32xf32>
  }

  // The product of a head's output is another one.
  // CHECK-LABEL: @not_transposed
  // CHECK-NOT: kern.group
  // CHECK: return
  func.func @not_transposed(%x: tensor<?x16xf32> {moe.input = "hidden"}, %w: tensor<16x16xf32>, %up: tensor<20x8xf32>) -> tensor<?x8xf32> {
    %0 = moe.linear %x, %w : (tensor<?x16xf32>, tensor<16x16xf32>) -> tensor<?x16xf32>
    %1 = moe.head_linear %0, %up {heads = 2 : i64, x_offset = 0 : i64, x_size = 8 : i64, w_offset = 6 : i64, w_size = 4 : i64, transposed = false} : (tensor<?x16xf32>, tensor<20x8xf32>) -> tensor<?x8xf32>
    return %1 : tensor<?x8xf32>
  }
}
