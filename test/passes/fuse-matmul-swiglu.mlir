// RUN: moec-opt %s --fuse-matmul-swiglu | FileCheck %s
// RUN: moec-opt %s --fuse-matmul-swiglu --check-numerics -o %t

!quantized = !moe.qtensor<?x128xf8E4M3FN, block = [1, 128], scale = f32>

module attributes {kern.target = "test"} {
  moe.weight @gate_up : tensor<256x8xf32> = #moe.concat<axis = 0, sizes = [128, 128], [#moe.checkpoint<"gate">, #moe.checkpoint<"up">]>

  // CHECK-LABEL: @fires
  // CHECK: %[[R:.+]] = kern.group hero <matmul> {
  // CHECK: %[[P:.+]] = moe.linear
  // CHECK: %[[G:.+]] = moe.slice %[[P]] {offset = 0
  // CHECK: %[[U:.+]] = moe.slice %[[P]] {offset = 128
  // CHECK: %[[S:.+]] = moe.swiglu %[[G]], %[[U]]
  // CHECK: %[[Q:.+]] = moe.quantize %[[S]]
  // CHECK: kern.yield %[[Q]]
  // CHECK: return %[[R]]
  func.func @fires(%x: tensor<?x8xf32>) -> !quantized {
    %w = moe.param @gate_up : tensor<256x8xf32>
    %0 = moe.linear %x, %w : (tensor<?x8xf32>, tensor<256x8xf32>) -> tensor<?x256xf32>
    %1 = moe.slice %0 {offset = 0 : i64} : (tensor<?x256xf32>) -> tensor<?x128xf32>
    %2 = moe.slice %0 {offset = 128 : i64} : (tensor<?x256xf32>) -> tensor<?x128xf32>
    %3 = moe.swiglu %1, %2 : tensor<?x128xf32>
    %4 = moe.quantize %3 : (tensor<?x128xf32>) -> !quantized
    return %4 : !quantized
  }

  // CHECK-LABEL: @not_quantized
  // CHECK: kern.group hero <matmul> {
  // CHECK: %[[S:.+]] = moe.swiglu
  // CHECK: kern.yield %[[S]]
  func.func @not_quantized(%x: tensor<?x8xf32>) -> tensor<?x128xf32> {
    %w = moe.param @gate_up : tensor<256x8xf32>
    %0 = moe.linear %x, %w : (tensor<?x8xf32>, tensor<256x8xf32>) -> tensor<?x256xf32>
    %1 = moe.slice %0 {offset = 0 : i64} : (tensor<?x256xf32>) -> tensor<?x128xf32>
    %2 = moe.slice %0 {offset = 128 : i64} : (tensor<?x256xf32>) -> tensor<?x128xf32>
    %3 = moe.swiglu %1, %2 : tensor<?x128xf32>
    return %3 : tensor<?x128xf32>
  }

  // A swiglu of something else is not this pass's.
  // CHECK-LABEL: @no_product
  // CHECK-NOT: kern.group
  // CHECK: return
  func.func @no_product(%gate: tensor<?x128xf32>, %up: tensor<?x128xf32>) -> tensor<?x128xf32> {
    %0 = moe.swiglu %gate, %up : tensor<?x128xf32>
    return %0 : tensor<?x128xf32>
  }
}
