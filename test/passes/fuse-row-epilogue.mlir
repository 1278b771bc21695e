// RUN: moec-opt %s --fuse-row-epilogue | FileCheck %s
// RUN: moec-opt %s --fuse-row-epilogue --check-numerics -o %t

module attributes {kern.target = "test"} {
  // CHECK-LABEL: @fires
  // CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<?x8xf32>
  // CHECK: %[[R:.+]]:2 = kern.group hero <matmul> {
  // CHECK: %[[L:.+]] = moe.linear %[[X]]
  // CHECK: %[[S:.+]] = moe.add %[[L]], %[[X]]
  // CHECK: %[[N:.+]] = moe.rms_norm %[[S]]
  // CHECK: kern.yield %[[S]], %[[N]] : tensor<?x8xf32>, tensor<?x8xf32>
  // CHECK: return %[[R]]#0, %[[R]]#1
  func.func @fires(%x: tensor<?x8xf32> {moe.input = "hidden"}, %w: tensor<8x8xf32>, %n: tensor<8xf32>) -> (tensor<?x8xf32>, tensor<?x8xf32>) {
    %y = kern.group hero <matmul> {
      %0 = moe.linear %x, %w : (tensor<?x8xf32>, tensor<8x8xf32>) -> tensor<?x8xf32>
      %1 = moe.add %0, %x : tensor<?x8xf32>
      kern.yield %1 : tensor<?x8xf32>
    } : tensor<?x8xf32>
    %z = kern.group hero <rows> {
      %0 = moe.rms_norm %y, %n {epsilon = 1.0e-6 : f64} : (tensor<?x8xf32>, tensor<8xf32>) -> tensor<?x8xf32>
      kern.yield %0 : tensor<?x8xf32>
    } : tensor<?x8xf32>
    return %y, %z : tensor<?x8xf32>, tensor<?x8xf32>
  }

  // A slice that only the rows read goes along; one that is read elsewhere too stays, as a view of the result.
  // CHECK-LABEL: @slices
  // CHECK: %[[R:.+]]:2 = kern.group hero <matmul> {
  // CHECK: %[[L:.+]] = moe.linear
  // CHECK-DAG: %[[A:.+]] = moe.slice %[[L]] {offset = 0
  // CHECK-DAG: %[[B:.+]] = moe.slice %[[L]] {offset = 4
  // CHECK: moe.add %[[A]], %[[B]]
  // CHECK: }
  // CHECK: %[[V:.+]] = moe.slice %[[R]]#0 {offset = 4
  // CHECK-NOT: moe.slice
  // CHECK: return %[[R]]#1, %[[V]]
  func.func @slices(%x: tensor<?x8xf32> {moe.input = "hidden"}, %w: tensor<8x8xf32>) -> (tensor<?x4xf32>, tensor<?x4xf32>) {
    %y = kern.group hero <matmul> {
      %0 = moe.linear %x, %w : (tensor<?x8xf32>, tensor<8x8xf32>) -> tensor<?x8xf32>
      kern.yield %0 : tensor<?x8xf32>
    } : tensor<?x8xf32>
    %a = moe.slice %y {offset = 0 : i64} : (tensor<?x8xf32>) -> tensor<?x4xf32>
    %b = moe.slice %y {offset = 4 : i64} : (tensor<?x8xf32>) -> tensor<?x4xf32>
    %z = kern.group hero <pointwise> {
      %0 = moe.add %a, %b : tensor<?x4xf32>
      kern.yield %0 : tensor<?x4xf32>
    } : tensor<?x4xf32>
    return %z, %b : tensor<?x4xf32>, tensor<?x4xf32>
  }

  // Rows behind rows; and sorting behind the choices.
  // CHECK-LABEL: @rows_and_sort
  // CHECK: kern.group hero <rows> {
  // CHECK: moe.embedding
  // CHECK: moe.rms_norm
  // CHECK: kern.group hero <matmul> {
  // CHECK: moe.linear
  // CHECK: %[[IDS:.+]], %{{.+}} = moe.gate
  // CHECK: moe.permute %[[IDS]]
  // CHECK-NOT: kern.group
  func.func @rows_and_sort(%ids: tensor<?xi32> {moe.input = "token_ids"}, %table: tensor<32x8xf32>, %n: tensor<8xf32>, %w: tensor<4x8xf32>) -> (tensor<?xi32>, tensor<5xi32>) {
    %x = kern.group hero <rows> {
      %0 = moe.embedding %ids, %table : (tensor<?xi32>, tensor<32x8xf32>) -> tensor<?x8xf32>
      kern.yield %0 : tensor<?x8xf32>
    } : tensor<?x8xf32>
    %y = kern.group hero <rows> {
      %0 = moe.rms_norm %x, %n {epsilon = 1.0e-6 : f64} : (tensor<?x8xf32>, tensor<8xf32>) -> tensor<?x8xf32>
      kern.yield %0 : tensor<?x8xf32>
    } : tensor<?x8xf32>
    %l = kern.group hero <matmul> {
      %0 = moe.linear %y, %w : (tensor<?x8xf32>, tensor<4x8xf32>) -> tensor<?x4xf32>
      kern.yield %0 : tensor<?x4xf32>
    } : tensor<?x4xf32>
    %chosen = kern.group hero <routing> {
      %0, %1 = moe.gate %l {scoring = #moe<scoring softmax>, top_k = 2 : i64} : (tensor<?x4xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
      kern.yield %0 : tensor<?x2xi32>
    } : tensor<?x2xi32>
    %p:2 = kern.group hero <permutation> {
      %0, %1, %2 = moe.permute %chosen : (tensor<?x2xi32>) -> (tensor<?xi32>, tensor<?x2xi32>, tensor<5xi32>)
      kern.yield %0, %2 : tensor<?xi32>, tensor<5xi32>
    } : tensor<?xi32>, tensor<5xi32>
    return %p#0, %p#1 : tensor<?xi32>, tensor<5xi32>
  }
}
