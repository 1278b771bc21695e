// RUN: moec-opt %s --fuse-shared-expert | FileCheck %s
// RUN: moec-opt %s --fuse-shared-expert --check-numerics -o %t
// RUN: moec-opt %s --fuse-shared-expert --expand-experts --check-numerics -o %t

!stack = !moe.qtensor<4x128x256xf8E4M3FN, block = [128, 128], scale = f32>
!stack_down = !moe.qtensor<4x256x128xf8E4M3FN, block = [128, 128], scale = f32>
!wide = !moe.qtensor<256x256xf8E4M3FN, block = [128, 128], scale = f32>

moe.weight @gate : tensor<4x6x8xf32> = #moe.stack<"e.{}.gate", 4>
moe.weight @up : tensor<4x6x8xf32> = #moe.stack<"e.{}.up", 4>
moe.weight @down : tensor<4x8x6xf32> = #moe.stack<"e.{}.down", 4>
moe.weight @shared_gate : tensor<6x8xf32> = #moe.checkpoint<"s.gate">
moe.weight @shared_up : tensor<6x8xf32> = #moe.checkpoint<"s.up">
moe.weight @shared_down : tensor<8x6xf32> = #moe.checkpoint<"s.down">

// CHECK: moe.weight @gate_shared : tensor<5x6x8xf32> = #moe.concat<axis = 0, sizes = [4, 1], [#moe.stack<"e.{}.gate", 4>, #moe.split<axis = 0, count = 1, #moe.checkpoint<"s.gate">>]>
// CHECK: moe.weight @down_shared : tensor<5x8x6xf32> = #moe.concat<axis = 0, sizes = [4, 1], [#moe.stack<"e.{}.down", 4>, #moe.split<axis = 1, count = 1, #moe.checkpoint<"s.down">>]>
// CHECK-LABEL: @fires
// CHECK-SAME: %[[X:.+]]: tensor<?x8xf32>, %[[L:.+]]: tensor
// CHECK-DAG: %[[G:.+]] = moe.param @gate_shared
// CHECK-DAG: %[[U:.+]] = moe.param @up_shared
// CHECK-DAG: %[[D:.+]] = moe.param @down_shared
// CHECK-DAG: %[[IDS:.+]], %[[SCORES:.+]] = moe.gate %[[L]] {scoring = #moe<scoring sigmoid>, shared = 1 : i64, top_k = 2 : i64} : (tensor<?x4xf32>) -> (tensor<?x3xi32>, tensor<?x3xf32>)
// CHECK: %[[Y:.+]] = moe.experts %[[X]], %[[IDS]], %[[SCORES]], %[[G]], %[[U]], %[[D]]
// CHECK-NOT: moe.linear
// CHECK: return %[[Y]]
func.func @fires(%x: tensor<?x8xf32>, %logits: tensor<?x4xf32>) -> tensor<?x8xf32> {
  %gate = moe.param @gate : tensor<4x6x8xf32>
  %up = moe.param @up : tensor<4x6x8xf32>
  %down = moe.param @down : tensor<4x8x6xf32>
  %ids, %scores = moe.gate %logits {scoring = #moe<scoring sigmoid>, top_k = 2 : i64} : (tensor<?x4xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  %0 = moe.experts %x, %ids, %scores, %gate, %up, %down : (tensor<?x8xf32>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<4x6x8xf32>, tensor<4x6x8xf32>, tensor<4x8x6xf32>) -> tensor<?x8xf32>
  %shared_gate = moe.param @shared_gate : tensor<6x8xf32>
  %1 = moe.linear %x, %shared_gate : (tensor<?x8xf32>, tensor<6x8xf32>) -> tensor<?x6xf32>
  %shared_up = moe.param @shared_up : tensor<6x8xf32>
  %2 = moe.linear %x, %shared_up : (tensor<?x8xf32>, tensor<6x8xf32>) -> tensor<?x6xf32>
  %3 = moe.swiglu %1, %2 : tensor<?x6xf32>
  %shared_down = moe.param @shared_down : tensor<8x6xf32>
  %4 = moe.linear %3, %shared_down : (tensor<?x6xf32>, tensor<8x6xf32>) -> tensor<?x8xf32>
  %5 = moe.add %0, %4 : tensor<?x8xf32>
  return %5 : tensor<?x8xf32>
}

moe.weight @b.gate : !stack = #moe.stack<"b.{}.gate", 4>
moe.weight @b.up : !stack = #moe.stack<"b.{}.up", 4>
moe.weight @b.down : !stack_down = #moe.stack<"b.{}.down", 4>
moe.weight @b.shared_gate : !wide = #moe.checkpoint<"b.s.gate">
moe.weight @b.shared_up : !wide = #moe.checkpoint<"b.s.up">
moe.weight @b.shared_down : !wide = #moe.checkpoint<"b.s.down">

// Shared experts of twice the width are two.
// CHECK: moe.weight @b.down_shared : !moe.qtensor<6x256x128xf8E4M3FN, {{.*}}#moe.split<axis = 1, count = 2, #moe.checkpoint<"b.s.down">>
// CHECK-LABEL: @two
// CHECK: moe.gate {{.*}}shared = 2 : i64, {{.*}} -> (tensor<?x3xi32>, tensor<?x3xf32>)
// CHECK: moe.experts
// CHECK-NOT: moe.linear
// CHECK: return
func.func @two(%x: tensor<?x256xf32>, %logits: tensor<?x4xf32>) -> tensor<?x256xf32> {
  %gate = moe.param @b.gate : !stack
  %up = moe.param @b.up : !stack
  %down = moe.param @b.down : !stack_down
  %ids, %scores = moe.gate %logits {scoring = #moe<scoring softmax>, top_k = 1 : i64} : (tensor<?x4xf32>) -> (tensor<?x1xi32>, tensor<?x1xf32>)
  %0 = moe.experts %x, %ids, %scores, %gate, %up, %down : (tensor<?x256xf32>, tensor<?x1xi32>, tensor<?x1xf32>, !stack, !stack, !stack_down) -> tensor<?x256xf32>
  %shared_gate = moe.param @b.shared_gate : !wide
  %1 = moe.linear %x, %shared_gate : (tensor<?x256xf32>, !wide) -> tensor<?x256xf32>
  %shared_up = moe.param @b.shared_up : !wide
  %2 = moe.linear %x, %shared_up : (tensor<?x256xf32>, !wide) -> tensor<?x256xf32>
  %3 = moe.swiglu %1, %2 : tensor<?x256xf32>
  %shared_down = moe.param @b.shared_down : !wide
  %4 = moe.linear %3, %shared_down : (tensor<?x256xf32>, !wide) -> tensor<?x256xf32>
  %5 = moe.add %4, %0 : tensor<?x256xf32>
  return %5 : tensor<?x256xf32>
}
