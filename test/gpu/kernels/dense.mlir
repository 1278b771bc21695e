// RUN: pack-kernels sm_90a %t --tokens 1 %s
// RUN: moec verify %t/package.moeb
// BF16 products with what follows them, and products by head, at sizes that no tile divides.
kern.kernel @bias_96x264(%x: tensor<?x264xbf16>, %w: tensor<96x264xbf16>, %b: tensor<96xbf16>) -> tensor<?x96xbf16>
    attributes {hero = #kern.hero<matmul>, rows = [#kern.rows<tokens * 1>, unit, unit, #kern.rows<tokens * 1>], row_strides = array<i64: 264, 0, 0, 96>} {
  %0 = moe.linear %x, %w, %b : (tensor<?x264xbf16>, tensor<96x264xbf16>, tensor<96xbf16>) -> tensor<?x96xbf16>
  kern.yield %0 : tensor<?x96xbf16>
}

kern.kernel @add_200x576(%x: tensor<?x576xbf16>, %w: tensor<200x576xbf16>, %r: tensor<?x200xf32>) -> tensor<?x200xf32>
    attributes {hero = #kern.hero<matmul>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 576, 0, 200, 200>} {
  %0 = moe.linear %x, %w : (tensor<?x576xbf16>, tensor<200x576xbf16>) -> tensor<?x200xf32>
  %1 = moe.add %r, %0 : tensor<?x200xf32>
  kern.yield %1 : tensor<?x200xf32>
}

kern.kernel @logits_1000x256(%x: tensor<?x256xbf16>, %w: tensor<1000x256xbf16>) -> tensor<?x1000xf32>
    attributes {hero = #kern.hero<matmul>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>], row_strides = array<i64: 256, 0, 1000>} {
  %0 = moe.linear %x, %w : (tensor<?x256xbf16>, tensor<1000x256xbf16>) -> tensor<?x1000xf32>
  kern.yield %0 : tensor<?x1000xf32>
}

// One column of tiles, so that K is shared.
kern.kernel @router_64x4096(%x: tensor<?x4096xbf16>, %w: tensor<64x4096xbf16>) -> tensor<?x64xf32>
    attributes {hero = #kern.hero<matmul>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>], row_strides = array<i64: 4096, 0, 64>} {
  %0 = moe.linear %x, %w : (tensor<?x4096xbf16>, tensor<64x4096xbf16>) -> tensor<?x64xf32>
  kern.yield %0 : tensor<?x64xf32>
}

kern.kernel @gated_104x320(%x: tensor<?x320xbf16>, %w: tensor<208x320xbf16>) -> tensor<?x104xf32>
    attributes {hero = #kern.hero<matmul>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>], row_strides = array<i64: 320, 0, 104>} {
  %0 = moe.linear %x, %w : (tensor<?x320xbf16>, tensor<208x320xbf16>) -> tensor<?x208xf32>
  %g = moe.slice %0 {offset = 0} : (tensor<?x208xf32>) -> tensor<?x104xf32>
  %u = moe.slice %0 {offset = 104} : (tensor<?x208xf32>) -> tensor<?x104xf32>
  %1 = moe.swiglu %g, %u : tensor<?x104xf32>
  kern.yield %1 : tensor<?x104xf32>
}

kern.kernel @gated_quantized_256x192(%x: tensor<?x192xbf16>, %w: tensor<512x192xbf16>) -> !moe.qtensor<?x256xf8E4M3FN, block = [1, 128], scale = f32>
    attributes {hero = #kern.hero<matmul>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>], row_strides = array<i64: 192, 0, 256>} {
  %0 = moe.linear %x, %w : (tensor<?x192xbf16>, tensor<512x192xbf16>) -> tensor<?x512xf32>
  %g = moe.slice %0 {offset = 0} : (tensor<?x512xf32>) -> tensor<?x256xf32>
  %u = moe.slice %0 {offset = 256} : (tensor<?x512xf32>) -> tensor<?x256xf32>
  %1 = moe.swiglu %g, %u : tensor<?x256xf32>
  %2 = moe.quantize %1 : (tensor<?x256xf32>) -> !moe.qtensor<?x256xf8E4M3FN, block = [1, 128], scale = f32>
  kern.yield %2 : !moe.qtensor<?x256xf8E4M3FN, block = [1, 128], scale = f32>
}

kern.kernel @absorb_query_3(%x: tensor<?x576xbf16>, %w: !moe.qtensor<768x512xf8E4M3FN, block = [128, 128], scale = f32>) -> tensor<?x1536xbf16>
    attributes {hero = #kern.hero<head_matmul>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>], row_strides = array<i64: 576, 0, 1536>} {
  %0 = moe.head_linear %x, %w {heads = 3 : i64, x_offset = 0 : i64, x_size = 128 : i64, w_offset = 0 : i64, w_size = 128 : i64, transposed = true}
      : (tensor<?x576xbf16>, !moe.qtensor<768x512xf8E4M3FN, block = [128, 128], scale = f32>) -> tensor<?x1536xbf16>
  kern.yield %0 : tensor<?x1536xbf16>
}

kern.kernel @absorb_output_3(%x: tensor<?x1536xbf16>, %w: !moe.qtensor<768x512xf8E4M3FN, block = [128, 128], scale = f32>) -> tensor<?x384xf32>
    attributes {hero = #kern.hero<head_matmul>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>], row_strides = array<i64: 1536, 0, 384>} {
  %0 = moe.head_linear %x, %w {heads = 3 : i64, x_offset = 0 : i64, x_size = 512 : i64, w_offset = 128 : i64, w_size = 128 : i64, transposed = false}
      : (tensor<?x1536xbf16>, !moe.qtensor<768x512xf8E4M3FN, block = [128, 128], scale = f32>) -> tensor<?x384xf32>
  kern.yield %0 : tensor<?x384xf32>
}

kern.kernel @absorb_query_bf16(%x: tensor<?x384xbf16>, %w: tensor<512x256xbf16>) -> tensor<?x512xf32>
    attributes {hero = #kern.hero<head_matmul>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>], row_strides = array<i64: 384, 0, 512>} {
  %0 = moe.head_linear %x, %w {heads = 2 : i64, x_offset = 64 : i64, x_size = 128 : i64, w_offset = 64 : i64, w_size = 128 : i64, transposed = true}
      : (tensor<?x384xbf16>, tensor<512x256xbf16>) -> tensor<?x512xf32>
  kern.yield %0 : tensor<?x512xf32>
}

kern.kernel @absorb_output_bf16(%x: tensor<?x512xbf16>, %w: tensor<512x256xbf16>) -> tensor<?x384xbf16>
    attributes {hero = #kern.hero<head_matmul>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>], row_strides = array<i64: 512, 0, 384>} {
  %0 = moe.head_linear %x, %w {heads = 2 : i64, x_offset = 0 : i64, x_size = 256 : i64, w_offset = 64 : i64, w_size = 192 : i64, transposed = false}
      : (tensor<?x512xbf16>, tensor<512x256xbf16>) -> tensor<?x384xbf16>
  kern.yield %0 : tensor<?x384xbf16>
}
