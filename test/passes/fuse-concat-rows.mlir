// RUN: moec-opt %s --fuse-concat-rows | FileCheck %s
// RUN: moec-opt %s --fuse-concat-rows --check-numerics -o %t

module attributes {kern.target = "test"} {
  // CHECK-LABEL: @fires
  // CHECK: %[[R:.+]] = kern.group hero <rows> {
  // CHECK: %[[E:.+]] = moe.embedding
  // CHECK: %[[A:.+]] = moe.rms_norm %[[E]]
  // CHECK: %[[B:.+]] = moe.rms_norm
  // CHECK: %[[C:.+]] = moe.concat %[[A]], %[[B]]
  // CHECK: kern.yield %[[C]]
  // CHECK: return %[[R]]
  func.func @fires(%ids: tensor<?xi32>, %hidden: tensor<?x8xf32>, %table: tensor<32x8xf32>, %w: tensor<8xf32>, %v: tensor<8xf32>) -> tensor<?x16xf32> {
    %0 = moe.embedding %ids, %table : (tensor<?xi32>, tensor<32x8xf32>) -> tensor<?x8xf32>
    %1 = moe.rms_norm %0, %w {epsilon = 1.0e-6 : f64} : (tensor<?x8xf32>, tensor<8xf32>) -> tensor<?x8xf32>
    %2 = moe.rms_norm %hidden, %v {epsilon = 1.0e-6 : f64} : (tensor<?x8xf32>, tensor<8xf32>) -> tensor<?x8xf32>
    %3 = moe.concat %1, %2 : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x16xf32>
    return %3 : tensor<?x16xf32>
  }

  // A cache row is made by fuse-rope-cache-write, and a norm that is read elsewhere stays outside.
  // CHECK-LABEL: @shared_norm
  // CHECK-NOT: kern.group
  // CHECK: return
  func.func @shared_norm(%x: tensor<?x8xf32>, %w: tensor<8xf32>) -> (tensor<?x16xf32>, tensor<?x8xf32>) {
    %0 = moe.rms_norm %x, %w {epsilon = 1.0e-6 : f64} : (tensor<?x8xf32>, tensor<8xf32>) -> tensor<?x8xf32>
    %1 = moe.concat %x, %0 : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x16xf32>
    return %1, %0 : tensor<?x16xf32>, tensor<?x8xf32>
  }
}
