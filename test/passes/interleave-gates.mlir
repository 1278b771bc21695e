// RUN: moec-opt %s --fuse-matmul-swiglu --fuse-grouped-swiglu --interleave-gates | FileCheck %s
// RUN: moec-opt %s --fuse-matmul-swiglu --fuse-grouped-swiglu --interleave-gates --check-numerics -o %t

!quantized = !moe.qtensor<?x128xf8E4M3FN, block = [1, 128], scale = f32>
!stack = !moe.qtensor<3x512x200xf8E4M3FN, block = [128, 128], scale = f32>

module attributes {kern.target = "test:interleave=128"} {
  // CHECK: moe.weight @gate_up : tensor<256x8xf32> = #moe.interleave<axis = 0, block = 128, [#moe.checkpoint<"gate">, #moe.checkpoint<"up">]>
  moe.weight @gate_up : tensor<256x8xf32> = #moe.concat<axis = 0, sizes = [128, 128], [#moe.checkpoint<"gate">, #moe.checkpoint<"up">]>
  // The last block is short.
  // CHECK: moe.weight @ragged : tensor<400x8xf32> = #moe.interleave<axis = 0, block = 128
  moe.weight @ragged : tensor<400x8xf32> = #moe.concat<axis = 0, sizes = [200, 200], [#moe.checkpoint<"r.gate">, #moe.checkpoint<"r.up">]>
  // CHECK: moe.weight @experts : {{.*}} = #moe.interleave<axis = 1, block = 128, [#moe.stack<"e.{}.gate", 3>, #moe.stack<"e.{}.up", 3>]>
  moe.weight @experts : !stack = #moe.concat<axis = 1, sizes = [256, 256], [#moe.stack<"e.{}.gate", 3>, #moe.stack<"e.{}.up", 3>]>

  // CHECK-LABEL: @fires
  // CHECK: kern.group hero <matmul> {
  // CHECK: %[[P:.+]] = moe.linear
  // CHECK: %[[H:.+]]:2 = moe.deinterleave %[[P]] {block = 128 : i64} : (tensor<?x256xf32>) -> (tensor<?x128xf32>, tensor<?x128xf32>)
  // CHECK: moe.swiglu %[[H]]#0, %[[H]]#1
  // CHECK: moe.quantize
  func.func @fires(%x: tensor<?x8xf32>) -> !quantized {
    %w = moe.param @gate_up : tensor<256x8xf32>
    %0 = moe.linear %x, %w : (tensor<?x8xf32>, tensor<256x8xf32>) -> tensor<?x256xf32>
    %1 = moe.slice %0 {offset = 0 : i64} : (tensor<?x256xf32>) -> tensor<?x128xf32>
    %2 = moe.slice %0 {offset = 128 : i64} : (tensor<?x256xf32>) -> tensor<?x128xf32>
    %3 = moe.swiglu %1, %2 : tensor<?x128xf32>
    %4 = moe.quantize %3 : (tensor<?x128xf32>) -> !quantized
    return %4 : !quantized
  }

  // Two functions read one weight, in one way.
  // CHECK-LABEL: @ragged_first
  // CHECK: moe.deinterleave
  func.func @ragged_first(%x: tensor<?x8xf32>) -> tensor<?x200xf32> {
    %w = moe.param @ragged : tensor<400x8xf32>
    %0 = moe.linear %x, %w : (tensor<?x8xf32>, tensor<400x8xf32>) -> tensor<?x400xf32>
    %1 = moe.slice %0 {offset = 0 : i64} : (tensor<?x400xf32>) -> tensor<?x200xf32>
    %2 = moe.slice %0 {offset = 200 : i64} : (tensor<?x400xf32>) -> tensor<?x200xf32>
    %3 = moe.swiglu %1, %2 : tensor<?x200xf32>
    return %3 : tensor<?x200xf32>
  }
  // CHECK-LABEL: @ragged_second
  // CHECK: moe.deinterleave
  func.func @ragged_second(%x: tensor<?x8xf32>) -> tensor<?x200xf32> {
    %w = moe.param @ragged : tensor<400x8xf32>
    %0 = moe.linear %x, %w : (tensor<?x8xf32>, tensor<400x8xf32>) -> tensor<?x400xf32>
    %1 = moe.slice %0 {offset = 0 : i64} : (tensor<?x400xf32>) -> tensor<?x200xf32>
    %2 = moe.slice %0 {offset = 200 : i64} : (tensor<?x400xf32>) -> tensor<?x200xf32>
    %3 = moe.swiglu %1, %2 : tensor<?x200xf32>
    return %3 : tensor<?x200xf32>
  }

  // CHECK-LABEL: @grouped
  // CHECK: kern.group hero <grouped_matmul>
  // CHECK: moe.deinterleave {{.*}} (tensor<?x256xf32>, tensor<?x256xf32>)
  func.func @grouped(%x: tensor<?x200xf32>, %ids: tensor<?x2xi32>) -> tensor<?x256xf32> {
    %rows, %slots, %offsets = moe.permute %ids : (tensor<?x2xi32>) -> (tensor<?xi32>, tensor<?x2xi32>, tensor<4xi32>)
    %w = moe.param @experts : !stack
    %0 = moe.grouped_linear %x, %w, %offsets, %rows {top_k = 2 : i64} : (tensor<?x200xf32>, !stack, tensor<4xi32>, tensor<?xi32>) -> tensor<?x512xf32>
    %1 = moe.slice %0 {offset = 0 : i64} : (tensor<?x512xf32>) -> tensor<?x256xf32>
    %2 = moe.slice %0 {offset = 256 : i64} : (tensor<?x512xf32>) -> tensor<?x256xf32>
    %3 = moe.swiglu %1, %2 : tensor<?x256xf32>
    return %3 : tensor<?x256xf32>
  }
}
