// RUN: moec-opt %s --fuse-query-absorb --remarks-filter=fuse-query-absorb --verify-diagnostics --split-input-file | FileCheck %s

#rope = #moe.rope<dim = 4, theta = 1.0e4, layout = interleaved>

module attributes {kern.target = "test"} {
  // CHECK-LABEL: @merged
  // CHECK-NOT: kern.group
  func.func @merged(%x: tensor<?x24xf32> {moe.input = "hidden"}, %w: tensor<32x24xf32>, %positions: tensor<?xi32> {moe.input = "positions"}, %angles: tensor<64x4xf32>, %up: tensor<20x8xf32>) -> (tensor<?x16xf32>, tensor<?x12xf32>) {
    %0 = moe.linear %x, %w : (tensor<?x24xf32>, tensor<32x24xf32>) -> tensor<?x32xf32>
    %q = moe.slice %0 {offset = 0 : i64} : (tensor<?x32xf32>) -> tensor<?x20xf32>
    %kv = moe.slice %0 {offset = 20 : i64} : (tensor<?x32xf32>) -> tensor<?x12xf32>
    %1 = moe.rope %q, %positions, %angles {heads = 2 : i64, rope = #rope} : (tensor<?x20xf32>, tensor<?xi32>, tensor<64x4xf32>) -> tensor<?x20xf32>
    // expected-remark @below {{the query is a part of a merged linear's result}}
    %2 = moe.head_linear %1, %up {heads = 2 : i64, x_offset = 0 : i64, x_size = 6 : i64, w_offset = 0 : i64, w_size = 6 : i64, transposed = true} : (tensor<?x20xf32>, tensor<20x8xf32>) -> tensor<?x16xf32>
    return %2, %kv : tensor<?x16xf32>, tensor<?x12xf32>
  }

  // CHECK-LABEL: @no_linear
  // CHECK-NOT: kern.group
  func.func @no_linear(%q: tensor<?x20xf32> {moe.input = "hidden"}, %positions: tensor<?xi32> {moe.input = "positions"}, %angles: tensor<64x4xf32>, %up: tensor<20x8xf32>) -> tensor<?x16xf32> {
    %1 = moe.rope %q, %positions, %angles {heads = 2 : i64, rope = #rope} : (tensor<?x20xf32>, tensor<?xi32>, tensor<64x4xf32>) -> tensor<?x20xf32>
    // expected-remark @below {{the query is not made by a linear}}
    %2 = moe.head_linear %1, %up {heads = 2 : i64, x_offset = 0 : i64, x_size = 6 : i64, w_offset = 0 : i64, w_size = 6 : i64, transposed = true} : (tensor<?x20xf32>, tensor<20x8xf32>) -> tensor<?x16xf32>
    return %2 : tensor<?x16xf32>
  }

  // CHECK-LABEL: @read_before_its_rope
  // CHECK-NOT: kern.group
  func.func @read_before_its_rope(%x: tensor<?x24xf32> {moe.input = "hidden"}, %q_b: tensor<20x24xf32>, %positions: tensor<?xi32> {moe.input = "positions"}, %angles: tensor<64x4xf32>, %up: tensor<20x8xf32>) -> (tensor<?x16xf32>, tensor<?x20xf32>) {
    %0 = moe.linear %x, %q_b : (tensor<?x24xf32>, tensor<20x24xf32>) -> tensor<?x20xf32>
    %1 = moe.rope %0, %positions, %angles {heads = 2 : i64, rope = #rope} : (tensor<?x20xf32>, tensor<?xi32>, tensor<64x4xf32>) -> tensor<?x20xf32>
    // expected-remark @below {{the query before its rope is used by another op too}}
    %2 = moe.head_linear %1, %up {heads = 2 : i64, x_offset = 0 : i64, x_size = 6 : i64, w_offset = 0 : i64, w_size = 6 : i64, transposed = true} : (tensor<?x20xf32>, tensor<20x8xf32>) -> tensor<?x16xf32>
    return %2, %0 : tensor<?x16xf32>, tensor<?x20xf32>
  }

  // Two tiles leave two of the four workers idle.
  // CHECK-LABEL: @too_few_heads
  // CHECK-NOT: kern.group
  func.func @too_few_heads(%x: tensor<?x96xf32> {moe.input = "hidden"}, %q_b: tensor<20x96xf32>, %positions: tensor<?xi32> {moe.input = "positions"}, %angles: tensor<64x4xf32>, %up: tensor<20x8xf32>) -> tensor<?x16xf32> {
    %0 = moe.linear %x, %q_b : (tensor<?x96xf32>, tensor<20x96xf32>) -> tensor<?x20xf32>
    %1 = moe.rope %0, %positions, %angles {heads = 2 : i64, rope = #rope} : (tensor<?x20xf32>, tensor<?xi32>, tensor<64x4xf32>) -> tensor<?x20xf32>
    // expected-remark @below {{2 tiles for 4 workers take}}
    %2 = moe.head_linear %1, %up {heads = 2 : i64, x_offset = 0 : i64, x_size = 6 : i64, w_offset = 0 : i64, w_size = 6 : i64, transposed = true} : (tensor<?x20xf32>, tensor<20x8xf32>) -> tensor<?x16xf32>
    return %2 : tensor<?x16xf32>
  }
}

// -----

#rope = #moe.rope<dim = 4, theta = 1.0e4, layout = interleaved>

module attributes {kern.target = "test:linear"} {
  // CHECK-LABEL: @target_refuses
  // CHECK-NOT: kern.group
  func.func @target_refuses(%x: tensor<?x8xf32> {moe.input = "hidden"}, %q_b: tensor<20x8xf32>, %positions: tensor<?xi32> {moe.input = "positions"}, %angles: tensor<64x4xf32>, %up: tensor<20x8xf32>) -> tensor<?x16xf32> {
    // expected-remark @below {{the test target does not fuse moe.linear into head_matmul kernels}}
    %0 = moe.linear %x, %q_b : (tensor<?x8xf32>, tensor<20x8xf32>) -> tensor<?x20xf32>
    %1 = moe.rope %0, %positions, %angles {heads = 2 : i64, rope = #rope} : (tensor<?x20xf32>, tensor<?xi32>, tensor<64x4xf32>) -> tensor<?x20xf32>
    %2 = moe.head_linear %1, %up {heads = 2 : i64, x_offset = 0 : i64, x_size = 6 : i64, w_offset = 0 : i64, w_size = 6 : i64, transposed = true} : (tensor<?x20xf32>, tensor<20x8xf32>) -> tensor<?x16xf32>
    return %2 : tensor<?x16xf32>
  }
}

// -----

// What the host's kernels say.
#rope = #moe.rope<dim = 4, theta = 1.0e4, layout = interleaved>

module attributes {kern.target = "cpu:x86-64-v3"} {
  // CHECK-LABEL: @no_table
  // CHECK-NOT: kern.group
  func.func @no_table(%x: tensor<?x24xf32> {moe.input = "hidden"}, %q_b: tensor<20x24xf32>, %positions: tensor<?xi32> {moe.input = "positions"}, %up: tensor<20x8xf32>) -> tensor<?x16xf32> {
    %0 = moe.linear %x, %q_b : (tensor<?x24xf32>, tensor<20x24xf32>) -> tensor<?x20xf32>
    // expected-remark @below {{a rope needs its table; run attach-rope-tables first}}
    %1 = moe.rope %0, %positions {heads = 2 : i64, rope = #rope} : (tensor<?x20xf32>, tensor<?xi32>) -> tensor<?x20xf32>
    %2 = moe.head_linear %1, %up {heads = 2 : i64, x_offset = 0 : i64, x_size = 6 : i64, w_offset = 0 : i64, w_size = 6 : i64, transposed = true} : (tensor<?x20xf32>, tensor<20x8xf32>) -> tensor<?x16xf32>
    return %2 : tensor<?x16xf32>
  }

  // CHECK-LABEL: @other_heads
  // CHECK-NOT: kern.group
  func.func @other_heads(%x: tensor<?x24xf32> {moe.input = "hidden"}, %q_b: tensor<20x24xf32>, %positions: tensor<?xi32> {moe.input = "positions"}, %angles: tensor<64x4xf32>, %up: tensor<20x8xf32>) -> tensor<?x16xf32> {
    %0 = moe.linear %x, %q_b : (tensor<?x24xf32>, tensor<20x24xf32>) -> tensor<?x20xf32>
    // expected-remark @below {{the rope has 1 heads, the product 2}}
    %1 = moe.rope %0, %positions, %angles {heads = 1 : i64, rope = #rope} : (tensor<?x20xf32>, tensor<?xi32>, tensor<64x4xf32>) -> tensor<?x20xf32>
    %2 = moe.head_linear %1, %up {heads = 2 : i64, x_offset = 0 : i64, x_size = 6 : i64, w_offset = 0 : i64, w_size = 6 : i64, transposed = true} : (tensor<?x20xf32>, tensor<20x8xf32>) -> tensor<?x16xf32>
    return %2 : tensor<?x16xf32>
  }

  // CHECK-LABEL: @biased_query
  // CHECK-NOT: kern.group
  func.func @biased_query(%x: tensor<?x24xf32> {moe.input = "hidden"}, %q_b: tensor<20x24xf32>, %bias: tensor<20xf32>, %positions: tensor<?xi32> {moe.input = "positions"}, %angles: tensor<64x4xf32>, %up: tensor<20x8xf32>) -> tensor<?x16xf32> {
    // expected-remark @below {{the host's head_matmul kernels add no bias to a query}}
    %0 = moe.linear %x, %q_b, %bias : (tensor<?x24xf32>, tensor<20x24xf32>, tensor<20xf32>) -> tensor<?x20xf32>
    %1 = moe.rope %0, %positions, %angles {heads = 2 : i64, rope = #rope} : (tensor<?x20xf32>, tensor<?xi32>, tensor<64x4xf32>) -> tensor<?x20xf32>
    %2 = moe.head_linear %1, %up {heads = 2 : i64, x_offset = 0 : i64, x_size = 6 : i64, w_offset = 0 : i64, w_size = 6 : i64, transposed = true} : (tensor<?x20xf32>, tensor<20x8xf32>) -> tensor<?x16xf32>
    return %2 : tensor<?x16xf32>
  }
}
