// RUN: moec-opt %s --merge-linears --split-input-file --remarks-filter=merge-linears --verify-diagnostics | FileCheck %s

!q40 = !moe.qtensor<40x128xf8E4M3FN, block = [128, 128], scale = f32>
moe.weight @a : !q40 = #moe.checkpoint<"a">
moe.weight @b : !q40 = #moe.checkpoint<"b">

// CHECK-LABEL: @two_ragged_parts
// CHECK-COUNT-2: moe.linear
func.func @two_ragged_parts(%x: tensor<?x128xf32>) -> (tensor<?x40xf32>, tensor<?x40xf32>) {
  %a = moe.param @a : !q40
  %b = moe.param @b : !q40
  %0 = moe.linear %x, %a : (tensor<?x128xf32>, !q40) -> tensor<?x40xf32>
  // expected-remark @below {{weight @b has 40 rows, which end inside a block of its scheme, and so does another weight of this input}}
  %1 = moe.linear %x, %b : (tensor<?x128xf32>, !q40) -> tensor<?x40xf32>
  return %0, %1 : tensor<?x40xf32>, tensor<?x40xf32>
}

// -----

moe.weight @a : tensor<4x8xf32> = #moe.checkpoint<"a">
moe.weight @b : tensor<4x8xf32> = #moe.checkpoint<"b">

// CHECK-LABEL: @used_elsewhere
// CHECK-COUNT-3: moe.linear
func.func @used_elsewhere(%x: tensor<?x8xf32>, %y: tensor<?x8xf32>) -> (tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x4xf32>) {
  %a = moe.param @a : tensor<4x8xf32>
  %b = moe.param @b : tensor<4x8xf32>
  %0 = moe.linear %x, %a : (tensor<?x8xf32>, tensor<4x8xf32>) -> tensor<?x4xf32>
  // expected-remark @below {{weight @b is used elsewhere in another way}}
  %1 = moe.linear %x, %b : (tensor<?x8xf32>, tensor<4x8xf32>) -> tensor<?x4xf32>
  %2 = moe.linear %y, %b : (tensor<?x8xf32>, tensor<4x8xf32>) -> tensor<?x4xf32>
  return %0, %1, %2 : tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x4xf32>
}

// -----

moe.weight @router : tensor<4x8xf32> = #moe.checkpoint<"a">
moe.weight @shared : tensor<4x8xf32> = #moe.checkpoint<"b">

