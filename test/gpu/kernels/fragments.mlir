// RUN: pack-kernels sm_80 %t --tokens 3,17 %s
// RUN: moec verify %t/package.moeb
// RUN: FileCheck %s --input-file %t/kernels.ptx
// Rolled, the loop over the depth fits the registers of a thread; ptxas would unroll it.
// CHECK-COUNT-2: .pragma "nounroll";
// Products that matrix instructions compute: operands of bf16 and E4M3, depths and columns that end
// within a slice or a tile, gates, experts, heads.
kern.kernel @linear_100x130_bf16_bf16(%x: tensor<?x130xbf16>, %w: tensor<100x130xbf16>) -> tensor<?x100xbf16>
    attributes {hero = #kern.hero<matmul>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>], row_strides = array<i64: 130, 130, 100>} {
  %0 = moe.linear %x, %w : (tensor<?x130xbf16>, tensor<100x130xbf16>) -> tensor<?x100xbf16>
  kern.yield %0 : tensor<?x100xbf16>
}

kern.kernel @linear_300x512_bf16_bf16(%x: tensor<?x512xbf16>, %w: tensor<300x512xbf16>) -> tensor<?x300xf32>
    attributes {hero = #kern.hero<matmul>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>], row_strides = array<i64: 512, 512, 300>} {
  %0 = moe.linear %x, %w : (tensor<?x512xbf16>, tensor<300x512xbf16>) -> tensor<?x300xf32>
  kern.yield %0 : tensor<?x300xf32>
}

kern.kernel @linear_257x384_bf16_fp8(%x: tensor<?x384xbf16>, %w: !moe.qtensor<257x384xf8E4M3FN, block = [128, 128], scale = f32>) -> tensor<?x257xf32>
    attributes {hero = #kern.hero<matmul>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>], row_strides = array<i64: 384, 384, 257>} {
  %0 = moe.linear %x, %w : (tensor<?x384xbf16>, !moe.qtensor<257x384xf8E4M3FN, block = [128, 128], scale = f32>) -> tensor<?x257xf32>
  kern.yield %0 : tensor<?x257xf32>
}

kern.kernel @linear_257x384_fp8_fp8(%x: !moe.qtensor<?x384xf8E4M3FN, block = [1, 128], scale = f32>, %w: !moe.qtensor<257x384xf8E4M3FN, block = [128, 128], scale = f32>) -> tensor<?x257xf32>
    attributes {hero = #kern.hero<matmul>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>], row_strides = array<i64: 384, 384, 257>} {
  %0 = moe.linear %x, %w : (!moe.qtensor<?x384xf8E4M3FN, block = [1, 128], scale = f32>, !moe.qtensor<257x384xf8E4M3FN, block = [128, 128], scale = f32>) -> tensor<?x257xf32>
  kern.yield %0 : tensor<?x257xf32>
}

kern.kernel @linear_130x300_fp8_fp8_add(%x: !moe.qtensor<?x300xf8E4M3FN, block = [1, 128], scale = f32>, %w: !moe.qtensor<130x300xf8E4M3FN, block = [128, 128], scale = f32>, %r: tensor<?x130xf32>) -> tensor<?x130xf32>
    attributes {hero = #kern.hero<matmul>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 300, 300, 130, 130>} {
  %0 = moe.linear %x, %w : (!moe.qtensor<?x300xf8E4M3FN, block = [1, 128], scale = f32>, !moe.qtensor<130x300xf8E4M3FN, block = [128, 128], scale = f32>) -> tensor<?x130xf32>
  %1 = moe.add %r, %0 : tensor<?x130xf32>
  kern.yield %1 : tensor<?x130xf32>
}

