// RUN: moec-opt %s --outline-kernels | FileCheck %s
// RUN: sed 's/kern.row_classes = array<i64: 1, 16>/kern.other = 1/' %s | moec-opt --outline-kernels | FileCheck %s --check-prefix=SHARED

// A target that computes few rows in another way than many wants kernels of its own for them: the first two
// programs are in one class (2 to 16 rows), the third in another. Row-wise kernels are shared whatever the class.
module attributes {kern.row_classes = array<i64: 1, 16>} {
moe.weight @w : tensor<8x8xf32> = #moe.checkpoint<"w">

// CHECK-LABEL: func.func @few
// CHECK: kern.launch @matmul_8x8_f32(
// CHECK: kern.launch @[[ADD:.+]](
// SHARED-LABEL: func.func @few
// SHARED: kern.launch @matmul_8x8_f32(
func.func @few(%x: tensor<?x8xf32> {moe.input = "hidden"}) -> tensor<?x8xf32>
    attributes {kern.bounds = #kern.bounds<tokens = 2, sequences = 1, output_rows = 1, context_length = 64>} {
  %w = moe.param @w : tensor<8x8xf32>
  %0 = kern.group hero <matmul> label "product" {
    %r = moe.linear %x, %w : (tensor<?x8xf32>, tensor<8x8xf32>) -> tensor<?x8xf32>
    kern.yield %r : tensor<?x8xf32>
  } : tensor<?x8xf32>
  %1 = kern.group hero <pointwise> label "sum" {
    %r = moe.add %0, %x : tensor<?x8xf32>
    kern.yield %r : tensor<?x8xf32>
  } : tensor<?x8xf32>
  return %1 : tensor<?x8xf32>
}

// CHECK-LABEL: func.func @some
// CHECK: kern.launch @matmul_8x8_f32(
func.func @some(%x: tensor<?x8xf32> {moe.input = "hidden"}) -> tensor<?x8xf32>
    attributes {kern.bounds = #kern.bounds<tokens = 16, sequences = 1, output_rows = 1, context_length = 64>} {
  %w = moe.param @w : tensor<8x8xf32>
  %0 = kern.group hero <matmul> label "product" {
    %r = moe.linear %x, %w : (tensor<?x8xf32>, tensor<8x8xf32>) -> tensor<?x8xf32>
    kern.yield %r : tensor<?x8xf32>
  } : tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}

// CHECK-LABEL: func.func @many
// CHECK: kern.launch @matmul_8x8_f32_2(
// CHECK: kern.launch @[[ADD]](
// SHARED-LABEL: func.func @many
// SHARED: kern.launch @matmul_8x8_f32(
func.func @many(%x: tensor<?x8xf32> {moe.input = "hidden"}) -> tensor<?x8xf32>
    attributes {kern.bounds = #kern.bounds<tokens = 17, sequences = 1, output_rows = 1, context_length = 64>} {
  %w = moe.param @w : tensor<8x8xf32>
  %0 = kern.group hero <matmul> label "product" {
    %r = moe.linear %x, %w : (tensor<?x8xf32>, tensor<8x8xf32>) -> tensor<?x8xf32>
    kern.yield %r : tensor<?x8xf32>
  } : tensor<?x8xf32>
  %1 = kern.group hero <pointwise> label "sum" {
    %r = moe.add %0, %x : tensor<?x8xf32>
    kern.yield %r : tensor<?x8xf32>
  } : tensor<?x8xf32>
  return %1 : tensor<?x8xf32>
}

// Products by head are in classes, too.
// CHECK-LABEL: func.func @few_heads
// CHECK: kern.launch @[[HEADS:head_matmul[a-z0-9_]*]](
// SHARED-LABEL: func.func @few_heads
// SHARED: kern.launch @[[HEADS:head_matmul[a-z0-9_]*]](
func.func @few_heads(%x: tensor<?x8xf32> {moe.input = "hidden"}) -> tensor<?x8xf32>
    attributes {kern.bounds = #kern.bounds<tokens = 1, sequences = 1, output_rows = 1, context_length = 64>} {
  %w = moe.param @w : tensor<8x8xf32>
  %0 = kern.group hero <head_matmul> label "heads" {
    %r = moe.head_linear %x, %w {heads = 1 : i64, x_offset = 0 : i64, x_size = 8 : i64, w_offset = 0 : i64, w_size = 8 : i64, transposed = false} : (tensor<?x8xf32>, tensor<8x8xf32>) -> tensor<?x8xf32>
    kern.yield %r : tensor<?x8xf32>
  } : tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}

// CHECK-LABEL: func.func @many_heads
// CHECK-NOT: kern.launch @[[HEADS]](
// CHECK: kern.launch @head_matmul
// SHARED-LABEL: func.func @many_heads
// SHARED: kern.launch @[[HEADS]](
func.func @many_heads(%x: tensor<?x8xf32> {moe.input = "hidden"}) -> tensor<?x8xf32>
    attributes {kern.bounds = #kern.bounds<tokens = 64, sequences = 1, output_rows = 1, context_length = 64>} {
  %w = moe.param @w : tensor<8x8xf32>
  %0 = kern.group hero <head_matmul> label "heads" {
    %r = moe.head_linear %x, %w {heads = 1 : i64, x_offset = 0 : i64, x_size = 8 : i64, w_offset = 0 : i64, w_size = 8 : i64, transposed = false} : (tensor<?x8xf32>, tensor<8x8xf32>) -> tensor<?x8xf32>
    kern.yield %r : tensor<?x8xf32>
  } : tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}

// Attention: steps of up to 8 tokens share a kernel, of up to 256, and longer prompts.
// CHECK-LABEL: func.func @step
// CHECK: kern.launch @[[ATTENTION:attention[a-z0-9_]*]](
func.func @step(%x: tensor<?x8xf32> {moe.input = "hidden"}) -> tensor<?x8xf32>
    attributes {kern.bounds = #kern.bounds<tokens = 1, sequences = 1, output_rows = 1, context_length = 4096>} {
  %0 = kern.group hero <attention> label "attention" {
    %r = moe.add %x, %x : tensor<?x8xf32>
    kern.yield %r : tensor<?x8xf32>
  } : tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}

// CHECK-LABEL: func.func @eight
// CHECK: kern.launch @[[ATTENTION]](
func.func @eight(%x: tensor<?x8xf32> {moe.input = "hidden"}) -> tensor<?x8xf32>
    attributes {kern.bounds = #kern.bounds<tokens = 8, sequences = 8, output_rows = 8, context_length = 4096>} {
  %0 = kern.group hero <attention> label "attention" {
    %r = moe.add %x, %x : tensor<?x8xf32>
    kern.yield %r : tensor<?x8xf32>
  } : tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}

// CHECK-LABEL: func.func @short_prompt
// CHECK: kern.launch @[[ATTENTION]]_2(
func.func @short_prompt(%x: tensor<?x8xf32> {moe.input = "hidden"}) -> tensor<?x8xf32>
    attributes {kern.bounds = #kern.bounds<tokens = 256, sequences = 1, output_rows = 1, context_length = 4096>} {
  %0 = kern.group hero <attention> label "attention" {
    %r = moe.add %x, %x : tensor<?x8xf32>
    kern.yield %r : tensor<?x8xf32>
  } : tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}

// CHECK-LABEL: func.func @long_prompt
// CHECK: kern.launch @[[ATTENTION]]_3(
func.func @long_prompt(%x: tensor<?x8xf32> {moe.input = "hidden"}) -> tensor<?x8xf32>
    attributes {kern.bounds = #kern.bounds<tokens = 257, sequences = 1, output_rows = 1, context_length = 4096>} {
  %0 = kern.group hero <attention> label "attention" {
    %r = moe.add %x, %x : tensor<?x8xf32>
    kern.yield %r : tensor<?x8xf32>
  } : tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}
}