// CHECK-LABEL: @router_stays_alone
// CHECK-COUNT-2: moe.linear
func.func @router_stays_alone(%x: tensor<?x8xf32>) -> (tensor<?x2xi32>, tensor<?x4xf32>) {
  %router = moe.param @router : tensor<4x8xf32>
  %shared = moe.param @shared : tensor<4x8xf32>
  // expected-remark @below {{it feeds a gate, and belongs in the gate's kernel}}
  %0 = moe.linear %x, %router : (tensor<?x8xf32>, tensor<4x8xf32>) -> tensor<?x4xf32>
  %1 = moe.linear %x, %shared : (tensor<?x8xf32>, tensor<4x8xf32>) -> tensor<?x4xf32>
  %ids, %weights = moe.gate %0 {scoring = #moe<scoring softmax>, top_k = 2 : i64} : (tensor<?x4xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  return %ids, %1 : tensor<?x2xi32>, tensor<?x4xf32>
}

// -----

moe.weight @a : tensor<4x8xf32> = #moe.checkpoint<"a">
moe.weight @b : tensor<4x8xbf16> = #moe.checkpoint<"b">

// Nothing is said of linears that never could be one.
// CHECK-LABEL: @other_scheme
// CHECK-COUNT-2: moe.linear
func.func @other_scheme(%x: tensor<?x8xf32>) -> (tensor<?x4xf32>, tensor<?x4xf32>) {
  %a = moe.param @a : tensor<4x8xf32>
  %b = moe.param @b : tensor<4x8xbf16>
  %0 = moe.linear %x, %a : (tensor<?x8xf32>, tensor<4x8xf32>) -> tensor<?x4xf32>
  %1 = moe.linear %x, %b : (tensor<?x8xf32>, tensor<4x8xbf16>) -> tensor<?x4xf32>
  return %0, %1 : tensor<?x4xf32>, tensor<?x4xf32>
}

// -----

moe.weight @a : tensor<4x8xf32> = #moe.checkpoint<"a">
moe.weight @b : tensor<4x8xf32> = #moe.checkpoint<"b">
moe.weight @c : tensor<4x8xf32> = #moe.checkpoint<"c">
moe.weight @bias : tensor<4xf32> = #moe.checkpoint<"bias">
moe.weight @bias16 : tensor<4xbf16> = #moe.checkpoint<"bias16">

// CHECK-LABEL: @other_biases
// CHECK-COUNT-3: moe.linear
func.func @other_biases(%x: tensor<?x8xf32>) -> (tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x4xf32>) {
  %a = moe.param @a : tensor<4x8xf32>
  %b = moe.param @b : tensor<4x8xf32>
  %c = moe.param @c : tensor<4x8xf32>
  %bias = moe.param @bias : tensor<4xf32>
  %bias16 = moe.param @bias16 : tensor<4xbf16>
  %0 = moe.linear %x, %a, %bias : (tensor<?x8xf32>, tensor<4x8xf32>, tensor<4xf32>) -> tensor<?x4xf32>
  // expected-remark @below {{its bias and that of another linear of this input are of two types}}
  %1 = moe.linear %x, %b, %bias16 : (tensor<?x8xf32>, tensor<4x8xf32>, tensor<4xbf16>) -> tensor<?x4xf32>
  // expected-remark @below {{only one of it and another linear of this input has a bias}}
  %2 = moe.linear %x, %c : (tensor<?x8xf32>, tensor<4x8xf32>) -> tensor<?x4xf32>
  return %0, %1, %2 : tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x4xf32>
}

// -----

moe.weight @a : tensor<4x8xf32> = #moe.checkpoint<"a">
moe.weight @b : tensor<4x8xf32> = #moe.checkpoint<"b">
moe.weight @bias : tensor<4xf32> = #moe.checkpoint<"bias">
moe.weight @other : tensor<4xf32> = #moe.checkpoint<"other">

// CHECK-LABEL: @bias_used_elsewhere
// CHECK-COUNT-3: moe.linear
func.func @bias_used_elsewhere(%x: tensor<?x8xf32>, %y: tensor<?x8xf32>, %c: tensor<4x8xf32>) -> (tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x4xf32>) {
  %a = moe.param @a : tensor<4x8xf32>
  %b = moe.param @b : tensor<4x8xf32>
  %bias = moe.param @bias : tensor<4xf32>
  %other = moe.param @other : tensor<4xf32>
  %0 = moe.linear %x, %a, %bias : (tensor<?x8xf32>, tensor<4x8xf32>, tensor<4xf32>) -> tensor<?x4xf32>
  // expected-remark @below {{weight @other is used elsewhere in another way}}
  %1 = moe.linear %x, %b, %other : (tensor<?x8xf32>, tensor<4x8xf32>, tensor<4xf32>) -> tensor<?x4xf32>
  %2 = moe.linear %y, %c, %other : (tensor<?x8xf32>, tensor<4x8xf32>, tensor<4xf32>) -> tensor<?x4xf32>
  return %0, %1, %2 : tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x4xf32>
}

// -----

#rope = #moe.rope<dim = 2, theta = 1.0e4, layout = interleaved>
moe.weight @q : tensor<4x8xf32> = #moe.checkpoint<"a">
moe.weight @kv : tensor<4x8xf32> = #moe.checkpoint<"b">
moe.weight @up : tensor<4x8xf32> = #moe.checkpoint<"c">

// CHECK-LABEL: @absorbed_query
// CHECK-COUNT-2: moe.linear
func.func @absorbed_query(%x: tensor<?x8xf32>, %positions: tensor<?xi32>) -> (tensor<?x8xf32>, tensor<?x4xf32>) {
  %q = moe.param @q : tensor<4x8xf32>
  %kv = moe.param @kv : tensor<4x8xf32>
  %up = moe.param @up : tensor<4x8xf32>
  // expected-remark @below {{its rope and the absorbed up-projection belong in its kernel}}
  %0 = moe.linear %x, %q : (tensor<?x8xf32>, tensor<4x8xf32>) -> tensor<?x4xf32>
  %1 = moe.rope %0, %positions {heads = 1 : i64, rope = #rope} : (tensor<?x4xf32>, tensor<?xi32>) -> tensor<?x4xf32>
  %2 = moe.head_linear %1, %up {heads = 1 : i64, x_offset = 0 : i64, x_size = 2 : i64, w_offset = 0 : i64, w_size = 2 : i64, transposed = true} : (tensor<?x4xf32>, tensor<4x8xf32>) -> tensor<?x8xf32>
  %3 = moe.linear %x, %kv : (tensor<?x8xf32>, tensor<4x8xf32>) -> tensor<?x4xf32>
  return %2, %3 : tensor<?x8xf32>, tensor<?x4xf32>
}