kern.kernel @gated_256x256(%x: !moe.qtensor<?x256xf8E4M3FN, block = [1, 128], scale = f32>, %w: !moe.qtensor<512x256xf8E4M3FN, block = [128, 128], scale = f32>) -> (tensor<?x256xf32>, !moe.qtensor<?x256xf8E4M3FN, block = [1, 128], scale = f32>)
    attributes {hero = #kern.hero<matmul>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 256, 256, 256, 256>} {
  %0 = moe.linear %x, %w : (!moe.qtensor<?x256xf8E4M3FN, block = [1, 128], scale = f32>, !moe.qtensor<512x256xf8E4M3FN, block = [128, 128], scale = f32>) -> tensor<?x512xf32>
  %g = moe.slice %0 {offset = 0} : (tensor<?x512xf32>) -> tensor<?x256xf32>
  %u = moe.slice %0 {offset = 256} : (tensor<?x512xf32>) -> tensor<?x256xf32>
  %1 = moe.swiglu %g, %u : tensor<?x256xf32>
  %2 = moe.quantize %1 : (tensor<?x256xf32>) -> !moe.qtensor<?x256xf8E4M3FN, block = [1, 128], scale = f32>
  kern.yield %1, %2 : tensor<?x256xf32>, !moe.qtensor<?x256xf8E4M3FN, block = [1, 128], scale = f32>
}

kern.kernel @gated_200x130(%x: !moe.qtensor<?x130xf8E4M3FN, block = [1, 128], scale = f32>, %w: !moe.qtensor<400x130xf8E4M3FN, block = [128, 128], scale = f32>) -> tensor<?x200xf32>
    attributes {hero = #kern.hero<matmul>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>], row_strides = array<i64: 130, 130, 200>} {
  %0 = moe.linear %x, %w : (!moe.qtensor<?x130xf8E4M3FN, block = [1, 128], scale = f32>, !moe.qtensor<400x130xf8E4M3FN, block = [128, 128], scale = f32>) -> tensor<?x400xf32>
  %g = moe.slice %0 {offset = 0} : (tensor<?x400xf32>) -> tensor<?x200xf32>
  %u = moe.slice %0 {offset = 200} : (tensor<?x400xf32>) -> tensor<?x200xf32>
  %1 = moe.swiglu %g, %u : tensor<?x200xf32>
  kern.yield %1 : tensor<?x200xf32>
}

kern.kernel @gated_turns_256x256(%x: !moe.qtensor<?x256xf8E4M3FN, block = [1, 128], scale = f32>, %w: !moe.qtensor<512x256xf8E4M3FN, block = [128, 128], scale = f32>) -> !moe.qtensor<?x256xf8E4M3FN, block = [1, 128], scale = f32>
    attributes {hero = #kern.hero<matmul>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>], row_strides = array<i64: 256, 256, 256>} {
  %0 = moe.linear %x, %w : (!moe.qtensor<?x256xf8E4M3FN, block = [1, 128], scale = f32>, !moe.qtensor<512x256xf8E4M3FN, block = [128, 128], scale = f32>) -> tensor<?x512xf32>
  %g, %u = moe.deinterleave %0 {block = 128 : i64} : (tensor<?x512xf32>) -> (tensor<?x256xf32>, tensor<?x256xf32>)
  %1 = moe.swiglu %g, %u : tensor<?x256xf32>
  %2 = moe.quantize %1 : (tensor<?x256xf32>) -> !moe.qtensor<?x256xf8E4M3FN, block = [1, 128], scale = f32>
  kern.yield %2 : !moe.qtensor<?x256xf8E4M3FN, block = [1, 128], scale = f32>
}

