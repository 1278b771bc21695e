// RUN: moec-opt %s --fuse-norm-quantize --remarks-filter=fuse-norm-quantize --verify-diagnostics | FileCheck %s

!quantized = !moe.qtensor<?x128xf8E4M3FN, block = [1, 128], scale = f32>

module attributes {kern.target = "test:quantize"} {
  // CHECK-LABEL: @target_refuses
  // CHECK-NOT: kern.group
  func.func @target_refuses(%x: tensor<?x128xf32>, %w: tensor<128xf32>) -> !quantized {
    %0 = moe.rms_norm %x, %w {epsilon = 1.0e-6 : f64} : (tensor<?x128xf32>, tensor<128xf32>) -> tensor<?x128xf32>
    // expected-remark @below {{the test target does not fuse moe.quantize into rows kernels}}
    %1 = moe.quantize %0 : (tensor<?x128xf32>) -> !quantized
    return %1 : !quantized
  }
}
