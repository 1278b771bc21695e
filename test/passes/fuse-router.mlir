// RUN: moec-opt %s --fuse-router | FileCheck %s
// RUN: moec-opt %s --fuse-router --check-numerics -o %t

module attributes {kern.target = "test"} {
  moe.weight @router : tensor<4x8xf32> = #moe.checkpoint<"router">
  moe.weight @bias : tensor<4xf32> = #moe.checkpoint<"bias">

  // CHECK-LABEL: @fires
  // CHECK-SAME: %[[X:.+]]: tensor<?x8xf32>
  // CHECK: %[[R:.+]]:3 = kern.group hero <matmul> {
  // CHECK: %[[L:.+]] = moe.linear %[[X]]
  // CHECK: %[[IDS:.+]], %[[W:.+]] = moe.gate %[[L]]
  // CHECK: kern.yield %[[L]], %[[IDS]], %[[W]]
  // CHECK: return %[[R]]#1, %[[R]]#2
  func.func @fires(%x: tensor<?x8xf32> {moe.input = "hidden"}) -> (tensor<?x2xi32>, tensor<?x2xf32>) {
    %router = moe.param @router : tensor<4x8xf32>
    %bias = moe.param @bias : tensor<4xf32>
    %0 = moe.linear %x, %router : (tensor<?x8xf32>, tensor<4x8xf32>) -> tensor<?x4xf32>
    %ids, %weights = moe.gate %0, %bias {scoring = #moe<scoring sigmoid>, top_k = 2 : i64, normalize = true} : (tensor<?x4xf32>, tensor<4xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
    return %ids, %weights : tensor<?x2xi32>, tensor<?x2xf32>
  }

  // Four workers have their own rows of these.
  // CHECK-LABEL: @many_rows
  // CHECK: %[[R:.+]]:2 = kern.group hero <routing> {
  // CHECK: moe.linear
  // CHECK: %[[IDS:.+]], %[[W:.+]] = moe.gate
  // CHECK: kern.yield %[[IDS]], %[[W]]
  func.func @many_rows(%x: tensor<?x8xf32> {moe.input = "hidden"}) -> (tensor<?x2xi32>, tensor<?x2xf32>) attributes {kern.bounds = #kern.bounds<tokens = 1024, sequences = 1, output_rows = 1, context_length = 1024>} {
    %router = moe.param @router : tensor<4x8xf32>
    %0 = moe.linear %x, %router : (tensor<?x8xf32>, tensor<4x8xf32>) -> tensor<?x4xf32>
    %ids, %weights = moe.gate %0 {scoring = #moe<scoring sigmoid>, top_k = 2 : i64} : (tensor<?x4xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
    return %ids, %weights : tensor<?x2xi32>, tensor<?x2xf32>
  }
}
