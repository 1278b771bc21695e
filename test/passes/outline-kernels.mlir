// RUN: moec-opt %s --outline-kernels | FileCheck %s
// RUN: moec-opt %s --outline-kernels --check-numerics -o %t

moe.weight @a : tensor<8x8xf32> = #moe.checkpoint<"a">
moe.weight @b : tensor<8x8xf32> = #moe.checkpoint<"b">

// Arguments come in order of first use; weights are arguments, so layers share kernels.
// CHECK: kern.kernel @matmul_8x8_f32(%{{.+}}: tensor<?x8xf32>, %{{.+}}: tensor<8x8xf32>) -> tensor<?x8xf32>
// CHECK-SAME: hero = #kern.hero<matmul>
// CHECK-SAME: row_strides = array<i64: 8, 0, 8>
// CHECK-SAME: rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>]
// CHECK-NOT: kern.kernel @matmul_8x8
// A view keeps the row stride of the buffer that it lies in; another stride is another kernel.
// CHECK: kern.kernel @pointwise_swiglu_4(
// CHECK-SAME: row_strides = array<i64: 8, 8, 4>
// CHECK: kern.kernel @pointwise_swiglu_4_2(
// CHECK-SAME: row_strides = array<i64: 4, 4>

// CHECK-LABEL: func.func @alike
// CHECK: %[[Y:.+]] = kern.launch @matmul_8x8_f32(%{{.+}}, %{{.+}}) label "first"
// CHECK: %[[Z:.+]] = kern.launch @matmul_8x8_f32(%[[Y]], %{{.+}}) label "second"
// CHECK: %[[S:.+]] = moe.slice %[[Z]]
// CHECK: %[[P:.+]] = kern.launch @pointwise_swiglu_4(%[[S]], %{{.+}})
// CHECK: kern.launch @pointwise_swiglu_4_2(%[[P]])
func.func @alike(%x: tensor<?x8xf32> {moe.input = "hidden"}) -> tensor<?x4xf32> {
  %a = moe.param @a : tensor<8x8xf32>
  %b = moe.param @b : tensor<8x8xf32>
  %0 = kern.group hero <matmul> label "first" {
    %r = moe.linear %x, %a : (tensor<?x8xf32>, tensor<8x8xf32>) -> tensor<?x8xf32>
    kern.yield %r : tensor<?x8xf32>
  } : tensor<?x8xf32>
  %1 = kern.group hero <matmul> label "second" {
    %r = moe.linear %0, %b : (tensor<?x8xf32>, tensor<8x8xf32>) -> tensor<?x8xf32>
    kern.yield %r : tensor<?x8xf32>
  } : tensor<?x8xf32>
  %2 = moe.slice %1 {offset = 0 : i64} : (tensor<?x8xf32>) -> tensor<?x4xf32>
  %3 = moe.slice %1 {offset = 4 : i64} : (tensor<?x8xf32>) -> tensor<?x4xf32>
  %4 = kern.group hero <pointwise> {
    %r = moe.swiglu %2, %3 : tensor<?x4xf32>
    kern.yield %r : tensor<?x4xf32>
  } : tensor<?x4xf32>
  %5 = kern.group hero <pointwise> {
    %r = moe.swiglu %4, %4 : tensor<?x4xf32>
    kern.yield %r : tensor<?x4xf32>
  } : tensor<?x4xf32>
  return %5 : tensor<?x4xf32>
}
