// RUN: moec-opt %s --group-remaining | FileCheck %s
// RUN: moec-opt %s --group-remaining --check-numerics -o %t

// CHECK-LABEL: @each_its_own
// CHECK: %[[W:.+]] = moe.param @w
// CHECK: %[[Y:.+]] = kern.group hero <matmul> label "layers.0.proj" {
// CHECK: moe.linear %{{.+}}, %[[W]]
// CHECK: %[[A:.+]] = moe.slice %[[Y]]
// CHECK: %[[B:.+]] = moe.slice %[[Y]]
// CHECK: kern.group hero <pointwise> {
// CHECK: moe.swiglu %[[A]], %[[B]]
moe.weight @w : tensor<8x8xf32> = #moe.checkpoint<"w">
func.func @each_its_own(%x: tensor<?x8xf32>) -> tensor<?x4xf32> {
  %w = moe.param @w : tensor<8x8xf32>
  %0 = moe.linear %x, %w : (tensor<?x8xf32>, tensor<8x8xf32>) -> tensor<?x8xf32> loc("layers.0.proj")
  %1 = moe.slice %0 {offset = 0 : i64} : (tensor<?x8xf32>) -> tensor<?x4xf32>
  %2 = moe.slice %0 {offset = 4 : i64} : (tensor<?x8xf32>) -> tensor<?x4xf32>
  %3 = moe.swiglu %1, %2 : tensor<?x4xf32>
  return %3 : tensor<?x4xf32>
}
