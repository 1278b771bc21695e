// RUN: moec-opt %s --settle-arguments | FileCheck %s
// RUN: moec-opt %s --settle-arguments --remarks-filter=settle-arguments 2>&1 >/dev/null | FileCheck %s --check-prefix REMARK

module attributes {kern.target = "test"} {
kern.kernel @offsets(%i: tensor<?x1xi32>) -> tensor<3xi32>
    attributes {hero = #kern.hero<permutation>, rows = [#kern.rows<tokens * 1>, unit], row_strides = array<i64: 1, 0>} {
  %r, %s, %o = moe.permute %i : (tensor<?x1xi32>) -> (tensor<?xi32>, tensor<?x1xi32>, tensor<3xi32>)
  kern.yield %o : tensor<3xi32>
}
kern.kernel @add(%x: tensor<?x8xf32>) -> tensor<?x8xf32>
    attributes {hero = #kern.hero<rows>, rows = [#kern.rows<tokens * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 8, 8>} {
  %0 = moe.add %x, %x : tensor<?x8xf32>
  kern.yield %0 : tensor<?x8xf32>
}

// The launch before the second product has itself waited for the sort.
// CHECK-LABEL: kern.kernel @gates
// CHECK-NOT: settled
// CHECK-LABEL: kern.kernel @down
// CHECK-SAME: settled = array<i64: 2>
// REMARK-DAG: the launch before writes it
// REMARK-DAG: reads arguments before the launch before has ended
kern.kernel @gates(%x: tensor<?x8xf32>, %w: tensor<2x8x8xf32>, %o: tensor<3xi32>) -> tensor<?x8xf32>
    attributes {hero = #kern.hero<grouped_matmul>, rows = [#kern.rows<tokens * 1>, unit, unit, #kern.rows<tokens * 1>], row_strides = array<i64: 8, 0, 0, 8>} {
  %0 = moe.grouped_linear %x, %w, %o : (tensor<?x8xf32>, tensor<2x8x8xf32>, tensor<3xi32>) -> tensor<?x8xf32>
  kern.yield %0 : tensor<?x8xf32>
}
kern.kernel @down(%x: tensor<?x8xf32>, %w: tensor<2x8x8xf32>, %o: tensor<3xi32>) -> tensor<?x8xf32>
    attributes {hero = #kern.hero<grouped_matmul>, rows = [#kern.rows<tokens * 1>, unit, unit, #kern.rows<tokens * 1>], row_strides = array<i64: 8, 0, 0, 8>} {
  %0 = moe.grouped_linear %x, %w, %o : (tensor<?x8xf32>, tensor<2x8x8xf32>, tensor<3xi32>) -> tensor<?x8xf32>
  kern.yield %0 : tensor<?x8xf32>
}
func.func @experts(%i: tensor<?x1xi32>, %x: tensor<?x8xf32>, %w: tensor<2x8x8xf32>) -> tensor<?x8xf32> {
  %o = kern.launch @offsets(%i) : (tensor<?x1xi32>) -> tensor<3xi32>
  %h = kern.launch @gates(%x, %w, %o) : (tensor<?x8xf32>, tensor<2x8x8xf32>, tensor<3xi32>) -> tensor<?x8xf32>
  %y = kern.launch @down(%h, %w, %o) : (tensor<?x8xf32>, tensor<2x8x8xf32>, tensor<3xi32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// The one before does not wait before it lets the next begin. So it is where a kernel is launched twice, once like this.
// CHECK-LABEL: kern.kernel @behind_rows
// CHECK-NOT: settled
// CHECK-LABEL: func.func @rows_between
// REMARK-DAG: the launch before lets this one begin at once
kern.kernel @behind_rows(%x: tensor<?x8xf32>, %w: tensor<2x8x8xf32>, %o: tensor<3xi32>) -> tensor<?x8xf32>
    attributes {hero = #kern.hero<grouped_matmul>, rows = [#kern.rows<tokens * 1>, unit, unit, #kern.rows<tokens * 1>], row_strides = array<i64: 8, 0, 0, 8>} {
  %0 = moe.grouped_linear %x, %w, %o : (tensor<?x8xf32>, tensor<2x8x8xf32>, tensor<3xi32>) -> tensor<?x8xf32>
  kern.yield %0 : tensor<?x8xf32>
}
func.func @rows_between(%i: tensor<?x1xi32>, %x: tensor<?x8xf32>, %w: tensor<2x8x8xf32>) -> tensor<?x8xf32> {
  %o = kern.launch @offsets(%i) : (tensor<?x1xi32>) -> tensor<3xi32>
  %h = kern.launch @gates(%x, %w, %o) : (tensor<?x8xf32>, tensor<2x8x8xf32>, tensor<3xi32>) -> tensor<?x8xf32>
  %y = kern.launch @behind_rows(%h, %w, %o) : (tensor<?x8xf32>, tensor<2x8x8xf32>, tensor<3xi32>) -> tensor<?x8xf32>
  %s = kern.launch @add(%y) : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %z = kern.launch @behind_rows(%s, %w, %o) : (tensor<?x8xf32>, tensor<2x8x8xf32>, tensor<3xi32>) -> tensor<?x8xf32>
  return %z : tensor<?x8xf32>
}
}
