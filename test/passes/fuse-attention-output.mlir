// RUN: moec-opt %s --fuse-attention-output | FileCheck %s
// RUN: moec-opt %s --fuse-attention-output --check-numerics -o %t

!cache = !moe.cache<12xf32, page = 4>
!quantized = !moe.qtensor<?x128xf8E4M3FN, block = [1, 128], scale = f32>

module attributes {kern.target = "test"} {
  // CHECK-LABEL: @fires
  // CHECK: kern.group hero <attention> {
  // CHECK: %[[C:.+]] = moe.latent_attention
  // CHECK: %[[Y:.+]] = moe.head_linear %[[C]]
  // CHECK: %[[Z:.+]] = moe.quantize %[[Y]]
  // CHECK: kern.yield %[[Z]] : !moe.qtensor
  func.func @fires(%l: tensor<?x32xf32> {moe.input = "hidden"}, %q: tensor<?x40xf32> {moe.input = "hidden"}, %up: tensor<152x8xf32>, %cache: !cache {moe.input = "cache"}, %positions: tensor<?xi32> {moe.input = "positions"}, %sequences: tensor<?xi32> {moe.input = "sequence_ids"}, %table: tensor<?x?xi32> {moe.input = "block_table"}) -> !quantized {
    %c = moe.latent_attention %l, %q, %cache, %positions, %sequences, %table {heads = 4 : i64, rope_dim = 4 : i64, scale = 0.3 : f64} : (tensor<?x32xf32>, tensor<?x40xf32>, !cache, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x32xf32>
    %y = moe.head_linear %c, %up {heads = 4 : i64, x_offset = 0 : i64, x_size = 8 : i64, w_offset = 6 : i64, w_size = 32 : i64, transposed = false} : (tensor<?x32xf32>, tensor<152x8xf32>) -> tensor<?x128xf32>
    %z = moe.quantize %y : (tensor<?x128xf32>) -> !quantized
    return %z : !quantized
  }

  // Keys and values are expanded: there is no product behind, but a quantization.
  // CHECK-LABEL: @expanded
  // CHECK: kern.group hero <attention> {
  // CHECK: %[[Y:.+]] = moe.mla_attention
  // CHECK: %[[Z:.+]] = moe.quantize %[[Y]]
  // CHECK: kern.yield %[[Z]] : !moe.qtensor
  func.func @expanded(%q: tensor<?x20xf32> {moe.input = "hidden"}, %up: tensor<140x8xf32>, %cache: !cache {moe.input = "cache"}, %positions: tensor<?xi32> {moe.input = "positions"}, %sequences: tensor<?xi32> {moe.input = "sequence_ids"}, %table: tensor<?x?xi32> {moe.input = "block_table"}) -> !quantized {
    %y = moe.mla_attention %q, %up, %cache, %positions, %sequences, %table {heads = 2 : i64, nope_dim = 6 : i64, rope_dim = 4 : i64, v_dim = 64 : i64, scale = 0.3 : f64} : (tensor<?x20xf32>, tensor<140x8xf32>, !cache, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x128xf32>
    %z = moe.quantize %y : (tensor<?x128xf32>) -> !quantized
    return %z : !quantized
  }

  // Heads that share cached keys and values.
  // CHECK-LABEL: @shared_keys
  // CHECK: kern.group hero <attention> {
  // CHECK: %[[Y:.+]] = moe.attention
  // CHECK: %[[Z:.+]] = moe.quantize %[[Y]]
  // CHECK: kern.yield %[[Z]] : !moe.qtensor
  func.func @shared_keys(%q: tensor<?x16xf32> {moe.input = "hidden"}, %cache: !moe.cache<68xf32, page = 4> {moe.input = "cache"}, %positions: tensor<?xi32> {moe.input = "positions"}, %sequences: tensor<?xi32> {moe.input = "sequence_ids"}, %table: tensor<?x?xi32> {moe.input = "block_table"}) -> !moe.qtensor<?x256xf8E4M3FN, block = [1, 128], scale = f32> {
    %y = moe.attention %q, %cache, %positions, %sequences, %table {heads = 4 : i64, kv_heads = 1 : i64, key_dim = 4 : i64, value_dim = 64 : i64, scale = 0.3 : f64} : (tensor<?x16xf32>, !moe.cache<68xf32, page = 4>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x256xf32>
    %z = moe.quantize %y : (tensor<?x256xf32>) -> !moe.qtensor<?x256xf8E4M3FN, block = [1, 128], scale = f32>
    return %z : !moe.qtensor<?x256xf8E4M3FN, block = [1, 128], scale = f32>
  }

  // Nothing follows.
  // CHECK-LABEL: @alone
  // CHECK-NOT: kern.group
  // CHECK: return
  func.func @alone(%l: tensor<?x16xf32> {moe.input = "hidden"}, %q: tensor<?x20xf32> {moe.input = "hidden"}, %cache: !cache {moe.input = "cache"}, %positions: tensor<?xi32> {moe.input = "positions"}, %sequences: tensor<?xi32> {moe.input = "sequence_ids"}, %table: tensor<?x?xi32> {moe.input = "block_table"}) -> tensor<?x16xf32> {
    %c = moe.latent_attention %l, %q, %cache, %positions, %sequences, %table {heads = 2 : i64, rope_dim = 4 : i64, scale = 0.3 : f64} : (tensor<?x16xf32>, tensor<?x20xf32>, !cache, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x16xf32>
    return %c : tensor<?x16xf32>
  }
}
