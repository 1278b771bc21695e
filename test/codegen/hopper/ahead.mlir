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

// Nor does the form that streams: what it copies ahead of its wait is what was settled.
// CHECK-LABEL: .entry k2(
// CHECK-NOT: cp.async
// CHECK: griddepcontrol.wait
// CHECK: griddepcontrol.launch_dependents
// CHECK: cp.async.cg.shared::cta.global.L2::128B
// CHECK: barrier.cluster.wait
kern.kernel @gates(%x: !x, %w: !moe.qtensor<9x512x384xf8E4M3FN, block = [128, 128], scale = f32>, %o: tensor<10xi32>, %r: tensor<?xi32>) -> !moe.qtensor<?x256xf8E4M3FN, block = [1, 128], scale = f32>
    attributes {hero = #kern.hero<grouped_matmul>, rows = [#kern.rows<tokens * 1>, unit, unit, #kern.rows<tokens * 3>, #kern.rows<tokens * 3>], row_strides = array<i64: 384, 384, 0, 1, 256>,
                schedule = #kern.schedule<{buffers = 2 : i64, k_warps = 1 : i64, min_blocks = 2 : i64, row_warps = 1 : i64, rows = 32 : i64, steps = 1 : i64, tokens = 1 : i64}>} {
  %0 = moe.grouped_linear %x, %w, %o, %r {top_k = 3 : i64} : (!x, !moe.qtensor<9x512x384xf8E4M3FN, block = [128, 128], scale = f32>, tensor<10xi32>, tensor<?xi32>) -> tensor<?x512xf32>
  %g = moe.slice %0 {offset = 0} : (tensor<?x512xf32>) -> tensor<?x256xf32>
  %u = moe.slice %0 {offset = 256} : (tensor<?x512xf32>) -> tensor<?x256xf32>
  %1 = moe.swiglu %g, %u : tensor<?x256xf32>
  %2 = moe.quantize %1 : (tensor<?x256xf32>) -> !moe.qtensor<?x256xf8E4M3FN, block = [1, 128], scale = f32>
  kern.yield %2 : !moe.qtensor<?x256xf8E4M3FN, block = [1, 128], scale = f32>
}
