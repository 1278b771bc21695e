// RUN: moec-opt %s --fuse-down-combine --split-input-file --remarks-filter=fuse-down-combine --verify-diagnostics | FileCheck %s

module attributes {kern.target = "test"} {
  // CHECK-LABEL: @product_read_twice
  // CHECK-NOT: kern.group
  // CHECK: return
  func.func @product_read_twice(%x: tensor<?x16xf32>, %w: tensor<4x8x16xf32>, %ids: tensor<?x2xi32>, %weights: tensor<?x2xf32>) -> (tensor<?x8xf32>, tensor<?x8xf32>) {
    %rows, %slots, %offsets = moe.permute %ids : (tensor<?x2xi32>) -> (tensor<?xi32>, tensor<?x2xi32>, tensor<5xi32>)
    %y = moe.grouped_linear %x, %w, %offsets : (tensor<?x16xf32>, tensor<4x8x16xf32>, tensor<5xi32>) -> tensor<?x8xf32>
    // expected-remark @below {{another op reads the product too}}
    %c = moe.combine %y, %slots, %weights : (tensor<?x8xf32>, tensor<?x2xi32>, tensor<?x2xf32>) -> tensor<?x8xf32>
    return %c, %y : tensor<?x8xf32>, tensor<?x8xf32>
  }

  // CHECK-LABEL: @no_product
  // CHECK-NOT: kern.group
  // CHECK: return
  func.func @no_product(%y: tensor<?x8xf32>, %slots: tensor<?x2xi32>, %weights: tensor<?x2xf32>) -> tensor<?x8xf32> {
    // expected-remark @below {{no moe.grouped_linear makes its slots}}
    %c = moe.combine %y, %slots, %weights : (tensor<?x8xf32>, tensor<?x2xi32>, tensor<?x2xf32>) -> tensor<?x8xf32>
    return %c : tensor<?x8xf32>
  }

  // CHECK-LABEL: @product_gathers
  // CHECK-NOT: kern.group
  // CHECK: return
  func.func @product_gathers(%x: tensor<?x16xf32>, %w: tensor<4x8x16xf32>, %ids: tensor<?x2xi32>, %weights: tensor<?x2xf32>) -> tensor<?x8xf32> {
    %rows, %slots, %offsets = moe.permute %ids : (tensor<?x2xi32>) -> (tensor<?xi32>, tensor<?x2xi32>, tensor<5xi32>)
    %y = moe.grouped_linear %x, %w, %offsets, %rows {top_k = 2 : i64} : (tensor<?x16xf32>, tensor<4x8x16xf32>, tensor<5xi32>, tensor<?xi32>) -> tensor<?x8xf32>
    // expected-remark @below {{the product gathers its rows itself}}
    %c = moe.combine %y, %slots, %weights : (tensor<?x8xf32>, tensor<?x2xi32>, tensor<?x2xf32>) -> tensor<?x8xf32>
    return %c : tensor<?x8xf32>
  }

  // CHECK-LABEL: @no_permutation
  // CHECK-NOT: kern.group
  // CHECK: return
  func.func @no_permutation(%x: tensor<?x16xf32>, %w: tensor<4x8x16xf32>, %slots: tensor<?x2xi32>, %weights: tensor<?x2xf32>, %offsets: tensor<5xi32>) -> tensor<?x8xf32> {
    %y = moe.grouped_linear %x, %w, %offsets : (tensor<?x16xf32>, tensor<4x8x16xf32>, tensor<5xi32>) -> tensor<?x8xf32>
    // expected-remark @below {{slots and offsets are not made by one moe.permute}}
    %c = moe.combine %y, %slots, %weights : (tensor<?x8xf32>, tensor<?x2xi32>, tensor<?x2xf32>) -> tensor<?x8xf32>
    return %c : tensor<?x8xf32>
  }
}

// -----

module attributes {kern.target = "test:combine"} {
  // CHECK-LABEL: @target_refuses
  // CHECK-NOT: kern.group
  // CHECK: return
  func.func @target_refuses(%x: tensor<?x16xf32>, %w: tensor<4x8x16xf32>, %ids: tensor<?x2xi32>, %weights: tensor<?x2xf32>) -> tensor<?x8xf32> {
    %rows, %slots, %offsets = moe.permute %ids : (tensor<?x2xi32>) -> (tensor<?xi32>, tensor<?x2xi32>, tensor<5xi32>)
    %y = moe.grouped_linear %x, %w, %offsets : (tensor<?x16xf32>, tensor<4x8x16xf32>, tensor<5xi32>) -> tensor<?x8xf32>
    // expected-remark @below {{the test target does not fuse moe.combine into grouped_matmul kernels}}
    %c = moe.combine %y, %slots, %weights : (tensor<?x8xf32>, tensor<?x2xi32>, tensor<?x2xf32>) -> tensor<?x8xf32>
    return %c : tensor<?x8xf32>
  }
}
