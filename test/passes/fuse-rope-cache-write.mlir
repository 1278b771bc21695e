// RUN: moec-opt %s --fuse-rope-cache-write | FileCheck %s
// RUN: moec-opt %s --fuse-rope-cache-write --check-numerics -o %t

!cache = !moe.cache<12xf32, page = 4>
#rope = #moe.rope<dim = 4, theta = 1.0e4, layout = interleaved>

module attributes {kern.target = "test"} {
  // The slices stay outside: views.
  // CHECK-LABEL: @fires
  // CHECK: %[[L:.+]] = moe.slice
  // CHECK: %[[K:.+]] = moe.slice
  // CHECK: %[[R:.+]] = kern.group hero <rows> {
  // CHECK: %[[N:.+]] = moe.rms_norm %[[L]]
  // CHECK: %[[P:.+]] = moe.rope %[[K]]
  // CHECK: %[[C:.+]] = moe.concat %[[N]], %[[P]]
  // CHECK: %[[A:.+]] = moe.cache_append %{{.+}}, %[[C]]
  // CHECK: kern.yield %[[A]] : !moe.cache
  // CHECK: return %[[R]]
  func.func @fires(%kv: tensor<?x12xf32>, %w: tensor<8xf32>, %cache: !cache {moe.input = "cache"}, %positions: tensor<?xi32> {moe.input = "positions"}, %sequences: tensor<?xi32> {moe.input = "sequence_ids"}, %table: tensor<?x?xi32> {moe.input = "block_table"}) -> !cache {
    %0 = moe.slice %kv {offset = 0 : i64} : (tensor<?x12xf32>) -> tensor<?x8xf32>
    %1 = moe.rms_norm %0, %w {epsilon = 1.0e-6 : f64} : (tensor<?x8xf32>, tensor<8xf32>) -> tensor<?x8xf32>
    %2 = moe.slice %kv {offset = 8 : i64} : (tensor<?x12xf32>) -> tensor<?x4xf32>
    %3 = moe.rope %2, %positions {heads = 1 : i64, rope = #rope} : (tensor<?x4xf32>, tensor<?xi32>) -> tensor<?x4xf32>
    %4 = moe.concat %1, %3 : (tensor<?x8xf32>, tensor<?x4xf32>) -> tensor<?x12xf32>
    %5 = moe.cache_append %cache, %4, %positions, %sequences, %table : (!cache, tensor<?x12xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> !cache
    return %5 : !cache
  }

  // The norm of the key's heads comes before its rope; the values pass through.
  // CHECK-LABEL: @key_heads
  // CHECK: kern.group hero <rows> {
  // CHECK: %[[N:.+]] = moe.rms_norm
  // CHECK: %[[P:.+]] = moe.rope %[[N]]
  // CHECK: %[[C:.+]] = moe.concat %[[P]], %
  // CHECK: %[[A:.+]] = moe.cache_append %{{.+}}, %[[C]]
  // CHECK: kern.yield %[[A]] : !moe.cache
  func.func @key_heads(%kv: tensor<?x12xf32>, %w: tensor<4xf32>, %cache: !cache {moe.input = "cache"}, %positions: tensor<?xi32> {moe.input = "positions"}, %sequences: tensor<?xi32> {moe.input = "sequence_ids"}, %table: tensor<?x?xi32> {moe.input = "block_table"}) -> !cache {
    %0 = moe.slice %kv {offset = 0 : i64} : (tensor<?x12xf32>) -> tensor<?x8xf32>
    %1 = moe.rms_norm %0, %w {epsilon = 1.0e-6 : f64, heads = 2 : i64} : (tensor<?x8xf32>, tensor<4xf32>) -> tensor<?x8xf32>
    %2 = moe.rope %1, %positions {heads = 2 : i64, rope = #rope} : (tensor<?x8xf32>, tensor<?xi32>) -> tensor<?x8xf32>
    %3 = moe.slice %kv {offset = 8 : i64} : (tensor<?x12xf32>) -> tensor<?x4xf32>
    %4 = moe.concat %2, %3 : (tensor<?x8xf32>, tensor<?x4xf32>) -> tensor<?x12xf32>
    %5 = moe.cache_append %cache, %4, %positions, %sequences, %table : (!cache, tensor<?x12xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> !cache
    return %5 : !cache
  }

  // CHECK-LABEL: @append_alone
  // CHECK-NOT: kern.group
  // CHECK: return
  func.func @append_alone(%x: tensor<?x12xf32>, %cache: !cache {moe.input = "cache"}, %positions: tensor<?xi32> {moe.input = "positions"}, %sequences: tensor<?xi32> {moe.input = "sequence_ids"}, %table: tensor<?x?xi32> {moe.input = "block_table"}) -> !cache {
    %0 = moe.cache_append %cache, %x, %positions, %sequences, %table : (!cache, tensor<?x12xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> !cache
    return %0 : !cache
  }
}
