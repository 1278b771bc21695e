// BF16 products and products by head: how they are laid out by the rows of the programs that launch them, and what
// falls back.
// RUN: moec-opt %s --assign-schedules | FileCheck %s

!w8 = !moe.qtensor<768x512xf8E4M3FN, block = [128, 128], scale = f32>

module attributes {kern.target = "sm_90a"} {
// At most 16 rows: the weight's rows are those of the product, and K is shared where there are few of them.
// CHECK-LABEL: kern.kernel @few
// CHECK-SAME:  schedule = #kern.schedule<{{{.*}}split = 8 : i64, {{.*}}tokens = 
kern.kernel @few(%x: tensor<?x7168xbf16>, %w: tensor<256x7168xbf16>) -> tensor<?x256xf32>
    attributes {hero = #kern.hero<matmul>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>], row_strides = array<i64: 7168, 0, 256>} {
  %0 = moe.linear %x, %w : (tensor<?x7168xbf16>, tensor<256x7168xbf16>) -> tensor<?x256xf32>
  kern.yield %0 : tensor<?x256xf32>
}

// CHECK-LABEL: kern.kernel @many
// CHECK-SAME:  schedule = #kern.schedule<{column_waves = 1 : i64, columns = 256 : i64, consumers = 2 : i64, rows = 128 : i64
kern.kernel @many(%x: tensor<?x4096xbf16>, %w: tensor<4096x4096xbf16>, %b: tensor<4096xbf16>, %r: tensor<?x4096xbf16>) -> tensor<?x4096xbf16>
    attributes {hero = #kern.hero<matmul>, rows = [#kern.rows<tokens * 1>, unit, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 4096, 0, 0, 4096, 4096>} {
  %0 = moe.linear %x, %w, %b : (tensor<?x4096xbf16>, tensor<4096x4096xbf16>, tensor<4096xbf16>) -> tensor<?x4096xf32>
  %1 = moe.add %r, %0 : (tensor<?x4096xbf16>, tensor<?x4096xf32>) -> tensor<?x4096xbf16>
  kern.yield %1 : tensor<?x4096xbf16>
}

// Rows of the result do not begin on 16 bytes.
// CHECK-LABEL: kern.kernel @odd
// CHECK-SAME:  threads =
kern.kernel @odd(%x: tensor<?x4096xbf16>, %w: tensor<4099x4096xbf16>) -> tensor<?x4099xf32>
    attributes {hero = #kern.hero<matmul>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>], row_strides = array<i64: 4096, 0, 4099>} {
  %0 = moe.linear %x, %w : (tensor<?x4096xbf16>, tensor<4099x4096xbf16>) -> tensor<?x4099xf32>
  kern.yield %0 : tensor<?x4099xf32>
}

// Activations in f32.
// CHECK-LABEL: kern.kernel @wide
// CHECK-SAME:  threads =
kern.kernel @wide(%x: tensor<?x4096xf32>, %w: tensor<4096x4096xbf16>) -> tensor<?x4096xf32>
    attributes {hero = #kern.hero<matmul>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>], row_strides = array<i64: 4096, 0, 4096>} {
  %0 = moe.linear %x, %w : (tensor<?x4096xf32>, tensor<4096x4096xbf16>) -> tensor<?x4096xf32>
  kern.yield %0 : tensor<?x4096xf32>
}

// CHECK-LABEL: kern.kernel @heads
// CHECK-SAME:  schedule = #kern.schedule<{columns = 128 : i64, tokens = 16 : i64}>
kern.kernel @heads(%x: tensor<?x576xbf16>, %w: !w8) -> tensor<?x1536xbf16>
    attributes {hero = #kern.hero<head_matmul>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>], row_strides = array<i64: 576, 0, 1536>} {
  %0 = moe.head_linear %x, %w {heads = 3 : i64, x_offset = 0 : i64, x_size = 128 : i64, w_offset = 0 : i64, w_size = 128 : i64, transposed = true}
      : (tensor<?x576xbf16>, !w8) -> tensor<?x1536xbf16>
  kern.yield %0 : tensor<?x1536xbf16>
}

// 24 rows of the weight a head fill no product.
// CHECK-LABEL: kern.kernel @small_heads
// CHECK-SAME:  threads =
kern.kernel @small_heads(%x: tensor<?x480xbf16>, %w: tensor<280x96xbf16>) -> tensor<?x120xf32>
    attributes {hero = #kern.hero<head_matmul>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>], row_strides = array<i64: 480, 0, 120>} {
  %0 = moe.head_linear %x, %w {heads = 5 : i64, x_offset = 0 : i64, x_size = 96 : i64, w_offset = 32 : i64, w_size = 24 : i64, transposed = false}
      : (tensor<?x480xbf16>, tensor<280x96xbf16>) -> tensor<?x120xf32>
  kern.yield %0 : tensor<?x120xf32>
}

// Experts of scattered rows and what brings them together again: many rows, and few.
// CHECK-LABEL: kern.kernel @experts
// CHECK-SAME:  schedule = #kern.schedule<{column_waves = 2 : i64, columns = 128 : i64, consumers = 2 : i64, rows = 128 : i64
kern.kernel @experts(%x: tensor<?x512xbf16>, %w: tensor<8x4096x512xbf16>, %o: tensor<9xi32>, %r: tensor<?xi32>) -> tensor<?x2048xbf16>
    attributes {hero = #kern.hero<grouped_matmul>, rows = [#kern.rows<tokens * 1>, unit, unit, #kern.rows<tokens * 8>, #kern.rows<tokens * 8>], row_strides = array<i64: 512, 0, 0, 1, 2048>} {
  %0 = moe.grouped_linear %x, %w, %o, %r {top_k = 8 : i64} : (tensor<?x512xbf16>, tensor<8x4096x512xbf16>, tensor<9xi32>, tensor<?xi32>) -> tensor<?x4096xf32>
  %g = moe.slice %0 {offset = 0} : (tensor<?x4096xf32>) -> tensor<?x2048xf32>
  %u = moe.slice %0 {offset = 2048} : (tensor<?x4096xf32>) -> tensor<?x2048xf32>
  %1 = moe.swiglu %g, %u : (tensor<?x2048xf32>, tensor<?x2048xf32>) -> tensor<?x2048xbf16>
  kern.yield %1 : tensor<?x2048xbf16>
}

// CHECK-LABEL: kern.kernel @experts_few
// CHECK-SAME:  schedule = #kern.schedule<{blocks = 1 : i64, {{.*}}split = 1 : i64, {{.*}}tokens = 8 : i64
kern.kernel @experts_few(%x: tensor<?x2048xbf16>, %w: tensor<128x512x2048xbf16>, %o: tensor<129xi32>) -> tensor<?x512xbf16>
    attributes {hero = #kern.hero<grouped_matmul>, rows = [#kern.rows<tokens * 8>, unit, unit, #kern.rows<tokens * 8>], row_strides = array<i64: 2048, 0, 0, 512>} {
  %0 = moe.grouped_linear %x, %w, %o : (tensor<?x2048xbf16>, tensor<128x512x2048xbf16>, tensor<129xi32>) -> tensor<?x512xbf16>
  kern.yield %0 : tensor<?x512xbf16>
}

// Scattered rows that end inside a box of 64 columns.
// CHECK-LABEL: kern.kernel @experts_odd
// CHECK-SAME:  threads =
kern.kernel @experts_odd(%x: tensor<?x328xbf16>, %w: tensor<8x4096x328xbf16>, %o: tensor<9xi32>, %r: tensor<?xi32>) -> tensor<?x2048xbf16>
    attributes {hero = #kern.hero<grouped_matmul>, rows = [#kern.rows<tokens * 1>, unit, unit, #kern.rows<tokens * 8>, #kern.rows<tokens * 8>], row_strides = array<i64: 328, 0, 0, 1, 2048>} {
  %0 = moe.grouped_linear %x, %w, %o, %r {top_k = 8 : i64} : (tensor<?x328xbf16>, tensor<8x4096x328xbf16>, tensor<9xi32>, tensor<?xi32>) -> tensor<?x4096xf32>
  %g = moe.slice %0 {offset = 0} : (tensor<?x4096xf32>) -> tensor<?x2048xf32>
  %u = moe.slice %0 {offset = 2048} : (tensor<?x4096xf32>) -> tensor<?x2048xf32>
  %1 = moe.swiglu %g, %u : (tensor<?x2048xf32>, tensor<?x2048xf32>) -> tensor<?x2048xbf16>
  kern.yield %1 : tensor<?x2048xbf16>
}

func.func @decode(%x: tensor<?x7168xbf16>, %w: tensor<256x7168xbf16>, %q: tensor<?x576xbf16>, %u: !w8,
                  %y: tensor<?x2048xbf16>, %d: tensor<128x512x2048xbf16>, %o: tensor<129xi32>) -> (tensor<?x256xf32>, tensor<?x1536xbf16>, tensor<?x512xbf16>)
    attributes {kern.bounds = #kern.bounds<tokens = 16, sequences = 16, output_rows = 16, context_length = 64>} {
  %0 = kern.launch @few(%x, %w) : (tensor<?x7168xbf16>, tensor<256x7168xbf16>) -> tensor<?x256xf32>
  %1 = kern.launch @heads(%q, %u) : (tensor<?x576xbf16>, !w8) -> tensor<?x1536xbf16>
  %2 = kern.launch @experts_few(%y, %d, %o) : (tensor<?x2048xbf16>, tensor<128x512x2048xbf16>, tensor<129xi32>) -> tensor<?x512xbf16>
  return %0, %1, %2 : tensor<?x256xf32>, tensor<?x1536xbf16>, tensor<?x512xbf16>
}
}
