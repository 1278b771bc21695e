// RUN: moec-opt %s --fuse-rope-cache-write --remarks-filter=fuse-rope-cache-write --verify-diagnostics | FileCheck %s

!cache = !moe.cache<8xf32, page = 4>

module attributes {kern.target = "test:concat"} {
  // CHECK-LABEL: @target_refuses
  // CHECK-NOT: kern.group
  func.func @target_refuses(%x: tensor<?x4xf32>, %cache: !cache, %positions: tensor<?xi32>, %sequences: tensor<?xi32>, %table: tensor<?x?xi32>) -> !cache {
    // expected-remark @below {{the test target does not fuse moe.concat into rows kernels}}
    %0 = moe.concat %x, %x : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x8xf32>
    %1 = moe.cache_append %cache, %0, %positions, %sequences, %table : (!cache, tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> !cache
    return %1 : !cache
  }

  // CHECK-LABEL: @row_read_too
  // CHECK-NOT: kern.group
  func.func @row_read_too(%x: tensor<?x8xf32>, %w: tensor<8xf32>, %cache: !cache, %positions: tensor<?xi32>, %sequences: tensor<?xi32>, %table: tensor<?x?xi32>) -> (!cache, tensor<?x8xf32>) {
    // expected-remark @below {{the value is used by another op too}}
    %0 = moe.rms_norm %x, %w {epsilon = 1.0e-6 : f64} : (tensor<?x8xf32>, tensor<8xf32>) -> tensor<?x8xf32>
    %1 = moe.cache_append %cache, %0, %positions, %sequences, %table : (!cache, tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> !cache
    return %1, %0 : !cache, tensor<?x8xf32>
  }
}
