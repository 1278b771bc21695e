// RUN: moec-opt %s --fuse-norm-quantize | FileCheck %s
// RUN: moec-opt %s --fuse-norm-quantize --check-numerics -o %t

!quantized = !moe.qtensor<?x128xf8E4M3FN, block = [1, 128], scale = f32>

module attributes {kern.target = "test"} {
  // CHECK-LABEL: @fires
  // CHECK: kern.group hero <rows> {
  // CHECK: %[[N:.+]] = moe.rms_norm
  // CHECK: %[[Q:.+]] = moe.quantize %[[N]]
  // CHECK: kern.yield %[[Q]]
  func.func @fires(%x: tensor<?x128xf32>, %w: tensor<128xf32>) -> !quantized {
    %0 = moe.rms_norm %x, %w {epsilon = 1.0e-6 : f64} : (tensor<?x128xf32>, tensor<128xf32>) -> tensor<?x128xf32>
    %1 = moe.quantize %0 : (tensor<?x128xf32>) -> !quantized
    return %1 : !quantized
  }

  // The router reads the exact norm: both are results.
  // CHECK-LABEL: @norm_read_too
  // CHECK: kern.yield %{{.+}}, %{{.+}} : tensor<?x128xf32>, !moe.qtensor
  func.func @norm_read_too(%x: tensor<?x128xf32>, %w: tensor<128xf32>) -> (!quantized, tensor<?x128xf32>) {
    %0 = moe.rms_norm %x, %w {epsilon = 1.0e-6 : f64} : (tensor<?x128xf32>, tensor<128xf32>) -> tensor<?x128xf32>
    %1 = moe.quantize %0 : (tensor<?x128xf32>) -> !quantized
    return %1, %0 : !quantized, tensor<?x128xf32>
  }

  // CHECK-LABEL: @norm_alone
  // CHECK-NOT: kern.group
  // CHECK: return
  func.func @norm_alone(%x: tensor<?x128xf32>, %w: tensor<128xf32>) -> tensor<?x128xf32> {
    %0 = moe.rms_norm %x, %w {epsilon = 1.0e-6 : f64} : (tensor<?x128xf32>, tensor<128xf32>) -> tensor<?x128xf32>
    return %0 : tensor<?x128xf32>
  }
}
