// RUN: moec-opt %s --split-input-file --fuse-shared-expert --remarks-filter=fuse-shared-expert --verify-diagnostics | FileCheck %s

moe.weight @gate : tensor<4x6x8xf32> = #moe.stack<"e.{}.gate", 4>
moe.weight @up : tensor<4x6x8xf32> = #moe.stack<"e.{}.up", 4>
moe.weight @down : tensor<4x8x6xf32> = #moe.stack<"e.{}.down", 4>
moe.weight @shared_gate : tensor<6x8xf32> = #moe.checkpoint<"s.gate">
moe.weight @shared_up : tensor<6x8xf32> = #moe.checkpoint<"s.up">
moe.weight @shared_down : tensor<8x6xf32> = #moe.checkpoint<"s.down">

// CHECK-LABEL: @choice_read_twice
// CHECK-NOT: shared =
// CHECK: return
func.func @choice_read_twice(%x: tensor<?x8xf32>, %logits: tensor<?x4xf32>) -> tensor<?x8xf32> {
  %gate = moe.param @gate : tensor<4x6x8xf32>
  %up = moe.param @up : tensor<4x6x8xf32>
  %down = moe.param @down : tensor<4x8x6xf32>
  %shared_gate = moe.param @shared_gate : tensor<6x8xf32>
  %shared_up = moe.param @shared_up : tensor<6x8xf32>
  %shared_down = moe.param @shared_down : tensor<8x6xf32>
  %ids, %scores = moe.gate %logits {scoring = #moe<scoring sigmoid>, top_k = 2 : i64} : (tensor<?x4xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  // expected-remark @below {{ids and weights are not those of one moe.gate that nothing else reads}}
  %0 = moe.experts %x, %ids, %scores, %gate, %up, %down : (tensor<?x8xf32>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<4x6x8xf32>, tensor<4x6x8xf32>, tensor<4x8x6xf32>) -> tensor<?x8xf32>
  %1 = moe.linear %x, %shared_gate : (tensor<?x8xf32>, tensor<6x8xf32>) -> tensor<?x6xf32>
  %2 = moe.linear %x, %shared_up : (tensor<?x8xf32>, tensor<6x8xf32>) -> tensor<?x6xf32>
  %3 = moe.swiglu %1, %2 : tensor<?x6xf32>
  %4 = moe.linear %3, %shared_down : (tensor<?x6xf32>, tensor<8x6xf32>) -> tensor<?x8xf32>
  %5 = moe.add %0, %4 : tensor<?x8xf32>
  %6 = moe.combine %5, %ids, %scores : (tensor<?x8xf32>, tensor<?x2xi32>, tensor<?x2xf32>) -> tensor<?x8xf32>
  return %5 : tensor<?x8xf32>
}

// -----

moe.weight @gate : tensor<4x6x8xf32> = #moe.stack<"e.{}.gate", 4>
moe.weight @up : tensor<4x6x8xf32> = #moe.stack<"e.{}.up", 4>
moe.weight @down : tensor<4x8x6xf32> = #moe.stack<"e.{}.down", 4>
moe.weight @shared_gate : tensor<6x8xf32> = #moe.checkpoint<"s.gate">
moe.weight @shared_up : tensor<6x8xf32> = #moe.checkpoint<"s.up">
moe.weight @shared_down : tensor<8x6xf32> = #moe.checkpoint<"s.down">

// CHECK-LABEL: @experts_read_twice
// CHECK-NOT: shared =
// CHECK: return
func.func @experts_read_twice(%x: tensor<?x8xf32>, %logits: tensor<?x4xf32>) -> tensor<?x8xf32> {
  %gate = moe.param @gate : tensor<4x6x8xf32>
  %up = moe.param @up : tensor<4x6x8xf32>
  %down = moe.param @down : tensor<4x8x6xf32>
  %shared_gate = moe.param @shared_gate : tensor<6x8xf32>
  %shared_up = moe.param @shared_up : tensor<6x8xf32>
  %shared_down = moe.param @shared_down : tensor<8x6xf32>
  %ids, %scores = moe.gate %logits {scoring = #moe<scoring sigmoid>, top_k = 2 : i64} : (tensor<?x4xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  // expected-remark @below {{the experts' result is read twice}}
  %0 = moe.experts %x, %ids, %scores, %gate, %up, %down : (tensor<?x8xf32>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<4x6x8xf32>, tensor<4x6x8xf32>, tensor<4x8x6xf32>) -> tensor<?x8xf32>
  %1 = moe.linear %x, %shared_gate : (tensor<?x8xf32>, tensor<6x8xf32>) -> tensor<?x6xf32>
  %2 = moe.linear %x, %shared_up : (tensor<?x8xf32>, tensor<6x8xf32>) -> tensor<?x6xf32>
  %3 = moe.swiglu %1, %2 : tensor<?x6xf32>
  %4 = moe.linear %3, %shared_down : (tensor<?x6xf32>, tensor<8x6xf32>) -> tensor<?x8xf32>
  %5 = moe.add %0, %4 : tensor<?x8xf32>
  %6 = moe.add %0, %5 : tensor<?x8xf32>
  return %5 : tensor<?x8xf32>
}

// -----

moe.weight @gate : tensor<4x6x8xf32> = #moe.stack<"e.{}.gate", 4>
moe.weight @up : tensor<4x6x8xf32> = #moe.stack<"e.{}.up", 4>
moe.weight @down : tensor<4x8x6xf32> = #moe.stack<"e.{}.down", 4>
moe.weight @shared_gate : tensor<6x8xf32> = #moe.checkpoint<"s.gate">
moe.weight @shared_up : tensor<6x8xf32> = #moe.checkpoint<"s.up">
moe.weight @shared_down : tensor<8x6xf32> = #moe.checkpoint<"s.down">

// CHECK-LABEL: @no_sum
// CHECK-NOT: shared =
// CHECK: return
func.func @no_sum(%x: tensor<?x8xf32>, %logits: tensor<?x4xf32>) -> tensor<?x8xf32> {
  %gate = moe.param @gate : tensor<4x6x8xf32>
  %up = moe.param @up : tensor<4x6x8xf32>
  %down = moe.param @down : tensor<4x8x6xf32>
  %shared_gate = moe.param @shared_gate : tensor<6x8xf32>
  %shared_up = moe.param @shared_up : tensor<6x8xf32>
  %shared_down = moe.param @shared_down : tensor<8x6xf32>
  %ids, %scores = moe.gate %logits {scoring = #moe<scoring sigmoid>, top_k = 2 : i64} : (tensor<?x4xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  // expected-remark @below {{the experts' result goes into no sum}}
  %0 = moe.experts %x, %ids, %scores, %gate, %up, %down : (tensor<?x8xf32>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<4x6x8xf32>, tensor<4x6x8xf32>, tensor<4x8x6xf32>) -> tensor<?x8xf32>
  %1 = moe.linear %x, %shared_gate : (tensor<?x8xf32>, tensor<6x8xf32>) -> tensor<?x6xf32>
  %2 = moe.linear %x, %shared_up : (tensor<?x8xf32>, tensor<6x8xf32>) -> tensor<?x6xf32>
  %3 = moe.swiglu %1, %2 : tensor<?x6xf32>
  %4 = moe.linear %3, %shared_down : (tensor<?x6xf32>, tensor<8x6xf32>) -> tensor<?x8xf32>
  %5 = moe.swiglu %0, %4 : tensor<?x8xf32>
  return %5 : tensor<?x8xf32>
}

// -----

moe.weight @gate : tensor<4x6x8xf32> = #moe.stack<"e.{}.gate", 4>
moe.weight @up : tensor<4x6x8xf32> = #moe.stack<"e.{}.up", 4>
moe.weight @down : tensor<4x8x6xf32> = #moe.stack<"e.{}.down", 4>
moe.weight @shared_gate : tensor<6x8xf32> = #moe.checkpoint<"s.gate">
moe.weight @shared_up : tensor<6x8xf32> = #moe.checkpoint<"s.up">
moe.weight @shared_down : tensor<8x6xf32> = #moe.checkpoint<"s.down">

// CHECK-LABEL: @no_network
// CHECK-NOT: shared =
// CHECK: return
func.func @no_network(%x: tensor<?x8xf32>, %logits: tensor<?x4xf32>) -> tensor<?x8xf32> {
  %gate = moe.param @gate : tensor<4x6x8xf32>
  %up = moe.param @up : tensor<4x6x8xf32>
  %down = moe.param @down : tensor<4x8x6xf32>
  %shared_gate = moe.param @shared_gate : tensor<6x8xf32>
  %shared_up = moe.param @shared_up : tensor<6x8xf32>
  %shared_down = moe.param @shared_down : tensor<8x6xf32>
  %ids, %scores = moe.gate %logits {scoring = #moe<scoring sigmoid>, top_k = 2 : i64} : (tensor<?x4xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  // expected-remark @below {{what is added to the experts' result is no feed-forward network}}
  %0 = moe.experts %x, %ids, %scores, %gate, %up, %down : (tensor<?x8xf32>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<4x6x8xf32>, tensor<4x6x8xf32>, tensor<4x8x6xf32>) -> tensor<?x8xf32>
  %1 = moe.linear %x, %shared_gate : (tensor<?x8xf32>, tensor<6x8xf32>) -> tensor<?x6xf32>
  %2 = moe.linear %x, %shared_up : (tensor<?x8xf32>, tensor<6x8xf32>) -> tensor<?x6xf32>
  %3 = moe.swiglu %1, %2 : tensor<?x6xf32>
  %4 = moe.linear %3, %shared_down : (tensor<?x6xf32>, tensor<8x6xf32>) -> tensor<?x8xf32>
  %5 = moe.add %0, %x : tensor<?x8xf32>
  return %5 : tensor<?x8xf32>
}

// -----

moe.weight @gate : tensor<4x6x8xf32> = #moe.stack<"e.{}.gate", 4>
moe.weight @up : tensor<4x6x8xf32> = #moe.stack<"e.{}.up", 4>
moe.weight @down : tensor<4x8x6xf32> = #moe.stack<"e.{}.down", 4>
moe.weight @shared_gate : tensor<6x8xf32> = #moe.checkpoint<"s.gate">
moe.weight @shared_up : tensor<6x8xf32> = #moe.checkpoint<"s.up">
moe.weight @shared_down : tensor<8x6xf32> = #moe.checkpoint<"s.down">

// CHECK-LABEL: @other_input
// CHECK-NOT: shared =
// CHECK: return
func.func @other_input(%x: tensor<?x8xf32>, %logits: tensor<?x4xf32>) -> tensor<?x8xf32> {
  %gate = moe.param @gate : tensor<4x6x8xf32>
  %up = moe.param @up : tensor<4x6x8xf32>
  %down = moe.param @down : tensor<4x8x6xf32>
  %shared_gate = moe.param @shared_gate : tensor<6x8xf32>
  %shared_up = moe.param @shared_up : tensor<6x8xf32>
  %shared_down = moe.param @shared_down : tensor<8x6xf32>
  %ids, %scores = moe.gate %logits {scoring = #moe<scoring sigmoid>, top_k = 2 : i64} : (tensor<?x4xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  // expected-remark @below {{the shared experts read another input}}
  %0 = moe.experts %x, %ids, %scores, %gate, %up, %down : (tensor<?x8xf32>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<4x6x8xf32>, tensor<4x6x8xf32>, tensor<4x8x6xf32>) -> tensor<?x8xf32>
  %5 = moe.add %x, %x : tensor<?x8xf32>
  %1 = moe.linear %x, %shared_gate : (tensor<?x8xf32>, tensor<6x8xf32>) -> tensor<?x6xf32>
  %2 = moe.linear %5, %shared_up : (tensor<?x8xf32>, tensor<6x8xf32>) -> tensor<?x6xf32>
  %3 = moe.swiglu %1, %2 : tensor<?x6xf32>
  %4 = moe.linear %3, %shared_down : (tensor<?x6xf32>, tensor<8x6xf32>) -> tensor<?x8xf32>
  %6 = moe.add %0, %4 : tensor<?x8xf32>
  return %6 : tensor<?x8xf32>
}

// -----

moe.weight @gate : tensor<4x6x8xf32> = #moe.stack<"e.{}.gate", 4>
moe.weight @up : tensor<4x6x8xf32> = #moe.stack<"e.{}.up", 4>
moe.weight @down : tensor<4x8x6xf32> = #moe.stack<"e.{}.down", 4>
moe.weight @shared_gate : tensor<6x8xf32> = #moe.checkpoint<"s.gate">
moe.weight @shared_up : tensor<6x8xf32> = #moe.checkpoint<"s.up">
moe.weight @shared_down : tensor<8x6xf32> = #moe.checkpoint<"s.down">

// CHECK-LABEL: @inside_read_twice
// CHECK-NOT: shared =
// CHECK: return
func.func @inside_read_twice(%x: tensor<?x8xf32>, %logits: tensor<?x4xf32>) -> (tensor<?x8xf32>, tensor<?x6xf32>) {
  %gate = moe.param @gate : tensor<4x6x8xf32>
  %up = moe.param @up : tensor<4x6x8xf32>
  %down = moe.param @down : tensor<4x8x6xf32>
  %shared_gate = moe.param @shared_gate : tensor<6x8xf32>
  %shared_up = moe.param @shared_up : tensor<6x8xf32>
  %shared_down = moe.param @shared_down : tensor<8x6xf32>
  %ids, %scores = moe.gate %logits {scoring = #moe<scoring sigmoid>, top_k = 2 : i64} : (tensor<?x4xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  // expected-remark @below {{another op reads what is inside the shared experts}}
  %0 = moe.experts %x, %ids, %scores, %gate, %up, %down : (tensor<?x8xf32>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<4x6x8xf32>, tensor<4x6x8xf32>, tensor<4x8x6xf32>) -> tensor<?x8xf32>
  %1 = moe.linear %x, %shared_gate : (tensor<?x8xf32>, tensor<6x8xf32>) -> tensor<?x6xf32>
  %2 = moe.linear %x, %shared_up : (tensor<?x8xf32>, tensor<6x8xf32>) -> tensor<?x6xf32>
  %3 = moe.swiglu %1, %2 : tensor<?x6xf32>
  %4 = moe.linear %3, %shared_down : (tensor<?x6xf32>, tensor<8x6xf32>) -> tensor<?x8xf32>
  %5 = moe.add %0, %4 : tensor<?x8xf32>
  return %5, %3 : tensor<?x8xf32>, tensor<?x6xf32>
}

// -----

moe.weight @gate : tensor<4x6x8xf32> = #moe.stack<"e.{}.gate", 4>
moe.weight @up : tensor<4x6x8xf32> = #moe.stack<"e.{}.up", 4>
moe.weight @down : tensor<4x8x6xf32> = #moe.stack<"e.{}.down", 4>
moe.weight @shared_gate : tensor<9x8xf32> = #moe.checkpoint<"s.gate">
moe.weight @shared_up : tensor<9x8xf32> = #moe.checkpoint<"s.up">
moe.weight @shared_down : tensor<8x9xf32> = #moe.checkpoint<"s.down">

// CHECK-LABEL: @no_multiple
// CHECK-NOT: shared =
// CHECK: return
func.func @no_multiple(%x: tensor<?x8xf32>, %logits: tensor<?x4xf32>) -> tensor<?x8xf32> {
  %gate = moe.param @gate : tensor<4x6x8xf32>
  %up = moe.param @up : tensor<4x6x8xf32>
  %down = moe.param @down : tensor<4x8x6xf32>
  %shared_gate = moe.param @shared_gate : tensor<9x8xf32>
  %shared_up = moe.param @shared_up : tensor<9x8xf32>
  %shared_down = moe.param @shared_down : tensor<8x9xf32>
  %ids, %scores = moe.gate %logits {scoring = #moe<scoring sigmoid>, top_k = 2 : i64} : (tensor<?x4xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  // expected-remark @below {{the shared experts' 9 intermediate features are no multiple of a routed expert's 6}}
  %0 = moe.experts %x, %ids, %scores, %gate, %up, %down : (tensor<?x8xf32>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<4x6x8xf32>, tensor<4x6x8xf32>, tensor<4x8x6xf32>) -> tensor<?x8xf32>
  %1 = moe.linear %x, %shared_gate : (tensor<?x8xf32>, tensor<9x8xf32>) -> tensor<?x9xf32>
  %2 = moe.linear %x, %shared_up : (tensor<?x8xf32>, tensor<9x8xf32>) -> tensor<?x9xf32>
  %3 = moe.swiglu %1, %2 : tensor<?x9xf32>
  %4 = moe.linear %3, %shared_down : (tensor<?x9xf32>, tensor<8x9xf32>) -> tensor<?x8xf32>
  %5 = moe.add %0, %4 : tensor<?x8xf32>
  return %5 : tensor<?x8xf32>
}

// -----

moe.weight @gate : tensor<4x6x8xf32> = #moe.stack<"e.{}.gate", 4>
moe.weight @up : tensor<4x6x8xf32> = #moe.stack<"e.{}.up", 4>
moe.weight @down : tensor<4x8x6xf32> = #moe.stack<"e.{}.down", 4>
moe.weight @shared_gate : tensor<6x8xf32> = #moe.checkpoint<"s.gate">
moe.weight @shared_up : tensor<6x8xbf16> = #moe.checkpoint<"s.up">
moe.weight @shared_down : tensor<8x6xf32> = #moe.checkpoint<"s.down">

// CHECK-LABEL: @other_element
// CHECK-NOT: shared =
// CHECK: return
func.func @other_element(%x: tensor<?x8xf32>, %logits: tensor<?x4xf32>) -> tensor<?x8xf32> {
  %gate = moe.param @gate : tensor<4x6x8xf32>
  %up = moe.param @up : tensor<4x6x8xf32>
  %down = moe.param @down : tensor<4x8x6xf32>
  %shared_gate = moe.param @shared_gate : tensor<6x8xf32>
  %shared_up = moe.param @shared_up : tensor<6x8xbf16>
  %shared_down = moe.param @shared_down : tensor<8x6xf32>
  %ids, %scores = moe.gate %logits {scoring = #moe<scoring sigmoid>, top_k = 2 : i64} : (tensor<?x4xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  // expected-remark @below {{the shared experts' weights are stored in another way}}
  %0 = moe.experts %x, %ids, %scores, %gate, %up, %down : (tensor<?x8xf32>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<4x6x8xf32>, tensor<4x6x8xf32>, tensor<4x8x6xf32>) -> tensor<?x8xf32>
  %1 = moe.linear %x, %shared_gate : (tensor<?x8xf32>, tensor<6x8xf32>) -> tensor<?x6xf32>
  %2 = moe.linear %x, %shared_up : (tensor<?x8xf32>, tensor<6x8xbf16>) -> tensor<?x6xf32>
  %3 = moe.swiglu %1, %2 : tensor<?x6xf32>
  %4 = moe.linear %3, %shared_down : (tensor<?x6xf32>, tensor<8x6xf32>) -> tensor<?x8xf32>
  %5 = moe.add %0, %4 : tensor<?x8xf32>
  return %5 : tensor<?x8xf32>
}

// -----

moe.weight @gate : tensor<4x6x8xf32> = #moe.stack<"e.{}.gate", 4>
moe.weight @up : tensor<4x6x8xf32> = #moe.stack<"e.{}.up", 4>
moe.weight @down : tensor<4x8x6xf32> = #moe.stack<"e.{}.down", 4>
moe.weight @shared_gate : tensor<6x8xf32> = #moe.checkpoint<"s.gate">
moe.weight @shared_up : tensor<6x8xf32> = #moe.checkpoint<"s.up">
moe.weight @shared_down : tensor<8x6xf32> = #moe.checkpoint<"s.down">

// CHECK-LABEL: @not_a_param
// CHECK-NOT: shared =
// CHECK: return
func.func @not_a_param(%x: tensor<?x8xf32>, %logits: tensor<?x4xf32>, %w: tensor<6x8xf32>) -> tensor<?x8xf32> {
  %gate = moe.param @gate : tensor<4x6x8xf32>
  %up = moe.param @up : tensor<4x6x8xf32>
  %down = moe.param @down : tensor<4x8x6xf32>
  %shared_gate = moe.param @shared_gate : tensor<6x8xf32>
  %shared_up = moe.param @shared_up : tensor<6x8xf32>
  %shared_down = moe.param @shared_down : tensor<8x6xf32>
  %ids, %scores = moe.gate %logits {scoring = #moe<scoring sigmoid>, top_k = 2 : i64} : (tensor<?x4xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  // expected-remark @below {{a weight is not a moe.param}}
  %0 = moe.experts %x, %ids, %scores, %gate, %up, %down : (tensor<?x8xf32>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<4x6x8xf32>, tensor<4x6x8xf32>, tensor<4x8x6xf32>) -> tensor<?x8xf32>
  %1 = moe.linear %x, %shared_gate : (tensor<?x8xf32>, tensor<6x8xf32>) -> tensor<?x6xf32>
  %2 = moe.linear %x, %w : (tensor<?x8xf32>, tensor<6x8xf32>) -> tensor<?x6xf32>
  %3 = moe.swiglu %1, %2 : tensor<?x6xf32>
  %4 = moe.linear %3, %shared_down : (tensor<?x6xf32>, tensor<8x6xf32>) -> tensor<?x8xf32>
  %5 = moe.add %0, %4 : tensor<?x8xf32>
  return %5 : tensor<?x8xf32>
}

// -----

moe.weight @gate : tensor<4x6x8xf32> = #moe.stack<"e.{}.gate", 4>
moe.weight @up : tensor<4x6x8xf32> = #moe.stack<"e.{}.up", 4>
moe.weight @down : tensor<4x8x6xf32> = #moe.stack<"e.{}.down", 4>
moe.weight @shared_gate : tensor<6x8xf32> = #moe.checkpoint<"s.gate">
moe.weight @shared_up : tensor<6x8xf32> = #moe.checkpoint<"s.up">
moe.weight @shared_down : tensor<8x6xf32> = #moe.checkpoint<"s.down">

// CHECK-LABEL: @used_elsewhere
// CHECK-NOT: shared =
// CHECK: return
func.func @used_elsewhere(%x: tensor<?x8xf32>, %logits: tensor<?x4xf32>) -> tensor<?x8xf32> {
  %gate = moe.param @gate : tensor<4x6x8xf32>
  %up = moe.param @up : tensor<4x6x8xf32>
  %down = moe.param @down : tensor<4x8x6xf32>
  %shared_gate = moe.param @shared_gate : tensor<6x8xf32>
  %shared_up = moe.param @shared_up : tensor<6x8xf32>
  %shared_down = moe.param @shared_down : tensor<8x6xf32>
  %ids, %scores = moe.gate %logits {scoring = #moe<scoring sigmoid>, top_k = 2 : i64} : (tensor<?x4xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  // expected-remark @below {{weight @shared_gate is used elsewhere}}
  %0 = moe.experts %x, %ids, %scores, %gate, %up, %down : (tensor<?x8xf32>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<4x6x8xf32>, tensor<4x6x8xf32>, tensor<4x8x6xf32>) -> tensor<?x8xf32>
  %1 = moe.linear %x, %shared_gate : (tensor<?x8xf32>, tensor<6x8xf32>) -> tensor<?x6xf32>
  %2 = moe.linear %x, %shared_gate : (tensor<?x8xf32>, tensor<6x8xf32>) -> tensor<?x6xf32>
  %3 = moe.swiglu %1, %2 : tensor<?x6xf32>
  %4 = moe.linear %3, %shared_down : (tensor<?x6xf32>, tensor<8x6xf32>) -> tensor<?x8xf32>
  %5 = moe.add %0, %4 : tensor<?x8xf32>
  return %5 : tensor<?x8xf32>
}

// -----

// Two shared experts of 40 features would part blocks of 128.
!s = !moe.qtensor<4x40x256xf8E4M3FN, block = [128, 128], scale = f32>
!d = !moe.qtensor<4x256x40xf8E4M3FN, block = [128, 128], scale = f32>
!w = !moe.qtensor<80x256xf8E4M3FN, block = [128, 128], scale = f32>
!v = !moe.qtensor<256x80xf8E4M3FN, block = [128, 128], scale = f32>
moe.weight @gate : !s = #moe.stack<"e.{}.gate", 4>
moe.weight @up : !s = #moe.stack<"e.{}.up", 4>
moe.weight @down : !d = #moe.stack<"e.{}.down", 4>
moe.weight @shared_gate : !w = #moe.checkpoint<"s.gate">
moe.weight @shared_up : !w = #moe.checkpoint<"s.up">
moe.weight @shared_down : !v = #moe.checkpoint<"s.down">

// CHECK-LABEL: @inside_a_block
// CHECK-NOT: shared =
// CHECK: return
func.func @inside_a_block(%x: tensor<?x256xf32>, %logits: tensor<?x4xf32>) -> tensor<?x256xf32> {
  %gate = moe.param @gate : !s
  %up = moe.param @up : !s
  %down = moe.param @down : !d
  %shared_gate = moe.param @shared_gate : !w
  %shared_up = moe.param @shared_up : !w
  %shared_down = moe.param @shared_down : !v
  %ids, %scores = moe.gate %logits {scoring = #moe<scoring sigmoid>, top_k = 2 : i64} : (tensor<?x4xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  // expected-remark @below {{an expert's 40 intermediate features end inside a block of 128 that shares one scale, and there are 2 shared experts}}
  %0 = moe.experts %x, %ids, %scores, %gate, %up, %down : (tensor<?x256xf32>, tensor<?x2xi32>, tensor<?x2xf32>, !s, !s, !d) -> tensor<?x256xf32>
  %1 = moe.linear %x, %shared_gate : (tensor<?x256xf32>, !w) -> tensor<?x80xf32>
  %2 = moe.linear %x, %shared_up : (tensor<?x256xf32>, !w) -> tensor<?x80xf32>
  %3 = moe.swiglu %1, %2 : tensor<?x80xf32>
  %4 = moe.linear %3, %shared_down : (tensor<?x80xf32>, !v) -> tensor<?x256xf32>
  %5 = moe.add %0, %4 : tensor<?x256xf32>
  return %5 : tensor<?x256xf32>
}

// -----

moe.weight @gate : tensor<4x6x8xf32> = #moe.stack<"e.{}.gate", 4>
moe.weight @up : tensor<4x6x8xf32> = #moe.stack<"e.{}.up", 4>
moe.weight @down : tensor<4x8x6xf32> = #moe.stack<"e.{}.down", 4>
moe.weight @shared_gate : tensor<6x8xf32> = #moe.checkpoint<"s.gate">
moe.weight @shared_up : tensor<6x8xf32> = #moe.checkpoint<"s.up">
moe.weight @shared_down : tensor<8x6xf32> = #moe.checkpoint<"s.down">

// CHECK-LABEL: @shared_has_a_bias
// CHECK-NOT: shared =
// CHECK: return
func.func @shared_has_a_bias(%x: tensor<?x8xf32>, %logits: tensor<?x4xf32>, %bias: tensor<8xf32>) -> tensor<?x8xf32> {
  %gate = moe.param @gate : tensor<4x6x8xf32>
  %up = moe.param @up : tensor<4x6x8xf32>
  %down = moe.param @down : tensor<4x8x6xf32>
  %shared_gate = moe.param @shared_gate : tensor<6x8xf32>
  %shared_up = moe.param @shared_up : tensor<6x8xf32>
  %shared_down = moe.param @shared_down : tensor<8x6xf32>
  %ids, %scores = moe.gate %logits {scoring = #moe<scoring sigmoid>, top_k = 2 : i64} : (tensor<?x4xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  // expected-remark @below {{a linear of the shared experts has a bias; experts have none}}
  %0 = moe.experts %x, %ids, %scores, %gate, %up, %down : (tensor<?x8xf32>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<4x6x8xf32>, tensor<4x6x8xf32>, tensor<4x8x6xf32>) -> tensor<?x8xf32>
  %1 = moe.linear %x, %shared_gate : (tensor<?x8xf32>, tensor<6x8xf32>) -> tensor<?x6xf32>
  %2 = moe.linear %x, %shared_up : (tensor<?x8xf32>, tensor<6x8xf32>) -> tensor<?x6xf32>
  %3 = moe.swiglu %1, %2 : tensor<?x6xf32>
  %4 = moe.linear %3, %shared_down, %bias : (tensor<?x6xf32>, tensor<8x6xf32>, tensor<8xf32>) -> tensor<?x8xf32>
  %5 = moe.add %0, %4 : tensor<?x8xf32>
  return %5 : tensor<?x8xf32>
}