// Blocks that begin and end within tiles, and a short one at last.
kern.kernel @grouped_gated_turns_3x200x136(%x: tensor<?x136xbf16>, %w: tensor<3x400x136xbf16>, %o: tensor<4xi32>, %r: tensor<?xi32>) -> tensor<?x200xf32>
    attributes {hero = #kern.hero<grouped_matmul>, rows = [#kern.rows<tokens * 1>, unit, unit, #kern.rows<tokens * 2>, #kern.rows<tokens * 2>], row_strides = array<i64: 136, 0, 0, 1, 200>} {
  %0 = moe.grouped_linear %x, %w, %o, %r {top_k = 2 : i64} : (tensor<?x136xbf16>, tensor<3x400x136xbf16>, tensor<4xi32>, tensor<?xi32>) -> tensor<?x400xf32>
  %g, %u = moe.deinterleave %0 {block = 48 : i64} : (tensor<?x400xf32>) -> (tensor<?x200xf32>, tensor<?x200xf32>)
  %1 = moe.swiglu %g, %u : tensor<?x200xf32>
  kern.yield %1 : tensor<?x200xf32>
}

kern.kernel @grouped_8x130x256_rows_fp8(%x: !moe.qtensor<?x256xf8E4M3FN, block = [1, 128], scale = f32>, %w: !moe.qtensor<8x130x256xf8E4M3FN, block = [128, 128], scale = f32>, %o: tensor<9xi32>, %r: tensor<?xi32>) -> tensor<?x130xf32>
    attributes {hero = #kern.hero<grouped_matmul>, rows = [#kern.rows<tokens * 1>, unit, unit, #kern.rows<tokens * 2>, #kern.rows<tokens * 2>], row_strides = array<i64: 256, 256, 1, 1, 130>} {
  %0 = moe.grouped_linear %x, %w, %o, %r {top_k = 2 : i64} : (!moe.qtensor<?x256xf8E4M3FN, block = [1, 128], scale = f32>, !moe.qtensor<8x130x256xf8E4M3FN, block = [128, 128], scale = f32>, tensor<9xi32>, tensor<?xi32>) -> tensor<?x130xf32>
  kern.yield %0 : tensor<?x130xf32>
}

kern.kernel @head_transposed_bf16(%x: tensor<?x576xbf16>, %w: tensor<384x136xbf16>) -> tensor<?x408xf32>
    attributes {hero = #kern.hero<head_matmul>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>], row_strides = array<i64: 576, 136, 408>} {
  %0 = moe.head_linear %x, %w {heads = 3 : i64, x_offset = 64 : i64, x_size = 128 : i64, w_offset = 0 : i64, w_size = 128 : i64, transposed = true}
      : (tensor<?x576xbf16>, tensor<384x136xbf16>) -> tensor<?x408xf32>
  kern.yield %0 : tensor<?x408xf32>
}

kern.kernel @head_transposed_fp8(%x: tensor<?x384xbf16>, %w: !moe.qtensor<512x256xf8E4M3FN, block = [128, 128], scale = f32>) -> tensor<?x512xf32>
    attributes {hero = #kern.hero<head_matmul>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>], row_strides = array<i64: 384, 256, 512>} {
  %0 = moe.head_linear %x, %w {heads = 2 : i64, x_offset = 0 : i64, x_size = 128 : i64, w_offset = 0 : i64, w_size = 128 : i64, transposed = true}
      : (tensor<?x384xbf16>, !moe.qtensor<512x256xf8E4M3FN, block = [128, 128], scale = f32>) -> tensor<?x512xf32>
  kern.yield %0 : tensor<?x512xf32>
}

kern.kernel @head_fp8(%x: tensor<?x512xbf16>, %w: !moe.qtensor<512x256xf8E4M3FN, block = [128, 128], scale = f32>) -> tensor<?x256xf32>
    attributes {hero = #kern.hero<head_matmul>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>], row_strides = array<i64: 512, 256, 256>} {
  %0 = moe.head_linear %x, %w {heads = 2 : i64, x_offset = 0 : i64, x_size = 256 : i64, w_offset = 128 : i64, w_size = 128 : i64, transposed = false}
      : (tensor<?x512xbf16>, !moe.qtensor<512x256xf8E4M3FN, block = [128, 128], scale = f32>) -> tensor<?x256xf32>
  kern.yield %0 : tensor<?x256xf32>
}
