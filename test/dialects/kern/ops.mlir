// RUN: moec-opt %s | moec-opt | FileCheck %s
// RUN: moec-opt %s --mlir-print-op-generic | moec-opt | FileCheck %s

// CHECK: kern.kernel @k(%{{.*}}: tensor<?x8xf32>, %{{.*}}: !moe.cache<8xf32, page = 4>) -> tensor<?x8xf32> attributes
// CHECK-SAME: hero = #kern.hero<pointwise>, row_strides = array<i64: 8, 0, 8>, rows = [#kern.rows<tokens * 2>, unit, #kern.rows<output_rows * 1>], schedule = #kern.schedule<{row_tile = 4 : i64}>
kern.kernel @k(%x: tensor<?x8xf32>, %c: !moe.cache<8xf32, page = 4>) -> tensor<?x8xf32> attributes {
    hero = #kern.hero<pointwise>, schedule = #kern.schedule<{row_tile = 4 : i64}>,
    rows = [#kern.rows<tokens * 2>, unit, #kern.rows<output_rows * 1>], row_strides = array<i64: 8, 0, 8>} {
  %0 = moe.add %x, %x : tensor<?x8xf32>
  // CHECK: kern.yield %{{.*}} : tensor<?x8xf32>
  kern.yield %0 : tensor<?x8xf32>
}

// CHECK: kern.kernel @nothing() attributes
kern.kernel @nothing() attributes {hero = #kern.hero<rows>, rows = [], row_strides = array<i64>} {
  kern.yield
}

// CHECK-LABEL: func.func @f
func.func @f(%x: tensor<?x8xf32>, %c: !moe.cache<8xf32, page = 4>) -> tensor<?x8xf32> {
  // CHECK: kern.group hero <matmul> schedule<{row_tile = 4 : i64}> label "here" {
  %0 = kern.group hero <matmul> schedule <{row_tile = 4 : i64}> label "here" {
    %1 = moe.add %x, %x : tensor<?x8xf32>
    kern.yield %1 : tensor<?x8xf32>
  } : tensor<?x8xf32>
  // CHECK: kern.group {
  kern.group {
  }
  // CHECK: kern.launch @k(%{{.*}}, %{{.*}}) label "there" : (tensor<?x8xf32>, !moe.cache<8xf32, page = 4>) -> tensor<?x8xf32>
  %2 = kern.launch @k(%0, %c) label "there" : (tensor<?x8xf32>, !moe.cache<8xf32, page = 4>) -> tensor<?x8xf32>
  // CHECK: kern.launch @nothing() : () -> ()
  kern.launch @nothing() : () -> ()
  return %2 : tensor<?x8xf32>
}

// CHECK: #kern.grid<dim = tokens, multiplier = 8, divisor = 16, cap = 3, factor = 2>
// CHECK-SAME: #kern.grid<dim = sequences>
// CHECK-SAME: #kern.hero<rows>, #kern.hero<grouped_matmul>, #kern.hero<head_matmul>, #kern.hero<attention>, #kern.hero<routing>, #kern.hero<permutation>
func.func private @attributes() attributes {grids = [
    #kern.grid<dim = tokens, multiplier = 8, divisor = 16, cap = 3, factor = 2>, #kern.grid<dim = sequences>],
  heroes = [#kern.hero<rows>, #kern.hero<grouped_matmul>, #kern.hero<head_matmul>, #kern.hero<attention>,
            #kern.hero<routing>, #kern.hero<permutation>]}
