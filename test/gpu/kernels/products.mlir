// RUN: pack-kernels sm_90a %t --tokens 1 %s
// RUN: moec verify %t/package.moeb
// One block of a plain product on a multiprocessor is enough, so its sums are not spilled.
// RUN: FileCheck %s --check-prefix=PTX < %t/kernels.ptx
// PTX: .minnctapersm 1
// Matrix products and attention at odd and at real sizes.
kern.kernel @linear_100x130_f32_f32(%x: tensor<?x130xf32>, %w: tensor<100x130xf32>) -> tensor<?x100xf32>
    attributes {hero = #kern.hero<matmul>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>], row_strides = array<i64: 130, 130, 100>} {
  %0 = moe.linear %x, %w : (tensor<?x130xf32>, tensor<100x130xf32>) -> tensor<?x100xf32>
  kern.yield %0 : tensor<?x100xf32>
}

kern.kernel @linear_300x512_f32_bf16_add(%x: tensor<?x512xf32>, %w: tensor<300x512xbf16>, %r: tensor<?x300xf32>) -> tensor<?x300xf32>
    attributes {hero = #kern.hero<matmul>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 512, 512, 300, 300>} {
  %0 = moe.linear %x, %w : (tensor<?x512xf32>, tensor<300x512xbf16>) -> tensor<?x300xf32>
  %1 = moe.add %r, %0 : tensor<?x300xf32>
  kern.yield %1 : tensor<?x300xf32>
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

kern.kernel @linear_96x200_f32_fp8(%x: tensor<?x200xf32>, %w: !moe.qtensor<96x200xf8E4M3FN, block = [128, 128], scale = f32>) -> tensor<?x96xf32>
    attributes {hero = #kern.hero<matmul>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>], row_strides = array<i64: 200, 200, 96>} {
  %0 = moe.linear %x, %w : (tensor<?x200xf32>, !moe.qtensor<96x200xf8E4M3FN, block = [128, 128], scale = f32>) -> tensor<?x96xf32>
  kern.yield %0 : tensor<?x96xf32>
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

kern.kernel @gated_200x130(%x: !moe.qtensor<?x130xf8E4M3FN, block = [1, 128], scale = f32>, %w: !moe.qtensor<400x130xf8E4M3FN, block = [128, 128], scale = f32>) -> (tensor<?x200xf32>, !moe.qtensor<?x200xf8E4M3FN, block = [1, 128], scale = f32>)
    attributes {hero = #kern.hero<matmul>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 130, 130, 200, 200>} {
  %0 = moe.linear %x, %w : (!moe.qtensor<?x130xf8E4M3FN, block = [1, 128], scale = f32>, !moe.qtensor<400x130xf8E4M3FN, block = [128, 128], scale = f32>) -> tensor<?x400xf32>
  %g = moe.slice %0 {offset = 0} : (tensor<?x400xf32>) -> tensor<?x200xf32>
  %u = moe.slice %0 {offset = 200} : (tensor<?x400xf32>) -> tensor<?x200xf32>
  %1 = moe.swiglu %g, %u : tensor<?x200xf32>
  %2 = moe.quantize %1 : (tensor<?x200xf32>) -> !moe.qtensor<?x200xf8E4M3FN, block = [1, 128], scale = f32>
  kern.yield %1, %2 : tensor<?x200xf32>, !moe.qtensor<?x200xf8E4M3FN, block = [1, 128], scale = f32>
}

kern.kernel @grouped_8x130x256_rows_fp8(%x: !moe.qtensor<?x256xf8E4M3FN, block = [1, 128], scale = f32>, %w: !moe.qtensor<8x130x256xf8E4M3FN, block = [128, 128], scale = f32>, %o: tensor<9xi32>, %r: tensor<?xi32>) -> tensor<?x130xf32>
    attributes {hero = #kern.hero<grouped_matmul>, rows = [#kern.rows<tokens * 1>, unit, unit, #kern.rows<tokens * 2>, #kern.rows<tokens * 2>], row_strides = array<i64: 256, 256, 1, 1, 130>} {
  %0 = moe.grouped_linear %x, %w, %o, %r {top_k = 2 : i64} : (!moe.qtensor<?x256xf8E4M3FN, block = [1, 128], scale = f32>, !moe.qtensor<8x130x256xf8E4M3FN, block = [128, 128], scale = f32>, tensor<9xi32>, tensor<?xi32>) -> tensor<?x130xf32>
  kern.yield %0 : tensor<?x130xf32>
}

kern.kernel @grouped_5x70x96_bf16(%x: tensor<?x96xf32>, %w: tensor<5x70x96xbf16>, %o: tensor<6xi32>) -> tensor<?x70xf32>
    attributes {hero = #kern.hero<grouped_matmul>, rows = [#kern.rows<tokens * 3>, unit, unit, #kern.rows<tokens * 3>], row_strides = array<i64: 96, 96, 1, 70>} {
  %0 = moe.grouped_linear %x, %w, %o : (tensor<?x96xf32>, tensor<5x70x96xbf16>, tensor<6xi32>) -> tensor<?x70xf32>
  kern.yield %0 : tensor<?x70xf32>
}

kern.kernel @head_transposed_bf16(%x: tensor<?x240xf32>, %w: tensor<280x128xbf16>) -> tensor<?x640xf32>
    attributes {hero = #kern.hero<head_matmul>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>], row_strides = array<i64: 240, 128, 640>} {
  %0 = moe.head_linear %x, %w {heads = 5 : i64, x_offset = 0 : i64, x_size = 32 : i64, w_offset = 0 : i64, w_size = 32 : i64, transposed = true}
      : (tensor<?x240xf32>, tensor<280x128xbf16>) -> tensor<?x640xf32>
  kern.yield %0 : tensor<?x640xf32>
}

kern.kernel @head_transposed_fp8(%x: tensor<?x192xf32>, %w: !moe.qtensor<256x256xf8E4M3FN, block = [128, 128], scale = f32>) -> tensor<?x1024xf32>
    attributes {hero = #kern.hero<head_matmul>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>], row_strides = array<i64: 192, 256, 1024>} {
  %0 = moe.head_linear %x, %w {heads = 4 : i64, x_offset = 0 : i64, x_size = 32 : i64, w_offset = 0 : i64, w_size = 32 : i64, transposed = true}
      : (tensor<?x192xf32>, !moe.qtensor<256x256xf8E4M3FN, block = [128, 128], scale = f32>) -> tensor<?x1024xf32>
  kern.yield %0 : tensor<?x1024xf32>
}

kern.kernel @head_f32(%x: tensor<?x480xf32>, %w: tensor<280x96xf32>) -> tensor<?x120xf32>
    attributes {hero = #kern.hero<head_matmul>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>], row_strides = array<i64: 480, 96, 120>} {
  %0 = moe.head_linear %x, %w {heads = 5 : i64, x_offset = 0 : i64, x_size = 96 : i64, w_offset = 32 : i64, w_size = 24 : i64, transposed = false}
      : (tensor<?x480xf32>, tensor<280x96xf32>) -> tensor<?x120xf32>
  kern.yield %0 : tensor<?x120xf32>
}

kern.kernel @head_fp8(%x: tensor<?x512xf32>, %w: !moe.qtensor<256x128xf8E4M3FN, block = [128, 128], scale = f32>) -> tensor<?x128xf32>
    attributes {hero = #kern.hero<head_matmul>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>], row_strides = array<i64: 512, 128, 128>} {
  %0 = moe.head_linear %x, %w {heads = 4 : i64, x_offset = 0 : i64, x_size = 128 : i64, w_offset = 32 : i64, w_size = 32 : i64, transposed = false}
      : (tensor<?x512xf32>, !moe.qtensor<256x128xf8E4M3FN, block = [128, 128], scale = f32>) -> tensor<?x128xf32>
  kern.yield %0 : tensor<?x128xf32>
}

kern.kernel @latent_attention_512_bf16(%ql: tensor<?x2048xf32>, %q: tensor<?x768xf32>, %c: !moe.cache<576xbf16, page = 64>, %p: tensor<?xi32>, %s: tensor<?xi32>, %b: tensor<?x?xi32>) -> tensor<?x2048xf32>
    attributes {hero = #kern.hero<attention>, rows = [#kern.rows<tokens * 1>, #kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<sequences * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 2048, 768, 576, 1, 1, 0, 2048>} {
  %0 = moe.latent_attention %ql, %q, %c, %p, %s, %b {heads = 4 : i64, rope_dim = 64 : i64, scale = 0.1}
      : (tensor<?x2048xf32>, tensor<?x768xf32>, !moe.cache<576xbf16, page = 64>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x2048xf32>
  kern.yield %0 : tensor<?x2048xf32>
}

kern.kernel @latent_attention_60_f32(%ql: tensor<?x180xf32>, %q: tensor<?x108xf32>, %c: !moe.cache<76xf32, page = 64>, %p: tensor<?xi32>, %s: tensor<?xi32>, %b: tensor<?x?xi32>) -> tensor<?x180xf32>
    attributes {hero = #kern.hero<attention>, rows = [#kern.rows<tokens * 1>, #kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<sequences * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 180, 108, 76, 1, 1, 0, 180>} {
  %0 = moe.latent_attention %ql, %q, %c, %p, %s, %b {heads = 3 : i64, rope_dim = 16 : i64, scale = 0.1}
      : (tensor<?x180xf32>, tensor<?x108xf32>, !moe.cache<76xf32, page = 64>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x180xf32>
  kern.yield %0 : tensor<?x180xf32>
}

kern.kernel @mla_attention_512_fp8(%q: tensor<?x384xf32>, %w: !moe.qtensor<512x512xf8E4M3FN, block = [128, 128], scale = f32>, %c: !moe.cache<576xbf16, page = 64>, %p: tensor<?xi32>, %s: tensor<?xi32>, %b: tensor<?x?xi32>) -> tensor<?x256xf32>
    attributes {hero = #kern.hero<attention>, rows = [#kern.rows<tokens * 1>, unit, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<sequences * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 384, 512, 576, 1, 1, 0, 256>} {
  %0 = moe.mla_attention %q, %w, %c, %p, %s, %b {heads = 2 : i64, nope_dim = 128 : i64, rope_dim = 64 : i64, v_dim = 128 : i64, scale = 0.1}
      : (tensor<?x384xf32>, !moe.qtensor<512x512xf8E4M3FN, block = [128, 128], scale = f32>, !moe.cache<576xbf16, page = 64>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x256xf32>
  kern.yield %0 : tensor<?x256xf32>
}

kern.kernel @mla_attention_60_bf16(%q: tensor<?x108xf32>, %w: tensor<132x60xbf16>, %c: !moe.cache<76xf32, page = 64>, %p: tensor<?xi32>, %s: tensor<?xi32>, %b: tensor<?x?xi32>) -> tensor<?x72xf32>
    attributes {hero = #kern.hero<attention>, rows = [#kern.rows<tokens * 1>, unit, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<sequences * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 108, 60, 76, 1, 1, 0, 72>} {
  %0 = moe.mla_attention %q, %w, %c, %p, %s, %b {heads = 3 : i64, nope_dim = 20 : i64, rope_dim = 16 : i64, v_dim = 24 : i64, scale = 0.1}
      : (tensor<?x108xf32>, tensor<132x60xbf16>, !moe.cache<76xf32, page = 64>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x72xf32>
  kern.yield %0 : tensor<?x72xf32>
}
kern.kernel @attention_6_heads(%q: tensor<?x240xf32>, %c: !moe.cache<152xbf16, page = 64>, %p: tensor<?xi32>, %s: tensor<?xi32>, %b: tensor<?x?xi32>) -> tensor<?x216xf32>
    attributes {hero = #kern.hero<attention>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<sequences * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 240, 152, 1, 1, 0, 216>} {
  %0 = moe.attention %q, %c, %p, %s, %b {heads = 6 : i64, kv_heads = 2 : i64, key_dim = 40 : i64, value_dim = 36 : i64, scale = 0.1}
      : (tensor<?x240xf32>, !moe.cache<152xbf16, page = 64>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x216xf32>
  kern.yield %0 : tensor<?x216xf32>
}
