// RUN: moec-opt %s --fuse-router | FileCheck %s
// RUN: moec-opt %s --fuse-router --check-numerics -o %t

module attributes {kern.target = "test"} {
  moe.weight @router : tensor<4x8xf32> = #moe.checkpoint<"router">
  moe.weight @bias : tensor<4xf32> = #moe.checkpoint<"bias">

  // CHECK-LABEL: @fires
  // CHECK-SAME: %[[X:.+]]: tensor<?x8xf32>
  // CHECK: %[[R:.+]]:2 = kern.group hero <routing> {
  // CHECK: %[[L:.+]] = moe.linear %[[X]]
  // CHECK: %[[IDS:.+]], %[[W:.+]] = moe.gate %[[L]]
  // CHECK: kern.yield %[[IDS]], %[[W]]
  // CHECK: return %[[R]]#0, %[[R]]#1
  func.func @fires(%x: tensor<?x8xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>) {
    %router = moe.param @router : tensor<4x8xf32>
    %bias = moe.param @bias : tensor<4xf32>
    %0 = moe.linear %x, %router : (tensor<?x8xf32>, tensor<4x8xf32>) -> tensor<?x4xf32>
    %ids, %weights = moe.gate %0, %bias {scoring = #moe<scoring sigmoid>, top_k = 2 : i64, normalize = true} : (tensor<?x4xf32>, tensor<4xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
    return %ids, %weights : tensor<?x2xi32>, tensor<?x2xf32>
  }
}
