// RUN: moec-opt %s --fuse-residual-norm --split-input-file --remarks-filter=fuse-residual-norm --verify-diagnostics | FileCheck %s

module attributes {kern.target = "test:add"} {
  // CHECK-LABEL: @target_refuses_the_sum
  // CHECK-NOT: kern.group
  // CHECK: return
  func.func @target_refuses_the_sum(%x: tensor<?x128xf32>, %w: tensor<128xf32>) -> tensor<?x128xf32> {
    // expected-remark @below {{the test target does not fuse moe.add into rows kernels}}
    %0 = moe.add %x, %x : tensor<?x128xf32>
    %1 = moe.rms_norm %0, %w {epsilon = 1.0e-6 : f64} : (tensor<?x128xf32>, tensor<128xf32>) -> tensor<?x128xf32>
    return %1 : tensor<?x128xf32>
  }
}

// -----

module attributes {kern.target = "test:quantize"} {
  // The rest is fused without what the target refuses.
  // CHECK-LABEL: @target_refuses_quantization
  // CHECK: kern.group
  // CHECK: moe.rms_norm
  // CHECK: moe.quantize
  func.func @target_refuses_quantization(%x: tensor<?x128xf32>, %w: tensor<128xf32>) -> !moe.qtensor<?x128xf8E4M3FN, block = [1, 128], scale = f32> {
    %0 = moe.add %x, %x : tensor<?x128xf32>
    // expected-remark @below {{fused 2 ops}}
    %1 = moe.rms_norm %0, %w {epsilon = 1.0e-6 : f64} : (tensor<?x128xf32>, tensor<128xf32>) -> tensor<?x128xf32>
    // expected-remark @below {{the test target does not fuse moe.quantize into rows kernels}}
    %2 = moe.quantize %1 : (tensor<?x128xf32>) -> !moe.qtensor<?x128xf8E4M3FN, block = [1, 128], scale = f32>
    return %2 : !moe.qtensor<?x128xf8E4M3FN, block = [1, 128], scale = f32>
  }
}

// -----

// expected-error @below {{module has no 'kern.target' attribute}}
module {
}
