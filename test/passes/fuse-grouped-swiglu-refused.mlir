// RUN: moec-opt %s --split-input-file --fuse-grouped-swiglu --remarks-filter=fuse-grouped-swiglu --verify-diagnostics | FileCheck %s

!quantized = !moe.qtensor<?x128xf8E4M3FN, block = [1, 128], scale = f32>

module attributes {kern.target = "test:swiglu"} {
  moe.weight @gate_up : tensor<4x256x8xf32> = #moe.concat<axis = 1, sizes = [128, 128], [#moe.stack<"experts.{}.gate", 4>, #moe.stack<"experts.{}.up", 4>]>

  // CHECK-LABEL: @target_refuses_swiglu
  // CHECK-NOT: kern.group
  func.func @target_refuses_swiglu(%x: tensor<?x8xf32>, %ids: tensor<?x2xi32>) -> !quantized {
    %w = moe.param @gate_up : tensor<4x256x8xf32>
    %rows, %slots, %offsets = moe.permute %ids : (tensor<?x2xi32>) -> (tensor<?xi32>, tensor<?x2xi32>, tensor<5xi32>)
    %0 = moe.grouped_linear %x, %w, %offsets, %rows {top_k = 2 : i64} : (tensor<?x8xf32>, tensor<4x256x8xf32>, tensor<5xi32>, tensor<?xi32>) -> tensor<?x256xf32>
    %1 = moe.slice %0 {offset = 0 : i64} : (tensor<?x256xf32>) -> tensor<?x128xf32>
    %2 = moe.slice %0 {offset = 128 : i64} : (tensor<?x256xf32>) -> tensor<?x128xf32>
    // expected-remark @below {{the test target does not fuse moe.swiglu into grouped_matmul kernels}}
    %3 = moe.swiglu %1, %2 : tensor<?x128xf32>
    %4 = moe.quantize %3 : (tensor<?x128xf32>) -> !quantized
    return %4 : !quantized
  }
}

// -----

!quantized = !moe.qtensor<?x128xf8E4M3FN, block = [1, 128], scale = f32>

module attributes {kern.target = "test:quantize"} {
  moe.weight @gate_up : tensor<4x256x8xf32> = #moe.concat<axis = 1, sizes = [128, 128], [#moe.stack<"experts.{}.gate", 4>, #moe.stack<"experts.{}.up", 4>]>

  // The rest is fused all the same.
  // CHECK-LABEL: @target_refuses_quantize
  // CHECK: kern.group hero <grouped_matmul>
  // CHECK: kern.yield {{.*}} : tensor<?x128xf32>
  // CHECK: moe.quantize
  func.func @target_refuses_quantize(%x: tensor<?x8xf32>, %ids: tensor<?x2xi32>) -> !quantized {
    %w = moe.param @gate_up : tensor<4x256x8xf32>
    %rows, %slots, %offsets = moe.permute %ids : (tensor<?x2xi32>) -> (tensor<?xi32>, tensor<?x2xi32>, tensor<5xi32>)
    // expected-remark @below {{fused 4 ops}}
    %0 = moe.grouped_linear %x, %w, %offsets, %rows {top_k = 2 : i64} : (tensor<?x8xf32>, tensor<4x256x8xf32>, tensor<5xi32>, tensor<?xi32>) -> tensor<?x256xf32>
    %1 = moe.slice %0 {offset = 0 : i64} : (tensor<?x256xf32>) -> tensor<?x128xf32>
    %2 = moe.slice %0 {offset = 128 : i64} : (tensor<?x256xf32>) -> tensor<?x128xf32>
    %3 = moe.swiglu %1, %2 : tensor<?x128xf32>
    // expected-remark @below {{the test target does not fuse moe.quantize}}
    %4 = moe.quantize %3 : (tensor<?x128xf32>) -> !quantized
    return %4 : !quantized
  }
}

// -----

!quantized = !moe.qtensor<?x128xf8E4M3FN, block = [1, 128], scale = f32>

