// What kernels do ahead of time.
// RUN: pack-kernels sm_90a %t --tokens 1 %s
// RUN: FileCheck %s < %t/kernels.ptx

!x = !moe.qtensor<?x384xf8E4M3FN, block = [1, 128], scale = f32>
!w = !moe.qtensor<9x136x384xf8E4M3FN, block = [128, 128], scale = f32>

// Groups are read behind the wait for the launch before, and the next one begins behind it.
// CHECK-LABEL: .entry k0(
// CHECK-NOT: griddepcontrol.launch_dependents
// CHECK: griddepcontrol.wait
// CHECK: griddepcontrol.launch_dependents
kern.kernel @down(%x: !x, %w: !w, %o: tensor<10xi32>) -> tensor<?x136xf32>
    attributes {hero = #kern.hero<grouped_matmul>, rows = [#kern.rows<tokens * 3>, unit, unit, #kern.rows<tokens * 3>], row_strides = array<i64: 384, 384, 0, 136>} {
  %0 = moe.grouped_linear %x, %w, %o : (!x, !w, tensor<10xi32>) -> tensor<?x136xf32>
  kern.yield %0 : tensor<?x136xf32>
}

// Settled ones are read at once.
// CHECK-LABEL: .entry k1(
// CHECK-NOT: griddepcontrol.wait
// CHECK: griddepcontrol.launch_dependents
// CHECK: griddepcontrol.wait
kern.kernel @down_settled(%x: !x, %w: !w, %o: tensor<10xi32>) -> tensor<?x136xf32>
    attributes {hero = #kern.hero<grouped_matmul>, settled = array<i64: 2>, rows = [#kern.rows<tokens * 3>, unit, unit, #kern.rows<tokens * 3>], row_strides = array<i64: 384, 384, 0, 136>} {
  %0 = moe.grouped_linear %x, %w, %o : (!x, !w, tensor<10xi32>) -> tensor<?x136xf32>
  kern.yield %0 : tensor<?x136xf32>
}
