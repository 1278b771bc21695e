// RUN: moec-opt %s --split-input-file --fuse-matmul-swiglu --interleave-gates --remarks-filter=interleave-gates --verify-diagnostics | FileCheck %s

module attributes {kern.target = "test"} {
  moe.weight @gate_up : tensor<256x8xf32> = #moe.concat<axis = 0, sizes = [128, 128], [#moe.checkpoint<"gate">, #moe.checkpoint<"up">]>

  // CHECK-LABEL: @not_asked
  // CHECK-NOT: moe.deinterleave
  func.func @not_asked(%x: tensor<?x8xf32>) -> tensor<?x128xf32> {
    %w = moe.param @gate_up : tensor<256x8xf32>
    // expected-remark @below {{the target reads gates and what they gate from two places}}
    %0 = moe.linear %x, %w : (tensor<?x8xf32>, tensor<256x8xf32>) -> tensor<?x256xf32>
    %1 = moe.slice %0 {offset = 0 : i64} : (tensor<?x256xf32>) -> tensor<?x128xf32>
    %2 = moe.slice %0 {offset = 128 : i64} : (tensor<?x256xf32>) -> tensor<?x128xf32>
    %3 = moe.swiglu %1, %2 : tensor<?x128xf32>
    return %3 : tensor<?x128xf32>
  }
}

// -----

module attributes {kern.target = "test:interleave=64"} {
  moe.weight @gate_up : tensor<256x8xf32> = #moe.checkpoint<"both">

  // CHECK-LABEL: @one_tensor
  // CHECK-NOT: moe.deinterleave
  func.func @one_tensor(%x: tensor<?x8xf32>) -> tensor<?x128xf32> {
    %w = moe.param @gate_up : tensor<256x8xf32>
    // expected-remark @below {{the weight is not made of gates and as many rows that they gate}}
    %0 = moe.linear %x, %w : (tensor<?x8xf32>, tensor<256x8xf32>) -> tensor<?x256xf32>
    %1 = moe.slice %0 {offset = 0 : i64} : (tensor<?x256xf32>) -> tensor<?x128xf32>
    %2 = moe.slice %0 {offset = 128 : i64} : (tensor<?x256xf32>) -> tensor<?x128xf32>
    %3 = moe.swiglu %1, %2 : tensor<?x128xf32>
    return %3 : tensor<?x128xf32>
  }
}

// -----

module attributes {kern.target = "test:interleave=64"} {
  moe.weight @gate_up : tensor<256x8xf32> = #moe.concat<axis = 0, sizes = [128, 128], [#moe.checkpoint<"gate">, #moe.checkpoint<"up">]>

  // CHECK-LABEL: @used_elsewhere
  // CHECK-NOT: moe.deinterleave
  func.func @used_elsewhere(%x: tensor<?x8xf32>) -> tensor<?x128xf32> {
    %w = moe.param @gate_up : tensor<256x8xf32>
    // expected-remark @below {{weight @gate_up is used elsewhere in another way}}
    %0 = moe.linear %x, %w : (tensor<?x8xf32>, tensor<256x8xf32>) -> tensor<?x256xf32>
    %1 = moe.slice %0 {offset = 0 : i64} : (tensor<?x256xf32>) -> tensor<?x128xf32>
    %2 = moe.slice %0 {offset = 128 : i64} : (tensor<?x256xf32>) -> tensor<?x128xf32>
    %3 = moe.swiglu %1, %2 : tensor<?x128xf32>
    return %3 : tensor<?x128xf32>
  }

  func.func @other(%x: tensor<?x8xf32>) -> tensor<?x256xf32> {
    %w = moe.param @gate_up : tensor<256x8xf32>
    %0 = moe.linear %x, %w : (tensor<?x8xf32>, tensor<256x8xf32>) -> tensor<?x256xf32>
    return %0 : tensor<?x256xf32>
  }
}

// -----

module attributes {kern.target = "test:interleave=64"} {
  moe.weight @gate_up : tensor<256x8xf32> = #moe.concat<axis = 0, sizes = [128, 128], [#moe.checkpoint<"gate">, #moe.checkpoint<"up">]>

  // CHECK-LABEL: @ups_first
  // CHECK-NOT: moe.deinterleave
  func.func @ups_first(%x: tensor<?x8xf32>) -> tensor<?x128xf32> {
    %w = moe.param @gate_up : tensor<256x8xf32>
    // expected-remark @below {{the groups that read weight @gate_up want it in two ways}}
    %0 = moe.linear %x, %w : (tensor<?x8xf32>, tensor<256x8xf32>) -> tensor<?x256xf32>
    %1 = moe.slice %0 {offset = 0 : i64} : (tensor<?x256xf32>) -> tensor<?x128xf32>
    %2 = moe.slice %0 {offset = 128 : i64} : (tensor<?x256xf32>) -> tensor<?x128xf32>
    %3 = moe.swiglu %2, %1 : tensor<?x128xf32>
    return %3 : tensor<?x128xf32>
  }
}

// -----

module attributes {kern.target = "test:interleave=64"} {
  moe.weight @gate_up : !moe.qtensor<256x8xf8E4M3FN, block = [128, 128], scale = f32> = #moe.concat<axis = 0, sizes = [128, 128], [#moe.checkpoint<"gate">, #moe.checkpoint<"up">]>

  // CHECK-LABEL: @parts_scales
  // CHECK-NOT: moe.deinterleave
  func.func @parts_scales(%x: tensor<?x8xf32>) -> tensor<?x128xf32> {
    %w = moe.param @gate_up : !moe.qtensor<256x8xf8E4M3FN, block = [128, 128], scale = f32>
    // expected-remark @below {{rows in blocks of 64 would part rows that share a scale}}
    %0 = moe.linear %x, %w : (tensor<?x8xf32>, !moe.qtensor<256x8xf8E4M3FN, block = [128, 128], scale = f32>) -> tensor<?x256xf32>
    %1 = moe.slice %0 {offset = 0 : i64} : (tensor<?x256xf32>) -> tensor<?x128xf32>
    %2 = moe.slice %0 {offset = 128 : i64} : (tensor<?x256xf32>) -> tensor<?x128xf32>
    %3 = moe.swiglu %1, %2 : tensor<?x128xf32>
    return %3 : tensor<?x128xf32>
  }
}

// -----

module attributes {kern.target = "test:interleave=64"} {
  moe.weight @gate_up : tensor<256x8xf32> = #moe.concat<axis = 0, sizes = [128, 128], [#moe.checkpoint<"gate">, #moe.checkpoint<"up">]>

  // CHECK-LABEL: @with_bias
  // CHECK-NOT: moe.deinterleave
  func.func @with_bias(%x: tensor<?x8xf32>, %bias: tensor<256xf32>) -> tensor<?x128xf32> {
    %w = moe.param @gate_up : tensor<256x8xf32>
    // expected-remark @below {{the product has a bias, whose elements would have to follow the rows}}
    %0 = moe.linear %x, %w, %bias : (tensor<?x8xf32>, tensor<256x8xf32>, tensor<256xf32>) -> tensor<?x256xf32>
    %1 = moe.slice %0 {offset = 0 : i64} : (tensor<?x256xf32>) -> tensor<?x128xf32>
    %2 = moe.slice %0 {offset = 128 : i64} : (tensor<?x256xf32>) -> tensor<?x128xf32>
    %3 = moe.swiglu %1, %2 : tensor<?x128xf32>
    return %3 : tensor<?x128xf32>
  }
}