module attributes {kern.target = "test"} {
  moe.weight @gate_up : tensor<4x256x8xf32> = #moe.concat<axis = 1, sizes = [128, 128], [#moe.stack<"experts.{}.gate", 4>, #moe.stack<"experts.{}.up", 4>]>

  // CHECK-LABEL: @product_read_twice
  // CHECK-NOT: kern.group
  func.func @product_read_twice(%x: tensor<?x8xf32>, %ids: tensor<?x2xi32>) -> (tensor<?x128xf32>, tensor<?x256xf32>) {
    %w = moe.param @gate_up : tensor<4x256x8xf32>
    %rows, %slots, %offsets = moe.permute %ids : (tensor<?x2xi32>) -> (tensor<?xi32>, tensor<?x2xi32>, tensor<5xi32>)
    %0 = moe.grouped_linear %x, %w, %offsets, %rows {top_k = 2 : i64} : (tensor<?x8xf32>, tensor<4x256x8xf32>, tensor<5xi32>, tensor<?xi32>) -> tensor<?x256xf32>
    %1 = moe.slice %0 {offset = 0 : i64} : (tensor<?x256xf32>) -> tensor<?x128xf32>
    %2 = moe.slice %0 {offset = 128 : i64} : (tensor<?x256xf32>) -> tensor<?x128xf32>
    // expected-remark @below {{another op reads the product too}}
    %3 = moe.swiglu %1, %2 : tensor<?x128xf32>
    return %3, %0 : tensor<?x128xf32>, tensor<?x256xf32>
  }

  // CHECK-LABEL: @gate_read_twice
  // CHECK-NOT: kern.group
  func.func @gate_read_twice(%x: tensor<?x8xf32>, %ids: tensor<?x2xi32>) -> (tensor<?x128xf32>, tensor<?x128xf32>) {
    %w = moe.param @gate_up : tensor<4x256x8xf32>
    %rows, %slots, %offsets = moe.permute %ids : (tensor<?x2xi32>) -> (tensor<?xi32>, tensor<?x2xi32>, tensor<5xi32>)
    %0 = moe.grouped_linear %x, %w, %offsets, %rows {top_k = 2 : i64} : (tensor<?x8xf32>, tensor<4x256x8xf32>, tensor<5xi32>, tensor<?xi32>) -> tensor<?x256xf32>
    %1 = moe.slice %0 {offset = 0 : i64} : (tensor<?x256xf32>) -> tensor<?x128xf32>
    %2 = moe.slice %0 {offset = 128 : i64} : (tensor<?x256xf32>) -> tensor<?x128xf32>
    // expected-remark @below {{another op reads the gate or what it gates too}}
    %3 = moe.swiglu %1, %2 : tensor<?x128xf32>
    return %3, %1 : tensor<?x128xf32>, tensor<?x128xf32>
  }

  // CHECK-LABEL: @not_merged
  // CHECK-NOT: kern.group
  func.func @not_merged(%x: tensor<?x8xf32>, %ids: tensor<?x2xi32>) -> tensor<?x256xf32> {
    %w = moe.param @gate_up : tensor<4x256x8xf32>
    %rows, %slots, %offsets = moe.permute %ids : (tensor<?x2xi32>) -> (tensor<?xi32>, tensor<?x2xi32>, tensor<5xi32>)
    %0 = moe.grouped_linear %x, %w, %offsets, %rows {top_k = 2 : i64} : (tensor<?x8xf32>, tensor<4x256x8xf32>, tensor<5xi32>, tensor<?xi32>) -> tensor<?x256xf32>
    %1 = moe.grouped_linear %x, %w, %offsets, %rows {top_k = 2 : i64} : (tensor<?x8xf32>, tensor<4x256x8xf32>, tensor<5xi32>, tensor<?xi32>) -> tensor<?x256xf32>
    // expected-remark @below {{gate and up are made by two products; merge-linears makes one of them}}
    %2 = moe.swiglu %0, %1 : tensor<?x256xf32>
    return %2 : tensor<?x256xf32>
  }
}
