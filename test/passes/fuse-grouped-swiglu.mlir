// RUN: moec-opt %s --fuse-grouped-swiglu | FileCheck %s
// RUN: moec-opt %s --fuse-grouped-swiglu --check-numerics -o %t

!quantized = !moe.qtensor<?x128xf8E4M3FN, block = [1, 128], scale = f32>

module attributes {kern.target = "test"} {
  moe.weight @gate_up : tensor<4x256x8xf32> = #moe.concat<axis = 1, sizes = [128, 128], [#moe.stack<"experts.{}.gate", 4>, #moe.stack<"experts.{}.up", 4>]>

  // CHECK-LABEL: @fires
  // CHECK: %[[R:.+]] = kern.group hero <grouped_matmul> {
  // CHECK: %[[P:.+]] = moe.grouped_linear
  // CHECK: %[[G:.+]] = moe.slice %[[P]] {offset = 0
  // CHECK: %[[U:.+]] = moe.slice %[[P]] {offset = 128
  // CHECK: %[[S:.+]] = moe.swiglu %[[G]], %[[U]]
  // CHECK: %[[Q:.+]] = moe.quantize %[[S]]
  // CHECK: kern.yield %[[Q]]
  // CHECK: return %[[R]]
  func.func @fires(%x: tensor<?x8xf32>, %ids: tensor<?x2xi32>) -> !quantized {
    %w = moe.param @gate_up : tensor<4x256x8xf32>
    %rows, %slots, %offsets = moe.permute %ids : (tensor<?x2xi32>) -> (tensor<?xi32>, tensor<?x2xi32>, tensor<5xi32>)
    %0 = moe.grouped_linear %x, %w, %offsets, %rows {top_k = 2 : i64} : (tensor<?x8xf32>, tensor<4x256x8xf32>, tensor<5xi32>, tensor<?xi32>) -> tensor<?x256xf32>
    %1 = moe.slice %0 {offset = 0 : i64} : (tensor<?x256xf32>) -> tensor<?x128xf32>
    %2 = moe.slice %0 {offset = 128 : i64} : (tensor<?x256xf32>) -> tensor<?x128xf32>
    %3 = moe.swiglu %1, %2 : tensor<?x128xf32>
    %4 = moe.quantize %3 : (tensor<?x128xf32>) -> !quantized
    return %4 : !quantized
  }

  // CHECK-LABEL: @not_quantized
  // CHECK: kern.group hero <grouped_matmul> {
  // CHECK: %[[S:.+]] = moe.swiglu
  // CHECK: kern.yield %[[S]]
  func.func @not_quantized(%x: tensor<?x8xf32>, %ids: tensor<?x2xi32>) -> tensor<?x128xf32> {
    %w = moe.param @gate_up : tensor<4x256x8xf32>
    %rows, %slots, %offsets = moe.permute %ids : (tensor<?x2xi32>) -> (tensor<?xi32>, tensor<?x2xi32>, tensor<5xi32>)
    %0 = moe.grouped_linear %x, %w, %offsets, %rows {top_k = 2 : i64} : (tensor<?x8xf32>, tensor<4x256x8xf32>, tensor<5xi32>, tensor<?xi32>) -> tensor<?x256xf32>
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
