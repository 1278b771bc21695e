// RUN: moec-opt %s --fuse-down-combine | FileCheck %s
// RUN: moec-opt %s --fuse-down-combine --check-numerics -o %t

module attributes {kern.target = "test"} {
  moe.weight @gate : tensor<4x16x16xf32> = #moe.stack<"experts.{}.gate", 4>
  moe.weight @down : tensor<4x8x16xf32> = #moe.stack<"experts.{}.down", 4>

  // CHECK-LABEL: @fires
  // CHECK-SAME: %{{.+}}: tensor<?x16xf32>, %{{.+}}: tensor<?x2xi32>, %[[W:.+]]: tensor<?x2xf32>, %[[SHARED:.+]]: tensor<?x8xf32>, %[[RESIDUAL:.+]]: tensor<?x8xf32>
  // CHECK: %[[ROWS:.+]], %[[SLOTS:.+]], %[[OFFSETS:.+]] = moe.permute
  // CHECK: %[[R:.+]] = kern.group hero <grouped_matmul> {
  // CHECK: %[[Y:.+]] = moe.grouped_linear %{{.+}}, %{{.+}}, %[[OFFSETS]]
  // CHECK: %[[C:.+]] = moe.combine %[[Y]], %[[SLOTS]], %[[W]], %[[ROWS]]
  // CHECK: %[[A:.+]] = moe.add %[[C]], %[[SHARED]]
  // CHECK: %[[B:.+]] = moe.add %[[RESIDUAL]], %[[A]]
  // CHECK: kern.yield %[[B]]
  // CHECK: return %[[R]]
  func.func @fires(%x: tensor<?x16xf32>, %ids: tensor<?x2xi32>, %weights: tensor<?x2xf32>, %shared: tensor<?x8xf32>, %residual: tensor<?x8xf32>) -> tensor<?x8xf32> {
    %gate = moe.param @gate : tensor<4x16x16xf32>
    %down = moe.param @down : tensor<4x8x16xf32>
    %rows, %slots, %offsets = moe.permute %ids : (tensor<?x2xi32>) -> (tensor<?xi32>, tensor<?x2xi32>, tensor<5xi32>)
    %e = moe.grouped_linear %x, %gate, %offsets, %rows {top_k = 2 : i64} : (tensor<?x16xf32>, tensor<4x16x16xf32>, tensor<5xi32>, tensor<?xi32>) -> tensor<?x16xf32>
    %y = moe.grouped_linear %e, %down, %offsets : (tensor<?x16xf32>, tensor<4x8x16xf32>, tensor<5xi32>) -> tensor<?x8xf32>
    %c = moe.combine %y, %slots, %weights : (tensor<?x8xf32>, tensor<?x2xi32>, tensor<?x2xf32>) -> tensor<?x8xf32>
    %0 = moe.add %c, %shared : tensor<?x8xf32>
    %1 = moe.add %residual, %0 : tensor<?x8xf32>
    return %1 : tensor<?x8xf32>
  }

  // CHECK-LABEL: @no_combine
  // CHECK-NOT: kern.group
  // CHECK: return
  func.func @no_combine(%x: tensor<?x16xf32>, %residual: tensor<?x16xf32>) -> tensor<?x16xf32> {
    %0 = moe.add %x, %residual : tensor<?x16xf32>
    return %0 : tensor<?x16xf32>
  }
}
