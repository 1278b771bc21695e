// RUN: moec-opt %s --merge-linears --remove-dead-weights | FileCheck %s
// RUN: moec-opt %s --merge-linears --check-numerics -o %t

!q128 = !moe.qtensor<128x128xf8E4M3FN, block = [128, 128], scale = f32>
!q40 = !moe.qtensor<40x128xf8E4M3FN, block = [128, 128], scale = f32>

// CHECK-NOT: moe.weight @attn.q_a :
// CHECK: moe.weight @attn.q_a_kv_a : !moe.qtensor<168x128xf8E4M3FN, block = [128, 128], scale = f32> = #moe.concat<axis = 0, sizes = [128, 40], [#moe.checkpoint<"q">, #moe.checkpoint<"kv">]>
moe.weight @attn.kv_a : !q40 = #moe.checkpoint<"kv">
moe.weight @attn.q_a : !q128 = #moe.checkpoint<"q">
moe.weight @gate : tensor<4x6x8xf32> = #moe.stack<"e.{}.gate", 4>
// CHECK: moe.weight @gate_up : tensor<4x12x8xf32> = #moe.concat<axis = 1, sizes = [6, 6], [#moe.stack<"e.{}.gate", 4>, #moe.stack<"e.{}.up", 4>]>
moe.weight @up : tensor<4x6x8xf32> = #moe.stack<"e.{}.up", 4>

// The part that ends inside a block comes last, whatever the order of the ops.
// Slices of a part become slices of the whole.
// CHECK-LABEL: @linears
func.func @linears(%x: tensor<?x128xf32>) -> (tensor<?x128xf32>, tensor<?x8xf32>) {
  %kv = moe.param @attn.kv_a : !q40
  %q = moe.param @attn.q_a : !q128
  // CHECK: %[[Y:.+]] = moe.linear %{{.+}} -> tensor<?x168xf32>
  %0 = moe.linear %x, %kv : (tensor<?x128xf32>, !q40) -> tensor<?x40xf32>
  %1 = moe.slice %0 {offset = 32 : i64} : (tensor<?x40xf32>) -> tensor<?x8xf32>
  %2 = moe.linear %x, %q : (tensor<?x128xf32>, !q128) -> tensor<?x128xf32>
  // CHECK-DAG: %[[Q:.+]] = moe.slice %[[Y]] {offset = 0 : i64}
  // CHECK-DAG: %[[K:.+]] = moe.slice %[[Y]] {offset = 160 : i64} : (tensor<?x168xf32>) -> tensor<?x8xf32>
  // CHECK: return %[[Q]], %[[K]]
  return %2, %1 : tensor<?x128xf32>, tensor<?x8xf32>
}

// CHECK-LABEL: @experts
func.func @experts(%x: tensor<?x8xf32>, %offsets: tensor<5xi32>, %rows: tensor<?xi32>) -> tensor<?x6xf32> {
  %gate = moe.param @gate : tensor<4x6x8xf32>
  %up = moe.param @up : tensor<4x6x8xf32>
  // CHECK: %[[Y:.+]] = moe.grouped_linear %{{.+}} {top_k = 2 : i64} : {{.*}} -> tensor<?x12xf32>
  // CHECK-NOT: moe.grouped_linear
  %0 = moe.grouped_linear %x, %gate, %offsets, %rows {top_k = 2 : i64} : (tensor<?x8xf32>, tensor<4x6x8xf32>, tensor<5xi32>, tensor<?xi32>) -> tensor<?x6xf32>
  %1 = moe.grouped_linear %x, %up, %offsets, %rows {top_k = 2 : i64} : (tensor<?x8xf32>, tensor<4x6x8xf32>, tensor<5xi32>, tensor<?xi32>) -> tensor<?x6xf32>
  %2 = moe.swiglu %0, %1 : tensor<?x6xf32>
  return %2 : tensor<?x6xf32>
}

moe.weight @q : tensor<4x8xf32> = #moe.checkpoint<"q">
moe.weight @q.bias : tensor<4xf32> = #moe.checkpoint<"q.bias">
moe.weight @k : tensor<2x8xf32> = #moe.checkpoint<"k">
moe.weight @k.bias : tensor<2xf32> = #moe.checkpoint<"k.bias">

// CHECK-LABEL: @biases
func.func @biases(%x: tensor<?x8xf32>) -> (tensor<?x4xf32>, tensor<?x2xf32>) {
  %q = moe.param @q : tensor<4x8xf32>
  %q_bias = moe.param @q.bias : tensor<4xf32>
  %k = moe.param @k : tensor<2x8xf32>
  %k_bias = moe.param @k.bias : tensor<2xf32>
  // CHECK-DAG: %[[W:.+]] = moe.param @q_k : tensor<6x8xf32>
  // CHECK-DAG: %[[B:.+]] = moe.param @q_k.bias : tensor<6xf32>
  // CHECK: %[[Y:.+]] = moe.linear %{{.+}}, %[[W]], %[[B]]
  // CHECK-NOT: moe.linear
  %0 = moe.linear %x, %q, %q_bias : (tensor<?x8xf32>, tensor<4x8xf32>, tensor<4xf32>) -> tensor<?x4xf32>
  %1 = moe.linear %x, %k, %k_bias : (tensor<?x8xf32>, tensor<2x8xf32>, tensor<2xf32>) -> tensor<?x2xf32>
  return %0, %1 : tensor<?x4xf32>, tensor<?x2xf32>
}
