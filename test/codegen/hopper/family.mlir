// Which kernels the chip's own products compute, how they are laid out by the rows of the programs that launch them,
// and that the others fall back.
// RUN: moec-opt %s --assign-schedules | FileCheck %s

!x = !moe.qtensor<?x512xf8E4M3FN, block = [1, 128], scale = f32>
!w = !moe.qtensor<2112x512xf8E4M3FN, block = [128, 128], scale = f32>
!xodd = !moe.qtensor<?x320xf8E4M3FN, block = [1, 128], scale = f32>
!wodd = !moe.qtensor<2112x320xf8E4M3FN, block = [128, 128], scale = f32>
!wexperts = !moe.qtensor<8x4096x512xf8E4M3FN, block = [128, 128], scale = f32>
!wdown = !moe.qtensor<256x512x2048xf8E4M3FN, block = [128, 128], scale = f32>
!wgated = !moe.qtensor<4096x512xf8E4M3FN, block = [128, 128], scale = f32>
!y = !moe.qtensor<?x2048xf8E4M3FN, block = [1, 128], scale = f32>

module attributes {kern.target = "sm_90a"} {
// At most 16 rows: the weight streams through registers.
// CHECK-LABEL: kern.kernel @few
// CHECK-SAME:  schedule = #kern.schedule<{buffers = 0 : i64, k_warps = {{[0-9]+}} : i64, {{.*}}tokens = 16 : i64}>
kern.kernel @few(%x: !x, %w: !w) -> tensor<?x2112xf32>
    attributes {hero = #kern.hero<matmul>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>], row_strides = array<i64: 512, 512, 2112>} {
  %0 = moe.linear %x, %w : (!x, !w) -> tensor<?x2112xf32>
  kern.yield %0 : tensor<?x2112xf32>
}

// CHECK-LABEL: kern.kernel @many
// CHECK-SAME:  schedule = #kern.schedule<{brought = 0 : i64, column_waves = 1 : i64, {{.*}}stages = {{.*}}workers = 132 : i64}>
kern.kernel @many(%x: !x, %w: !w, %r: tensor<?x2112xf32>) -> tensor<?x2112xf32>
    attributes {hero = #kern.hero<matmul>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 512, 512, 2112, 2112>} {
  %0 = moe.linear %x, %w : (!x, !w) -> tensor<?x2112xf32>
  %1 = moe.add %r, %0 : tensor<?x2112xf32>
  kern.yield %1 : tensor<?x2112xf32>
}

// CHECK-LABEL: kern.kernel @gated
// CHECK-SAME:  schedule = #kern.schedule<{brought = 0 : i64, column_waves = 2 : i64, columns = 128 : i64
kern.kernel @gated(%x: !x, %w: !wgated) -> !y
    attributes {hero = #kern.hero<matmul>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>], row_strides = array<i64: 512, 512, 2048>} {
  %0 = moe.linear %x, %w : (!x, !wgated) -> tensor<?x4096xf32>
  %g = moe.slice %0 {offset = 0} : (tensor<?x4096xf32>) -> tensor<?x2048xf32>
  %u = moe.slice %0 {offset = 2048} : (tensor<?x4096xf32>) -> tensor<?x2048xf32>
  %1 = moe.swiglu %g, %u : tensor<?x2048xf32>
  %2 = moe.quantize %1 : (tensor<?x2048xf32>) -> !y
  kern.yield %2 : !y
}

// Experts: gates and what they gate of scattered rows, and what brings them together again; many rows and few.
// CHECK-LABEL: kern.kernel @experts
// CHECK-SAME:  schedule = #kern.schedule<{brought = 0 : i64, column_waves = 2 : i64, columns = 128 : i64, consumers = 2 : i64, parts = 1 : i64, rows = 128 : i64
kern.kernel @experts(%x: !x, %w: !wexperts, %o: tensor<9xi32>, %r: tensor<?xi32>) -> !y
    attributes {hero = #kern.hero<grouped_matmul>, rows = [#kern.rows<tokens * 1>, unit, unit, #kern.rows<tokens * 8>, #kern.rows<tokens * 8>], row_strides = array<i64: 512, 512, 0, 1, 2048>} {
  %0 = moe.grouped_linear %x, %w, %o, %r {top_k = 8 : i64} : (!x, !wexperts, tensor<9xi32>, tensor<?xi32>) -> tensor<?x4096xf32>
  %g = moe.slice %0 {offset = 0} : (tensor<?x4096xf32>) -> tensor<?x2048xf32>
  %u = moe.slice %0 {offset = 2048} : (tensor<?x4096xf32>) -> tensor<?x2048xf32>
  %1 = moe.swiglu %g, %u : tensor<?x2048xf32>
  %2 = moe.quantize %1 : (tensor<?x2048xf32>) -> !y
  kern.yield %2 : !y
}

// CHECK-LABEL: kern.kernel @down
// CHECK-SAME:  schedule = #kern.schedule<{brought = 0 : i64, column_waves = 1 : i64, {{.*}}consumers = 1 : i64, parts = 1 : i64, rows = 64 : i64
kern.kernel @down(%x: !y, %w: !wdown, %o: tensor<257xi32>) -> tensor<?x512xf32>
    attributes {hero = #kern.hero<grouped_matmul>, rows = [#kern.rows<tokens * 8>, unit, unit, #kern.rows<tokens * 8>], row_strides = array<i64: 2048, 2048, 0, 512>} {
  %0 = moe.grouped_linear %x, %w, %o : (!y, !wdown, tensor<257xi32>) -> tensor<?x512xf32>
  kern.yield %0 : tensor<?x512xf32>
}

// K = 320 ends inside a quantization block.
// CHECK-LABEL: kern.kernel @odd
// CHECK-NOT:   k_warps
// CHECK-NOT:   column_waves
// CHECK:       func.func @decode
kern.kernel @odd(%x: !xodd, %w: !wodd) -> tensor<?x2112xf32>
    attributes {hero = #kern.hero<matmul>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>], row_strides = array<i64: 320, 320, 2112>} {
  %0 = moe.linear %x, %w : (!xodd, !wodd) -> tensor<?x2112xf32>
  kern.yield %0 : tensor<?x2112xf32>
}

func.func @decode(%x: !x, %w: !w) -> tensor<?x2112xf32>
    attributes {kern.bounds = #kern.bounds<tokens = 16, sequences = 16, output_rows = 16, context_length = 64>} {
  %0 = kern.launch @few(%x, %w) : (!x, !w) -> tensor<?x2112xf32>
  return %0 : tensor<?x2112xf32>
}
func.func @decode_experts(%x: !y, %w: !wdown, %o: tensor<257xi32>) -> tensor<?x512xf32>
    attributes {kern.bounds = #kern.bounds<tokens = 16, sequences = 16, output_rows = 16, context_length = 64>} {
  %0 = kern.launch @down(%x, %w, %o) : (!y, !wdown, tensor<257xi32>) -> tensor<?x512xf32>
  return %0 : tensor<?x512xf32>
}
}
