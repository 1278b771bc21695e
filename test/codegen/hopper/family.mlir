// Which kernels the chip's own products compute, how they are laid out by the rows of the programs that launch them,
// and that the others fall back.
// RUN: moec-opt %s --assign-schedules | FileCheck %s

!x = !moe.qtensor<?x512xf8E4M3FN, block = [1, 128], scale = f32>
!w = !moe.qtensor<2112x512xf8E4M3FN, block = [128, 128], scale = f32>
!xodd = !moe.qtensor<?x384xf8E4M3FN, block = [1, 128], scale = f32>
!wodd = !moe.qtensor<2112x384xf8E4M3FN, block = [128, 128], scale = f32>
!wgated = !moe.qtensor<4096x512xf8E4M3FN, block = [128, 128], scale = f32>
!y = !moe.qtensor<?x2048xf8E4M3FN, block = [1, 128], scale = f32>

module attributes {kern.target = "sm_90a"} {
// At most 16 rows: the weight streams through registers.
// CHECK-LABEL: kern.kernel @few
// CHECK-SAME:  schedule = #kern.schedule<{k_warps = {{[0-9]+}} : i64, {{.*}}tokens = 16 : i64}>
kern.kernel @few(%x: !x, %w: !w) -> tensor<?x2112xf32>
    attributes {hero = #kern.hero<matmul>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>], row_strides = array<i64: 512, 512, 2112>} {
  %0 = moe.linear %x, %w : (!x, !w) -> tensor<?x2112xf32>
  kern.yield %0 : tensor<?x2112xf32>
}

// CHECK-LABEL: kern.kernel @many
// CHECK-SAME:  schedule = #kern.schedule<{column_waves = 1 : i64, {{.*}}stages = {{.*}}workers = 132 : i64}>
kern.kernel @many(%x: !x, %w: !w, %r: tensor<?x2112xf32>) -> tensor<?x2112xf32>
    attributes {hero = #kern.hero<matmul>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 512, 512, 2112, 2112>} {
  %0 = moe.linear %x, %w : (!x, !w) -> tensor<?x2112xf32>
  %1 = moe.add %r, %0 : tensor<?x2112xf32>
  kern.yield %1 : tensor<?x2112xf32>
}

// CHECK-LABEL: kern.kernel @gated
// CHECK-SAME:  schedule = #kern.schedule<{column_waves = 2 : i64, columns = 128 : i64
kern.kernel @gated(%x: !x, %w: !wgated) -> !y
    attributes {hero = #kern.hero<matmul>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>], row_strides = array<i64: 512, 512, 2048>} {
  %0 = moe.linear %x, %w : (!x, !wgated) -> tensor<?x4096xf32>
  %g = moe.slice %0 {offset = 0} : (tensor<?x4096xf32>) -> tensor<?x2048xf32>
  %u = moe.slice %0 {offset = 2048} : (tensor<?x4096xf32>) -> tensor<?x2048xf32>
  %1 = moe.swiglu %g, %u : tensor<?x2048xf32>
  %2 = moe.quantize %1 : (tensor<?x2048xf32>) -> !y
  kern.yield %2 : !y
}

// K = 384: the scales of a row do not begin on 16 bytes.
// CHECK-LABEL: kern.kernel @odd
// CHECK-NOT:   k_warps
// CHECK-NOT:   column_waves
// CHECK:       func.func @decode
kern.kernel @odd(%x: !xodd, %w: !wodd) -> tensor<?x2112xf32>
    attributes {hero = #kern.hero<matmul>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>], row_strides = array<i64: 384, 384, 2112>} {
  %0 = moe.linear %x, %w : (!xodd, !wodd) -> tensor<?x2112xf32>
  kern.yield %0 : tensor<?x2112xf32>
}

func.func @decode(%x: !x, %w: !w) -> tensor<?x2112xf32>
    attributes {kern.bounds = #kern.bounds<tokens = 16, sequences = 16, output_rows = 16, context_length = 64>} {
  %0 = kern.launch @few(%x, %w) : (!x, !w) -> tensor<?x2112xf32>
  return %0 : tensor<?x2112xf32>
}
}
