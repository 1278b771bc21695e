// RUN: moec-opt %s --fuse-router --split-input-file --remarks-filter=fuse-router --verify-diagnostics | FileCheck %s

module attributes {kern.target = "test"} {
  // CHECK-LABEL: @logits_are_an_input
  // CHECK-NOT: kern.group
  // CHECK: return
  func.func @logits_are_an_input(%logits: tensor<?x4xf32> {moe.input = "hidden"}) -> tensor<?x2xi32> {
    // expected-remark @below {{the logits are not made by a moe.linear}}
    %ids, %weights = moe.gate %logits {scoring = #moe<scoring softmax>, top_k = 2 : i64} : (tensor<?x4xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
    return %ids : tensor<?x2xi32>
  }

  // CHECK-LABEL: @logits_escape
  // CHECK-NOT: kern.group
  // CHECK: return
  func.func @logits_escape(%x: tensor<?x8xf32> {moe.input = "hidden"}, %router: tensor<4x8xf32>) -> (tensor<?x2xi32>, tensor<?x4xf32>) {
    %0 = moe.linear %x, %router : (tensor<?x8xf32>, tensor<4x8xf32>) -> tensor<?x4xf32>
    // expected-remark @below {{the logits are used by another op too}}
    %ids, %weights = moe.gate %0 {scoring = #moe<scoring softmax>, top_k = 2 : i64} : (tensor<?x4xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
    return %ids, %0 : tensor<?x2xi32>, tensor<?x4xf32>
  }
}

// -----

module attributes {kern.target = "test:linear,gate"} {
  // CHECK-LABEL: @target_refuses
  // CHECK-NOT: kern.group
  // CHECK: return
  func.func @target_refuses(%x: tensor<?x8xf32> {moe.input = "hidden"}, %router: tensor<4x8xf32>) -> tensor<?x2xi32> {
    // expected-remark @below {{the test target does not fuse moe.linear into routing kernels}}
    %0 = moe.linear %x, %router : (tensor<?x8xf32>, tensor<4x8xf32>) -> tensor<?x4xf32>
    %ids, %weights = moe.gate %0 {scoring = #moe<scoring softmax>, top_k = 2 : i64} : (tensor<?x4xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
    return %ids : tensor<?x2xi32>
  }
}
