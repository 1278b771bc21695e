// RUN: moec-opt %s --fuse-swiglu-quantize --remarks-filter=fuse-swiglu-quantize --verify-diagnostics | FileCheck %s

!quantized = !moe.qtensor<?x128xf8E4M3FN, block = [1, 128], scale = f32>

module attributes {kern.target = "test:quantize"} {
  // CHECK-LABEL: @target_refuses
  // CHECK-NOT: kern.group
  func.func @target_refuses(%gate: tensor<?x128xf32>, %up: tensor<?x128xf32>) -> !quantized {
    %0 = moe.swiglu %gate, %up : tensor<?x128xf32>
    // expected-remark @below {{the test target does not fuse moe.quantize into rows kernels}}
    %1 = moe.quantize %0 : (tensor<?x128xf32>) -> !quantized
    return %1 : !quantized
  }
}
