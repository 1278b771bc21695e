// RUN: moec-opt %s --fuse-swiglu-quantize | FileCheck %s
// RUN: moec-opt %s --fuse-swiglu-quantize --check-numerics -o %t

!quantized = !moe.qtensor<?x128xf8E4M3FN, block = [1, 128], scale = f32>

module attributes {kern.target = "test"} {
  // CHECK-LABEL: @fires
  // CHECK: kern.group hero <rows> {
  // CHECK: %[[S:.+]] = moe.swiglu
  // CHECK: %[[Q:.+]] = moe.quantize %[[S]]
  // CHECK: kern.yield %[[Q]]
  func.func @fires(%gate: tensor<?x128xf32>, %up: tensor<?x128xf32>) -> !quantized {
    %0 = moe.swiglu %gate, %up : tensor<?x128xf32>
    %1 = moe.quantize %0 : (tensor<?x128xf32>) -> !quantized
    return %1 : !quantized
  }

  // CHECK-LABEL: @not_quantized
  // CHECK-NOT: kern.group
  // CHECK: return
  func.func @not_quantized(%gate: tensor<?x128xf32>, %up: tensor<?x128xf32>) -> tensor<?x128xf32> {
    %0 = moe.swiglu %gate, %up : tensor<?x128xf32>
    return %0 : tensor<?x128xf32>
  }
}
