// Which attention over expanded latents the chip's own kernel computes: heads of 128 + 64 and 128 columns; the schedule
// has room for what its programs' longest context needs. The rest falls back to the plain kernel.
// RUN: moec-opt %s --assign-schedules | FileCheck %s

module attributes {kern.target = "sm_90a"} {
// CHECK-LABEL: kern.kernel @prompt_16
// CHECK-SAME:  schedule = #kern.schedule<{blocks = 132 : i64, counters = 2 : i64, rounds = 4 : i64, rows = 131072 : i64, scratch = 138412032 : i64, stages = 4 : i64, weight_stages = 5 : i64}>
kern.kernel @prompt_16(%q: tensor<?x3072xbf16>, %w: !moe.qtensor<4096x512xf8E4M3FN, block = [128, 128], scale = f32>, %c: !moe.cache<576xbf16, page = 64>, %p: tensor<?xi32>, %s: tensor<?xi32>, %b: tensor<?x?xi32>) -> tensor<?x2048xbf16>
    attributes {hero = #kern.hero<attention>, rows = [#kern.rows<tokens * 1>, unit, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<sequences * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 3072, 512, 576, 1, 1, 0, 2048>} {
  %0 = moe.mla_attention %q, %w, %c, %p, %s, %b {heads = 16 : i64, nope_dim = 128 : i64, rope_dim = 64 : i64, v_dim = 128 : i64, scale = 0.07}
      : (tensor<?x3072xbf16>, !moe.qtensor<4096x512xf8E4M3FN, block = [128, 128], scale = f32>, !moe.cache<576xbf16, page = 64>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x2048xbf16>
  kern.yield %0 : tensor<?x2048xbf16>
}
func.func @prefill(%q: tensor<?x3072xbf16>, %w: !moe.qtensor<4096x512xf8E4M3FN, block = [128, 128], scale = f32>, %c: !moe.cache<576xbf16, page = 64>, %p: tensor<?xi32>, %s: tensor<?xi32>, %b: tensor<?x?xi32>) -> tensor<?x2048xbf16> attributes {kern.bounds = #kern.bounds<tokens = 1024, sequences = 1, output_rows = 1, context_length = 8192>} {
  %0 = kern.launch @prompt_16(%q, %w, %c, %p, %s, %b) : (tensor<?x3072xbf16>, !moe.qtensor<4096x512xf8E4M3FN, block = [128, 128], scale = f32>, !moe.cache<576xbf16, page = 64>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x2048xbf16>
  return %0 : tensor<?x2048xbf16>
}

// The plain kernel has `positions`.
// CHECK-LABEL: kern.kernel @heads_of_192
// CHECK-SAME:  positions = 64
kern.kernel @heads_of_192(%q: tensor<?x4096xbf16>, %w: tensor<5120x512xbf16>, %c: !moe.cache<576xbf16, page = 64>, %p: tensor<?xi32>, %s: tensor<?xi32>, %b: tensor<?x?xi32>) -> tensor<?x2048xbf16>
    attributes {hero = #kern.hero<attention>, rows = [#kern.rows<tokens * 1>, unit, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<sequences * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 4096, 512, 576, 1, 1, 0, 2048>} {
  %0 = moe.mla_attention %q, %w, %c, %p, %s, %b {heads = 16 : i64, nope_dim = 192 : i64, rope_dim = 64 : i64, v_dim = 128 : i64, scale = 0.07}
      : (tensor<?x4096xbf16>, tensor<5120x512xbf16>, !moe.cache<576xbf16, page = 64>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x2048xbf16>
  kern.yield %0 : tensor<?x2048xbf16>
}

// CHECK-LABEL: kern.kernel @float_queries
// CHECK-SAME:  positions = 64
kern.kernel @float_queries(%q: tensor<?x3072xf32>, %w: tensor<4096x512xbf16>, %c: !moe.cache<576xbf16, page = 64>, %p: tensor<?xi32>, %s: tensor<?xi32>, %b: tensor<?x?xi32>) -> tensor<?x2048xbf16>
    attributes {hero = #kern.hero<attention>, rows = [#kern.rows<tokens * 1>, unit, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<sequences * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 3072, 512, 576, 1, 1, 0, 2048>} {
  %0 = moe.mla_attention %q, %w, %c, %p, %s, %b {heads = 16 : i64, nope_dim = 128 : i64, rope_dim = 64 : i64, v_dim = 128 : i64, scale = 0.07}
      : (tensor<?x3072xf32>, tensor<4096x512xbf16>, !moe.cache<576xbf16, page = 64>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x2048xbf16>
  kern.yield %0 : tensor<?x2048xbf16>
}
}
