// RUN: moec-opt %s --fuse-sibling-rows | FileCheck %s
// RUN: moec-opt %s --fuse-sibling-rows --check-numerics -o %t

!cache = !moe.cache<4xf32, page = 4>

module attributes {kern.target = "test"} {
  // The later group moves up, its slice with it; results keep their order.
  // CHECK-LABEL: @fires
  // CHECK: %[[A:.+]] = moe.slice %{{.+}} {offset = 0
  // CHECK: %[[B:.+]] = moe.slice %{{.+}} {offset = 8
  // CHECK: %[[R:.+]]:2 = kern.group hero <rows> {
  // CHECK: %[[N:.+]] = moe.rms_norm %[[A]]
  // CHECK: %[[C:.+]] = moe.cache_append %{{.+}}, %[[B]]
  // CHECK: kern.yield %[[N]], %[[C]] : tensor<?x8xf32>, !moe.cache
  // CHECK: %[[Y:.+]] = kern.group hero <matmul> {
  // CHECK: moe.linear %[[R]]#0
  // CHECK: return %[[Y]], %[[R]]#1
  func.func @fires(%x0: tensor<?x12xf32> {moe.input = "hidden"}, %w: tensor<8xf32>, %p: tensor<4x8xf32>, %cache: !cache {moe.input = "cache"}, %positions: tensor<?xi32> {moe.input = "positions"}, %sequences: tensor<?xi32> {moe.input = "sequence_ids"}, %table: tensor<?x?xi32> {moe.input = "block_table"}) -> (tensor<?x4xf32>, !cache) {
    %x = kern.group hero <pointwise> {
      %0 = moe.add %x0, %x0 : tensor<?x12xf32>
      kern.yield %0 : tensor<?x12xf32>
    } : tensor<?x12xf32>
    %a = moe.slice %x {offset = 0 : i64} : (tensor<?x12xf32>) -> tensor<?x8xf32>
    %q = kern.group hero <rows> {
      %0 = moe.rms_norm %a, %w {epsilon = 1.0e-6 : f64} : (tensor<?x8xf32>, tensor<8xf32>) -> tensor<?x8xf32>
      kern.yield %0 : tensor<?x8xf32>
    } : tensor<?x8xf32>
    %y = kern.group hero <matmul> {
      %0 = moe.linear %q, %p : (tensor<?x8xf32>, tensor<4x8xf32>) -> tensor<?x4xf32>
      kern.yield %0 : tensor<?x4xf32>
    } : tensor<?x4xf32>
    %b = moe.slice %x {offset = 8 : i64} : (tensor<?x12xf32>) -> tensor<?x4xf32>
    %c = kern.group hero <rows> {
      %0 = moe.cache_append %cache, %b, %positions, %sequences, %table : (!cache, tensor<?x4xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> !cache
      kern.yield %0 : !cache
    } : !cache
    return %y, %c : tensor<?x4xf32>, !cache
  }

  // Three siblings of different widths become one.
  // CHECK-LABEL: @three
  // CHECK: kern.group hero <pointwise>
  // CHECK: kern.group hero <rows> {
  // CHECK: moe.rms_norm
  // CHECK: moe.quantize
  // CHECK: moe.add
  // CHECK: kern.yield %{{.+}}, %{{.+}}, %{{.+}} : tensor<?x8xf32>, !moe.qtensor<?x128x{{.+}}>, tensor<?x136xf32>
  // CHECK-NOT: kern.group
  // CHECK: return
  func.func @three(%x0: tensor<?x136xf32> {moe.input = "hidden"}, %w: tensor<8xf32>) -> (tensor<?x8xf32>, !moe.qtensor<?x128xf8E4M3FN, block = [1, 128], scale = f32>, tensor<?x136xf32>) {
    %x = kern.group hero <pointwise> {
      %0 = moe.add %x0, %x0 : tensor<?x136xf32>
      kern.yield %0 : tensor<?x136xf32>
    } : tensor<?x136xf32>
    %a = moe.slice %x {offset = 0 : i64} : (tensor<?x136xf32>) -> tensor<?x8xf32>
    %b = moe.slice %x {offset = 8 : i64} : (tensor<?x136xf32>) -> tensor<?x128xf32>
    %0 = kern.group hero <rows> {
      %n = moe.rms_norm %a, %w {epsilon = 1.0e-6 : f64} : (tensor<?x8xf32>, tensor<8xf32>) -> tensor<?x8xf32>
      kern.yield %n : tensor<?x8xf32>
    } : tensor<?x8xf32>
    %1 = kern.group hero <rows> {
      %q = moe.quantize %b : (tensor<?x128xf32>) -> !moe.qtensor<?x128xf8E4M3FN, block = [1, 128], scale = f32>
      kern.yield %q : !moe.qtensor<?x128xf8E4M3FN, block = [1, 128], scale = f32>
    } : !moe.qtensor<?x128xf8E4M3FN, block = [1, 128], scale = f32>
    %2 = kern.group hero <pointwise> {
      %s = moe.add %x, %x : tensor<?x136xf32>
      kern.yield %s : tensor<?x136xf32>
    } : tensor<?x136xf32>
    return %0, %1, %2 : tensor<?x8xf32>, !moe.qtensor<?x128xf8E4M3FN, block = [1, 128], scale = f32>, tensor<?x136xf32>
  }

  // Rows of tokens and gathered rows are not the same rows; two arguments are no producer.
  // CHECK-LABEL: @other_rows
  // CHECK-COUNT-4: kern.group
  // CHECK: return
  func.func @other_rows(%x0: tensor<?x8xf32> {moe.input = "hidden"}, %rows: tensor<?xi32> {moe.input = "output_rows"}, %w: tensor<8xf32>) -> (tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>) {
    %x = kern.group hero <pointwise> {
      %0 = moe.add %x0, %x0 : tensor<?x8xf32>
      kern.yield %0 : tensor<?x8xf32>
    } : tensor<?x8xf32>
    %0 = kern.group hero <rows> {
      %n = moe.rms_norm %x, %w {epsilon = 1.0e-6 : f64} : (tensor<?x8xf32>, tensor<8xf32>) -> tensor<?x8xf32>
      kern.yield %n : tensor<?x8xf32>
    } : tensor<?x8xf32>
    %1 = kern.group hero <rows> {
      %g = moe.gather_rows %x, %rows : (tensor<?x8xf32>, tensor<?xi32>) -> tensor<?x8xf32>
      kern.yield %g : tensor<?x8xf32>
    } : tensor<?x8xf32>
    %2 = kern.group hero <pointwise> {
      %s = moe.add %x0, %x0 : tensor<?x8xf32>
      kern.yield %s : tensor<?x8xf32>
    } : tensor<?x8xf32>
    return %0, %1, %2 : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>
  }
}
