// RUN: moec-opt %s --fuse-attention-output --remarks-filter=fuse-attention-output --verify-diagnostics --split-input-file | FileCheck %s

!cache = !moe.cache<12xf32, page = 4>

module attributes {kern.target = "test:head_linear"} {
  // CHECK-LABEL: @target_refuses
  // CHECK-NOT: kern.group
  func.func @target_refuses(%l: tensor<?x16xf32> {moe.input = "hidden"}, %q: tensor<?x20xf32> {moe.input = "hidden"}, %up: tensor<20x8xf32>, %cache: !cache {moe.input = "cache"}, %positions: tensor<?xi32> {moe.input = "positions"}, %sequences: tensor<?xi32> {moe.input = "sequence_ids"}, %table: tensor<?x?xi32> {moe.input = "block_table"}) -> tensor<?x8xf32> {
    %c = moe.latent_attention %l, %q, %cache, %positions, %sequences, %table {heads = 2 : i64, rope_dim = 4 : i64, scale = 0.3 : f64} : (tensor<?x16xf32>, tensor<?x20xf32>, !cache, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x16xf32>
    // expected-remark @below {{the test target does not fuse moe.head_linear into attention kernels}}
    %y = moe.head_linear %c, %up {heads = 2 : i64, x_offset = 0 : i64, x_size = 8 : i64, w_offset = 6 : i64, w_size = 4 : i64, transposed = false} : (tensor<?x16xf32>, tensor<20x8xf32>) -> tensor<?x8xf32>
    return %y : tensor<?x8xf32>
  }
}

// -----

!cache = !moe.cache<12xf32, page = 4>

module attributes {kern.target = "test"} {
  // CHECK-LABEL: @context_read_too
  // CHECK-NOT: kern.group
  func.func @context_read_too(%l: tensor<?x16xf32> {moe.input = "hidden"}, %q: tensor<?x20xf32> {moe.input = "hidden"}, %up: tensor<20x8xf32>, %cache: !cache {moe.input = "cache"}, %positions: tensor<?xi32> {moe.input = "positions"}, %sequences: tensor<?xi32> {moe.input = "sequence_ids"}, %table: tensor<?x?xi32> {moe.input = "block_table"}) -> (tensor<?x8xf32>, tensor<?x16xf32>) {
    // expected-remark @below {{the context is used by another op too}}
    %c = moe.latent_attention %l, %q, %cache, %positions, %sequences, %table {heads = 2 : i64, rope_dim = 4 : i64, scale = 0.3 : f64} : (tensor<?x16xf32>, tensor<?x20xf32>, !cache, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x16xf32>
    %y = moe.head_linear %c, %up {heads = 2 : i64, x_offset = 0 : i64, x_size = 8 : i64, w_offset = 6 : i64, w_size = 4 : i64, transposed = false} : (tensor<?x16xf32>, tensor<20x8xf32>) -> tensor<?x8xf32>
    return %y, %c : tensor<?x8xf32>, tensor<?x16xf32>
  }

  // CHECK-LABEL: @too_many_tokens
  // CHECK-NOT: kern.group
  func.func @too_many_tokens(%l: tensor<?x16xf32> {moe.input = "hidden"}, %q: tensor<?x20xf32> {moe.input = "hidden"}, %up: tensor<140x8xf32>, %cache: !cache {moe.input = "cache"}, %positions: tensor<?xi32> {moe.input = "positions"}, %sequences: tensor<?xi32> {moe.input = "sequence_ids"}, %table: tensor<?x?xi32> {moe.input = "block_table"}) -> tensor<?x128xf32> attributes {kern.bounds = #kern.bounds<tokens = 64, sequences = 1, output_rows = 64, context_length = 64>} {
    // expected-remark @below {{2 heads of 64 tokens read 4096 bytes of weight for each token in 262.1 us, a product of its own in 4.1 us; a launch and the context's way through memory save 9.2 us}}
    %c = moe.latent_attention %l, %q, %cache, %positions, %sequences, %table {heads = 2 : i64, rope_dim = 4 : i64, scale = 0.3 : f64} : (tensor<?x16xf32>, tensor<?x20xf32>, !cache, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x16xf32>
    %y = moe.head_linear %c, %up {heads = 2 : i64, x_offset = 0 : i64, x_size = 8 : i64, w_offset = 6 : i64, w_size = 64 : i64, transposed = false} : (tensor<?x16xf32>, tensor<140x8xf32>) -> tensor<?x128xf32>
    return %y : tensor<?x128xf32>
  }

  // Two of the four workers would do all of it.
  // CHECK-LABEL: @too_few_heads
  // CHECK-NOT: kern.group
  func.func @too_few_heads(%l: tensor<?x16xf32> {moe.input = "hidden"}, %q: tensor<?x20xf32> {moe.input = "hidden"}, %up: tensor<140x8xf32>, %cache: !cache {moe.input = "cache"}, %positions: tensor<?xi32> {moe.input = "positions"}, %sequences: tensor<?xi32> {moe.input = "sequence_ids"}, %table: tensor<?x?xi32> {moe.input = "block_table"}) -> tensor<?x128xf32> {
    // expected-remark @below {{2 heads of 1 tokens read 4096 bytes of weight for each token in 8.2 us, a product of its own in 4.1 us; a launch and the context's way through memory save 1.1 us}}
    %c = moe.latent_attention %l, %q, %cache, %positions, %sequences, %table {heads = 2 : i64, rope_dim = 4 : i64, scale = 0.3 : f64} : (tensor<?x16xf32>, tensor<?x20xf32>, !cache, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x16xf32>
    %y = moe.head_linear %c, %up {heads = 2 : i64, x_offset = 0 : i64, x_size = 8 : i64, w_offset = 6 : i64, w_size = 64 : i64, transposed = false} : (tensor<?x16xf32>, tensor<140x8xf32>) -> tensor<?x128xf32>
    return %y : tensor<?x128xf32>
  }
}

// -----

// What the host's kernels say.
!cache = !moe.cache<12xf32, page = 4>
!quantized = !moe.qtensor<?x96xf8E4M3FN, block = [1, 128], scale = f32>

module attributes {kern.target = "cpu:x86-64-v3"} {
  // CHECK-LABEL: @ragged_quantization
  // CHECK: kern.group hero <attention> {
  // CHECK: kern.yield %{{.+}} : tensor<?x96xf32>
  // CHECK: moe.quantize
  func.func @ragged_quantization(%l: tensor<?x16xf32> {moe.input = "hidden"}, %q: tensor<?x20xf32> {moe.input = "hidden"}, %up: tensor<108x8xf32>, %cache: !cache {moe.input = "cache"}, %positions: tensor<?xi32> {moe.input = "positions"}, %sequences: tensor<?xi32> {moe.input = "sequence_ids"}, %table: tensor<?x?xi32> {moe.input = "block_table"}) -> !quantized {
    // expected-remark @below {{fused 2 ops}}
    %c = moe.latent_attention %l, %q, %cache, %positions, %sequences, %table {heads = 2 : i64, rope_dim = 4 : i64, scale = 0.3 : f64} : (tensor<?x16xf32>, tensor<?x20xf32>, !cache, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x16xf32>
    %y = moe.head_linear %c, %up {heads = 2 : i64, x_offset = 0 : i64, x_size = 8 : i64, w_offset = 6 : i64, w_size = 48 : i64, transposed = false} : (tensor<?x16xf32>, tensor<108x8xf32>) -> tensor<?x96xf32>
    // expected-remark @below {{a tile's 96 columns end inside a block of 128}}
    %z = moe.quantize %y : (tensor<?x96xf32>) -> !quantized
    return %z : !quantized
  }
}

// -----

!cache = !moe.cache<12xf32, page = 4>
!quantized = !moe.qtensor<?x128xf8E4M3FN, block = [1, 128], scale = f32>

module attributes {kern.target = "cpu:x86-64-v3"} {
  // CHECK-LABEL: @ragged_heads
  // CHECK-NOT: kern.group
  func.func @ragged_heads(%q: tensor<?x20xf32> {moe.input = "hidden"}, %up: tensor<140x8xf32>, %cache: !cache {moe.input = "cache"}, %positions: tensor<?xi32> {moe.input = "positions"}, %sequences: tensor<?xi32> {moe.input = "sequence_ids"}, %table: tensor<?x?xi32> {moe.input = "block_table"}) -> !quantized {
    %y = moe.mla_attention %q, %up, %cache, %positions, %sequences, %table {heads = 2 : i64, nope_dim = 6 : i64, rope_dim = 4 : i64, v_dim = 64 : i64, scale = 0.3 : f64} : (tensor<?x20xf32>, tensor<140x8xf32>, !cache, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x128xf32>
    // expected-remark @below {{a head's 64 columns do not end on blocks of 128}}
    %z = moe.quantize %y : (tensor<?x128xf32>) -> !quantized
    return %z : !quantized
  }
}

// -----

!cache = !moe.cache<136xf32, page = 4>
!quantized = !moe.qtensor<?x384xf8E4M3FN, block = [1, 128], scale = f32>

module attributes {kern.target = "cpu:x86-64-v3"} {
  // CHECK-LABEL: @ragged_groups
  // CHECK-NOT: kern.group
  func.func @ragged_groups(%q: tensor<?x24xf32> {moe.input = "hidden"}, %cache: !cache {moe.input = "cache"}, %positions: tensor<?xi32> {moe.input = "positions"}, %sequences: tensor<?xi32> {moe.input = "sequence_ids"}, %table: tensor<?x?xi32> {moe.input = "block_table"}) -> !quantized {
    %y = moe.attention %q, %cache, %positions, %sequences, %table {heads = 6 : i64, kv_heads = 2 : i64, key_dim = 4 : i64, value_dim = 64 : i64, scale = 0.3 : f64} : (tensor<?x24xf32>, !cache, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x384xf32>
    // expected-remark @below {{a head group's 192 columns do not end on blocks of 128}}
    %z = moe.quantize %y : (tensor<?x384xf32>) -> !quantized
    return %z : !quantized
  }
}
