// Which kernels the chip's own attention computes, how they are laid out by the tokens of the programs that launch them,
// and that the others fall back.
// RUN: moec-opt %s --assign-schedules | FileCheck %s

module attributes {kern.target = "sm_90a"} {
// Few tokens: contexts are divided among all multiprocessors; partial sums meet in the scratch.
// CHECK-LABEL: kern.kernel @few
// CHECK-SAME:  schedule = #kern.schedule<{blocks = 256 : i64, consumers = 1 : i64, counters = 256 : i64, least_part = {{[0-9]+}} : i64, ping_pong = 0 : i64, scratch = {{[0-9]+}} : i64, split = 1 : i64, stages = 2 : i64, tokens = 128 : i64}>
kern.kernel @few(%q: tensor<?x4096xbf16>, %c: !moe.cache<2048xbf16, page = 64>, %p: tensor<?xi32>, %s: tensor<?xi32>, %b: tensor<?x?xi32>) -> tensor<?x4096xbf16>
    attributes {hero = #kern.hero<attention>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<sequences * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 4096, 2048, 1, 1, 0, 4096>} {
  %0 = moe.attention %q, %c, %p, %s, %b {heads = 32 : i64, kv_heads = 8 : i64, key_dim = 128 : i64, value_dim = 128 : i64, scale = 0.088388}
      : (tensor<?x4096xbf16>, !moe.cache<2048xbf16, page = 64>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x4096xbf16>
  kern.yield %0 : tensor<?x4096xbf16>
}

// A prompt: two warpgroups of 64 rows share what is brought.
// CHECK-LABEL: kern.kernel @many
// CHECK-SAME:  schedule = #kern.schedule<{blocks = 132 : i64, consumers = 2 : i64, ping_pong = 1 : i64, split = 0 : i64, stages = 4 : i64}>
kern.kernel @many(%q: tensor<?x4096xbf16>, %c: !moe.cache<2048xbf16, page = 64>, %p: tensor<?xi32>, %s: tensor<?xi32>, %b: tensor<?x?xi32>) -> tensor<?x4096xbf16>
    attributes {hero = #kern.hero<attention>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<sequences * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 4096, 2048, 1, 1, 0, 4096>} {
  %0 = moe.attention %q, %c, %p, %s, %b {heads = 32 : i64, kv_heads = 8 : i64, key_dim = 128 : i64, value_dim = 128 : i64, scale = 0.088388}
      : (tensor<?x4096xbf16>, !moe.cache<2048xbf16, page = 64>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x4096xbf16>
  kern.yield %0 : tensor<?x4096xbf16>
}

// Queries in f32.
// CHECK-LABEL: kern.kernel @floats
// CHECK-SAME:  positions = 64
kern.kernel @floats(%q: tensor<?x4096xf32>, %c: !moe.cache<2048xbf16, page = 64>, %p: tensor<?xi32>, %s: tensor<?xi32>, %b: tensor<?x?xi32>) -> tensor<?x4096xf32>
    attributes {hero = #kern.hero<attention>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<sequences * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 4096, 2048, 1, 1, 0, 4096>} {
  %0 = moe.attention %q, %c, %p, %s, %b {heads = 32 : i64, kv_heads = 8 : i64, key_dim = 128 : i64, value_dim = 128 : i64, scale = 0.088388}
      : (tensor<?x4096xf32>, !moe.cache<2048xbf16, page = 64>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x4096xf32>
  kern.yield %0 : tensor<?x4096xf32>
}

// A cache in f32.
// CHECK-LABEL: kern.kernel @float_cache
// CHECK-SAME:  positions = 64
kern.kernel @float_cache(%q: tensor<?x4096xbf16>, %c: !moe.cache<2048xf32, page = 64>, %p: tensor<?xi32>, %s: tensor<?xi32>, %b: tensor<?x?xi32>) -> tensor<?x4096xbf16>
    attributes {hero = #kern.hero<attention>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<sequences * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 4096, 2048, 1, 1, 0, 4096>} {
  %0 = moe.attention %q, %c, %p, %s, %b {heads = 32 : i64, kv_heads = 8 : i64, key_dim = 128 : i64, value_dim = 128 : i64, scale = 0.088388}
      : (tensor<?x4096xbf16>, !moe.cache<2048xf32, page = 64>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x4096xbf16>
  kern.yield %0 : tensor<?x4096xbf16>
}

// Pages of 16 rows.
// CHECK-LABEL: kern.kernel @short_pages
// CHECK-SAME:  positions = 64
kern.kernel @short_pages(%q: tensor<?x4096xbf16>, %c: !moe.cache<2048xbf16, page = 16>, %p: tensor<?xi32>, %s: tensor<?xi32>, %b: tensor<?x?xi32>) -> tensor<?x4096xbf16>
    attributes {hero = #kern.hero<attention>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<sequences * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 4096, 2048, 1, 1, 0, 4096>} {
  %0 = moe.attention %q, %c, %p, %s, %b {heads = 32 : i64, kv_heads = 8 : i64, key_dim = 128 : i64, value_dim = 128 : i64, scale = 0.088388}
      : (tensor<?x4096xbf16>, !moe.cache<2048xbf16, page = 16>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x4096xbf16>
  kern.yield %0 : tensor<?x4096xbf16>
}

// Heads of 40 columns.
// CHECK-LABEL: kern.kernel @narrow
// CHECK-SAME:  positions = 64
kern.kernel @narrow(%q: tensor<?x160xbf16>, %c: !moe.cache<160xbf16, page = 64>, %p: tensor<?xi32>, %s: tensor<?xi32>, %b: tensor<?x?xi32>) -> tensor<?x160xbf16>
    attributes {hero = #kern.hero<attention>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<sequences * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 160, 160, 1, 1, 0, 160>} {
  %0 = moe.attention %q, %c, %p, %s, %b {heads = 4 : i64, kv_heads = 2 : i64, key_dim = 40 : i64, value_dim = 40 : i64, scale = 0.158114}
      : (tensor<?x160xbf16>, !moe.cache<160xbf16, page = 64>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x160xbf16>
  kern.yield %0 : tensor<?x160xbf16>
}

func.func @decode(%q: tensor<?x4096xbf16>, %c: !moe.cache<2048xbf16, page = 64>, %p: tensor<?xi32>, %s: tensor<?xi32>, %b: tensor<?x?xi32>) -> tensor<?x4096xbf16>
    attributes {kern.bounds = #kern.bounds<tokens = 128, sequences = 128, output_rows = 128, context_length = 4096>} {
  %0 = kern.launch @few(%q, %c, %p, %s, %b) : (tensor<?x4096xbf16>, !moe.cache<2048xbf16, page = 64>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x4096xbf16>
  return %0 : tensor<?x4096xbf16>
}

func.func @prefill(%q: tensor<?x4096xbf16>, %c: !moe.cache<2048xbf16, page = 64>, %p: tensor<?xi32>, %s: tensor<?xi32>, %b: tensor<?x?xi32>) -> tensor<?x4096xbf16>
    attributes {kern.bounds = #kern.bounds<tokens = 4096, sequences = 128, output_rows = 128, context_length = 4096>} {
  %0 = kern.launch @many(%q, %c, %p, %s, %b) : (tensor<?x4096xbf16>, !moe.cache<2048xbf16, page = 64>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x4096xbf16>
  return %0 : tensor<?x4096xbf16>
}
}
