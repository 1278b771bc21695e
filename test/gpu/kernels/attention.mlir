// RUN: pack-kernels sm_90a %t %s --tokens 1,3,17,65 --sequences 3
// RUN: moec verify %t/package.moeb
// RUN: pack-kernels sm_90a %t %s --tokens 270 --sequences 5 --filter prompt
// RUN: moec verify %t/package.moeb
// Attention over cached keys and values: groups of 4, 7, 1 and 8 heads, 128 and 64 columns, pages of one and of two
// blocks, queries that lie in wider rows.
kern.kernel @attention_32_8(%q: tensor<?x4096xbf16>, %c: !moe.cache<2048xbf16, page = 64>, %p: tensor<?xi32>, %s: tensor<?xi32>, %b: tensor<?x?xi32>) -> tensor<?x4096xbf16>
    attributes {hero = #kern.hero<attention>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<sequences * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 4096, 2048, 1, 1, 0, 4096>} {
  %0 = moe.attention %q, %c, %p, %s, %b {heads = 32 : i64, kv_heads = 8 : i64, key_dim = 128 : i64, value_dim = 128 : i64, scale = 0.088388}
      : (tensor<?x4096xbf16>, !moe.cache<2048xbf16, page = 64>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x4096xbf16>
  kern.yield %0 : tensor<?x4096xbf16>
}

kern.kernel @attention_28_4(%q: tensor<?x3584xbf16>, %c: !moe.cache<1024xbf16, page = 64>, %p: tensor<?xi32>, %s: tensor<?xi32>, %b: tensor<?x?xi32>) -> tensor<?x3584xbf16>
    attributes {hero = #kern.hero<attention>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<sequences * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 3584, 1024, 1, 1, 0, 3584>} {
  %0 = moe.attention %q, %c, %p, %s, %b {heads = 28 : i64, kv_heads = 4 : i64, key_dim = 128 : i64, value_dim = 128 : i64, scale = 0.088388}
      : (tensor<?x3584xbf16>, !moe.cache<1024xbf16, page = 64>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x3584xbf16>
  kern.yield %0 : tensor<?x3584xbf16>
}

kern.kernel @prompt_4_1_wide_rows(%q: tensor<?x256xbf16>, %c: !moe.cache<128xbf16, page = 128>, %p: tensor<?xi32>, %s: tensor<?xi32>, %b: tensor<?x?xi32>) -> tensor<?x256xbf16>
    attributes {hero = #kern.hero<attention>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<sequences * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 512, 128, 1, 1, 0, 256>} {
  %0 = moe.attention %q, %c, %p, %s, %b {heads = 4 : i64, kv_heads = 1 : i64, key_dim = 64 : i64, value_dim = 64 : i64, scale = 0.125}
      : (tensor<?x256xbf16>, !moe.cache<128xbf16, page = 128>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x256xbf16>
  kern.yield %0 : tensor<?x256xbf16>
}

kern.kernel @prompt_7_1(%q: tensor<?x896xbf16>, %c: !moe.cache<256xbf16, page = 64>, %p: tensor<?xi32>, %s: tensor<?xi32>, %b: tensor<?x?xi32>) -> tensor<?x896xbf16>
    attributes {hero = #kern.hero<attention>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<sequences * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 896, 256, 1, 1, 0, 896>} {
  %0 = moe.attention %q, %c, %p, %s, %b {heads = 7 : i64, kv_heads = 1 : i64, key_dim = 128 : i64, value_dim = 128 : i64, scale = 0.088388}
      : (tensor<?x896xbf16>, !moe.cache<256xbf16, page = 64>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x896xbf16>
  kern.yield %0 : tensor<?x896xbf16>
}

kern.kernel @prompt_2_2(%q: tensor<?x128xbf16>, %c: !moe.cache<256xbf16, page = 64>, %p: tensor<?xi32>, %s: tensor<?xi32>, %b: tensor<?x?xi32>) -> tensor<?x128xbf16>
    attributes {hero = #kern.hero<attention>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<sequences * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 128, 256, 1, 1, 0, 128>} {
  %0 = moe.attention %q, %c, %p, %s, %b {heads = 2 : i64, kv_heads = 2 : i64, key_dim = 64 : i64, value_dim = 64 : i64, scale = 0.125}
      : (tensor<?x128xbf16>, !moe.cache<256xbf16, page = 64>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x128xbf16>
  kern.yield %0 : tensor<?x128xbf16>
}
