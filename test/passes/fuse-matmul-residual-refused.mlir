// RUN: moec-opt %s --fuse-matmul-residual --split-input-file --remarks-filter=fuse-matmul-residual --verify-diagnostics | FileCheck %s

module attributes {kern.target = "test"} {
  // CHECK-LABEL: @product_read_twice
  // CHECK-NOT: kern.group
  // CHECK: return
  func.func @product_read_twice(%x: tensor<?x8xf32>, %w: tensor<4x8xf32>, %residual: tensor<?x4xf32>) -> (tensor<?x4xf32>, tensor<?x4xf32>) {
    // expected-remark @below {{another op reads the product too}}
    %0 = moe.linear %x, %w : (tensor<?x8xf32>, tensor<4x8xf32>) -> tensor<?x4xf32>
    %1 = moe.add %residual, %0 : tensor<?x4xf32>
    return %0, %1 : tensor<?x4xf32>, tensor<?x4xf32>
  }
}

// -----

module attributes {kern.target = "test:add"} {
  // CHECK-LABEL: @target_refuses
  // CHECK-NOT: kern.group
  // CHECK: return
  func.func @target_refuses(%x: tensor<?x8xf32>, %w: tensor<4x8xf32>, %residual: tensor<?x4xf32>) -> tensor<?x4xf32> {
    %0 = moe.linear %x, %w : (tensor<?x8xf32>, tensor<4x8xf32>) -> tensor<?x4xf32>
    // expected-remark @below {{the test target does not fuse moe.add into matmul kernels}}
    %1 = moe.add %residual, %0 : tensor<?x4xf32>
    return %1 : tensor<?x4xf32>
  }
}
