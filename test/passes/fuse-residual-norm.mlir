// RUN: moec-opt %s --fuse-residual-norm | FileCheck %s
// RUN: moec-opt %s --fuse-residual-norm --check-numerics -o %t

module attributes {kern.target = "test"} {
  moe.weight @norm : tensor<128xf32> = #moe.checkpoint<"norm">

  // The sum stays a result, because the next residual reads it.
  // CHECK-LABEL: @sum_norm_quantize
  // CHECK: %[[R:.+]]:2 = kern.group hero <rows> label "layers.0.norm" {
  // CHECK: %[[S:.+]] = moe.add
  // CHECK: %[[N:.+]] = moe.rms_norm %[[S]]
  // CHECK: %[[Q:.+]] = moe.quantize %[[N]]
  // CHECK: kern.yield %[[S]], %[[Q]]
  // CHECK: return %[[R]]#0, %[[R]]#1
  func.func @sum_norm_quantize(%x: tensor<?x128xf32>, %y: tensor<?x128xf32>) -> (tensor<?x128xf32>, !moe.qtensor<?x128xf8E4M3FN, block = [1, 128], scale = f32>) {
    %0 = moe.add %x, %y : tensor<?x128xf32>
    %w = moe.param @norm : tensor<128xf32>
    %1 = moe.rms_norm %0, %w {epsilon = 1.0e-6 : f64} : (tensor<?x128xf32>, tensor<128xf32>) -> tensor<?x128xf32> loc("layers.0.norm")
    %2 = moe.quantize %1 : (tensor<?x128xf32>) -> !moe.qtensor<?x128xf8E4M3FN, block = [1, 128], scale = f32>
    return %0, %2 : tensor<?x128xf32>, !moe.qtensor<?x128xf8E4M3FN, block = [1, 128], scale = f32>
  }

  // A sum that feeds only the sum comes along; one that is read elsewhere does not.
  // CHECK-LABEL: @sum_of_sums
  // CHECK: %[[OUTER:.+]] = moe.add %arg0, %arg1
  // CHECK: kern.group hero <rows> {
  // CHECK: moe.add %arg1, %arg2
  // CHECK: moe.add %[[OUTER]]
  // CHECK: moe.rms_norm
  func.func @sum_of_sums(%x: tensor<?x128xf32>, %y: tensor<?x128xf32>, %z: tensor<?x128xf32>) -> (tensor<?x128xf32>, tensor<?x128xf32>) {
    %w = moe.param @norm : tensor<128xf32>
    %0 = moe.add %x, %y : tensor<?x128xf32>
    %1 = moe.add %y, %z : tensor<?x128xf32>
    %2 = moe.add %0, %1 : tensor<?x128xf32>
    %3 = moe.rms_norm %2, %w {epsilon = 1.0e-6 : f64} : (tensor<?x128xf32>, tensor<128xf32>) -> tensor<?x128xf32>
    return %0, %3 : tensor<?x128xf32>, tensor<?x128xf32>
  }

  // The group stands before the first reader of the sum, and the norm's weight with it.
  // CHECK-LABEL: @sum_read_early
  // CHECK: moe.param
  // CHECK: kern.group
  // CHECK: moe.swiglu
  func.func @sum_read_early(%x: tensor<?x128xf32>, %y: tensor<?x128xf32>) -> (tensor<?x128xf32>, tensor<?x128xf32>) {
    %0 = moe.add %x, %y : tensor<?x128xf32>
    %1 = moe.swiglu %0, %x : tensor<?x128xf32>
    %w = moe.param @norm : tensor<128xf32>
    %2 = moe.rms_norm %0, %w {epsilon = 1.0e-6 : f64} : (tensor<?x128xf32>, tensor<128xf32>) -> tensor<?x128xf32>
    return %1, %2 : tensor<?x128xf32>, tensor<?x128xf32>
  }

  // CHECK-LABEL: @norm_of_an_input
  // CHECK-NOT: kern.group
  // CHECK: return
  func.func @norm_of_an_input(%x: tensor<?x128xf32>) -> tensor<?x128xf32> {
    %w = moe.param @norm : tensor<128xf32>
    %0 = moe.rms_norm %x, %w {epsilon = 1.0e-6 : f64} : (tensor<?x128xf32>, tensor<128xf32>) -> tensor<?x128xf32>
    return %0 : tensor<?x128xf32>
  }
}
