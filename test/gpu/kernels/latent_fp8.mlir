// RUN: pack-kernels sm_90a %t --tokens 1 %s
// RUN: moec verify %t/package.moeb
// The same over rows of 656 bytes: 512 codes, 4 scales, 64 columns of bf16.
!cache = !moe.cache<576x!moe.qtensor<1x512xf8E4M3FN, block = [1, 128], scale = f32>, page = 64>
!cache128 = !moe.cache<576x!moe.qtensor<1x512xf8E4M3FN, block = [1, 128], scale = f32>, page = 128>

kern.kernel @fp8_heads_16(%ql: tensor<?x8192xbf16>, %q: tensor<?x3072xbf16>, %c: !cache, %p: tensor<?xi32>, %s: tensor<?xi32>, %b: tensor<?x?xi32>) -> tensor<?x8192xbf16>
    attributes {hero = #kern.hero<attention>, rows = [#kern.rows<tokens * 1>, #kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<sequences * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 8192, 3072, 576, 1, 1, 0, 8192>} {
  %0 = moe.latent_attention %ql, %q, %c, %p, %s, %b {heads = 16 : i64, rope_dim = 64 : i64, scale = 0.07}
      : (tensor<?x8192xbf16>, tensor<?x3072xbf16>, !cache, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x8192xbf16>
  kern.yield %0 : tensor<?x8192xbf16>
}

kern.kernel @fp8_heads_16_f32(%ql: tensor<?x8192xbf16>, %q: tensor<?x3072xbf16>, %c: !cache, %p: tensor<?xi32>, %s: tensor<?xi32>, %b: tensor<?x?xi32>) -> tensor<?x8192xf32>
    attributes {hero = #kern.hero<attention>, rows = [#kern.rows<tokens * 1>, #kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<sequences * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 8192, 3072, 576, 1, 1, 0, 8192>} {
  %0 = moe.latent_attention %ql, %q, %c, %p, %s, %b {heads = 16 : i64, rope_dim = 64 : i64, scale = 0.07}
      : (tensor<?x8192xbf16>, tensor<?x3072xbf16>, !cache, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x8192xf32>
  kern.yield %0 : tensor<?x8192xf32>
}

kern.kernel @fp8_heads_32_views(%ql: tensor<?x16384xbf16>, %q: tensor<?x6144xbf16>, %c: !cache128, %p: tensor<?xi32>, %s: tensor<?xi32>, %b: tensor<?x?xi32>) -> tensor<?x16384xbf16>
    attributes {hero = #kern.hero<attention>, rows = [#kern.rows<tokens * 1>, #kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<sequences * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 16448, 6152, 576, 1, 1, 0, 16384>} {
  %0 = moe.latent_attention %ql, %q, %c, %p, %s, %b {heads = 32 : i64, rope_dim = 64 : i64, scale = 0.07}
      : (tensor<?x16384xbf16>, tensor<?x6144xbf16>, !cache128, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x16384xbf16>
  kern.yield %0 : tensor<?x16384xbf16>
}

kern.kernel @fp8_heads_128(%ql: tensor<?x65536xbf16>, %q: tensor<?x24576xbf16>, %c: !cache, %p: tensor<?xi32>, %s: tensor<?xi32>, %b: tensor<?x?xi32>) -> tensor<?x65536xbf16>
    attributes {hero = #kern.hero<attention>, rows = [#kern.rows<tokens * 1>, #kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<sequences * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 65536, 24576, 576, 1, 1, 0, 65536>} {
  %0 = moe.latent_attention %ql, %q, %c, %p, %s, %b {heads = 128 : i64, rope_dim = 64 : i64, scale = 0.07}
      : (tensor<?x65536xbf16>, tensor<?x24576xbf16>, !cache, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x65536xbf16>
  kern.yield %0 : tensor<?x65536xbf16>
}
