// RUN: moec-opt %s --expand-experts | FileCheck %s
// RUN: moec-opt %s --expand-experts --check-numerics -o %t

moe.weight @gate : tensor<4x6x8xf32> = #moe.stack<"e.{}.gate", 4>
moe.weight @up : tensor<4x6x8xf32> = #moe.stack<"e.{}.up", 4>
moe.weight @down : tensor<4x8x6xf32> = #moe.stack<"e.{}.down", 4>

// CHECK-LABEL: @ffn
// CHECK-SAME: (%[[X:.+]]: tensor<?x8xf32>, %[[IDS:.+]]: tensor<?x2xi32>, %[[WEIGHTS:.+]]: tensor<?x2xf32>)
func.func @ffn(%x: tensor<?x8xf32>, %ids: tensor<?x2xi32>, %weights: tensor<?x2xf32>) -> tensor<?x8xf32> {
  %gate = moe.param @gate : tensor<4x6x8xf32>
  %up = moe.param @up : tensor<4x6x8xf32>
  %down = moe.param @down : tensor<4x8x6xf32>
  // CHECK: %[[ROWS:.+]], %[[SLOTS:.+]], %[[OFFSETS:.+]] = moe.permute %[[IDS]] : {{.*}} -> (tensor<?xi32>, tensor<?x2xi32>, tensor<5xi32>)
  // CHECK: %[[G:.+]] = moe.grouped_linear %[[X]], %{{.+}}, %[[OFFSETS]], %[[ROWS]] {top_k = 2 : i64}
  // CHECK: %[[U:.+]] = moe.grouped_linear %[[X]], %{{.+}}, %[[OFFSETS]], %[[ROWS]] {top_k = 2 : i64}
  // CHECK: %[[S:.+]] = moe.swiglu %[[G]], %[[U]] : tensor<?x6xf32>
  // CHECK: %[[D:.+]] = moe.grouped_linear %[[S]], %{{.+}}, %[[OFFSETS]] :
  // CHECK: %[[Y:.+]] = moe.combine %[[D]], %[[SLOTS]], %[[WEIGHTS]]
  // CHECK: return %[[Y]]
  %y = moe.experts %x, %ids, %weights, %gate, %up, %down : (tensor<?x8xf32>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<4x6x8xf32>, tensor<4x6x8xf32>, tensor<4x8x6xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// Static token counts stay static.
// CHECK-LABEL: @static
// CHECK: moe.permute %{{.+}} -> (tensor<6xi32>, tensor<3x2xi32>, tensor<5xi32>)
func.func @static(%x: tensor<3x8xf32>, %ids: tensor<3x2xi32>, %weights: tensor<3x2xf32>) -> tensor<3x8xf32> {
  %gate = moe.param @gate : tensor<4x6x8xf32>
  %down = moe.param @down : tensor<4x8x6xf32>
  %y = moe.experts %x, %ids, %weights, %gate, %gate, %down : (tensor<3x8xf32>, tensor<3x2xi32>, tensor<3x2xf32>, tensor<4x6x8xf32>, tensor<4x6x8xf32>, tensor<4x8x6xf32>) -> tensor<3x8xf32>
  return %y : tensor<3x8xf32>
}
