// RUN: moec-opt %s --remove-dead-weights | FileCheck %s

// CHECK: moe.weight @read
// CHECK-NOT: @named
// CHECK-NOT: @dead
moe.weight @read : tensor<8xf32> = #moe.checkpoint<"a">
moe.weight @named : tensor<8xf32> = #moe.checkpoint<"b">
moe.weight @dead : tensor<8xf32> = #moe.checkpoint<"c">

func.func @f(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %0 = moe.param @read : tensor<8xf32>
  %1 = moe.param @named : tensor<8xf32>
  %2 = moe.rms_norm %x, %0 {epsilon = 1.0e-6 : f64} : (tensor<?x8xf32>, tensor<8xf32>) -> tensor<?x8xf32>
  return %2 : tensor<?x8xf32>
}
