// RUN: pack-kernels sm_90a %t %s --tokens 1,67 --sequences 3 --filter heads_3
// RUN: moec verify %t/package.moeb
// Attention over cached latents that are expanded into keys and values: weights in bf16 and FP8, pages of one and of two
// blocks, an odd number of heads, queries that lie in wider rows.
kern.kernel @heads_3_views(%q: tensor<?x576xbf16>, %w: !moe.qtensor<768x512xf8E4M3FN, block = [128, 128], scale = f32>, %c: !moe.cache<576xbf16, page = 128>, %p: tensor<?xi32>, %s: tensor<?xi32>, %b: tensor<?x?xi32>) -> tensor<?x384xbf16>
    attributes {hero = #kern.hero<attention>, rows = [#kern.rows<tokens * 1>, unit, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<sequences * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 584, 512, 576, 1, 1, 0, 384>} {
  %0 = moe.mla_attention %q, %w, %c, %p, %s, %b {heads = 3 : i64, nope_dim = 128 : i64, rope_dim = 64 : i64, v_dim = 128 : i64, scale = 0.004}
      : (tensor<?x576xbf16>, !moe.qtensor<768x512xf8E4M3FN, block = [128, 128], scale = f32>, !moe.cache<576xbf16, page = 128>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x384xbf16>
  kern.yield %0 : tensor<?x384xbf16>
}

kern.kernel @heads_16(%q: tensor<?x3072xbf16>, %w: tensor<4096x512xbf16>, %c: !moe.cache<576xbf16, page = 64>, %p: tensor<?xi32>, %s: tensor<?xi32>, %b: tensor<?x?xi32>) -> tensor<?x2048xbf16>
    attributes {hero = #kern.hero<attention>, rows = [#kern.rows<tokens * 1>, unit, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<sequences * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 3072, 512, 576, 1, 1, 0, 2048>} {
  %0 = moe.mla_attention %q, %w, %c, %p, %s, %b {heads = 16 : i64, nope_dim = 128 : i64, rope_dim = 64 : i64, v_dim = 128 : i64, scale = 0.004}
      : (tensor<?x3072xbf16>, tensor<4096x512xbf16>, !moe.cache<576xbf16, page = 64>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x2048xbf16>
  kern.yield %0 : tensor<?x2048xbf16>
}

kern.kernel @heads_16_fp8(%q: tensor<?x3072xbf16>, %w: !moe.qtensor<4096x512xf8E4M3FN, block = [128, 128], scale = f32>, %c: !moe.cache<576xbf16, page = 64>, %p: tensor<?xi32>, %s: tensor<?xi32>, %b: tensor<?x?xi32>) -> tensor<?x2048xbf16>
    attributes {hero = #kern.hero<attention>, rows = [#kern.rows<tokens * 1>, unit, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<sequences * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 3072, 512, 576, 1, 1, 0, 2048>} {
  %0 = moe.mla_attention %q, %w, %c, %p, %s, %b {heads = 16 : i64, nope_dim = 128 : i64, rope_dim = 64 : i64, v_dim = 128 : i64, scale = 0.004}
      : (tensor<?x3072xbf16>, !moe.qtensor<4096x512xf8E4M3FN, block = [128, 128], scale = f32>, !moe.cache<576xbf16, page = 64>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x2048xbf16>
  kern.yield %0 : tensor<?x2048xbf16>
}

kern.kernel @heads_128(%q: tensor<?x24576xbf16>, %w: !moe.qtensor<32768x512xf8E4M3FN, block = [128, 128], scale = f32>, %c: !moe.cache<576xbf16, page = 64>, %p: tensor<?xi32>, %s: tensor<?xi32>, %b: tensor<?x?xi32>) -> tensor<?x16384xbf16>
    attributes {hero = #kern.hero<attention>, rows = [#kern.rows<tokens * 1>, unit, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<sequences * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 24576, 512, 576, 1, 1, 0, 16384>} {
  %0 = moe.mla_attention %q, %w, %c, %p, %s, %b {heads = 128 : i64, nope_dim = 128 : i64, rope_dim = 64 : i64, v_dim = 128 : i64, scale = 0.004}
      : (tensor<?x24576xbf16>, !moe.qtensor<32768x512xf8E4M3FN, block = [128, 128], scale = f32>, !moe.cache<576xbf16, page = 64>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x16384xbf16>
  kern.yield %0 : tensor<?x16384xbf16>
}
