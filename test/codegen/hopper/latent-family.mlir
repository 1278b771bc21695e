// Which attention over latents the chip's own kernel computes, how tokens are grouped by what the programs
// bring of a sequence, and that the rest falls back.
// RUN: moec-opt %s --assign-schedules | FileCheck %s

module attributes {kern.target = "sm_90a"} {
// A token of each sequence: 2 blocks of 64 heads, 66 workers.
// CHECK-LABEL: kern.kernel @decode_128
// CHECK-SAME:  schedule = #kern.schedule<{counters = 132 : i64, scratch = 17436672 : i64, tokens = 1 : i64, workers = 132 : i64}>
kern.kernel @decode_128(%ql: tensor<?x65536xbf16>, %q: tensor<?x24576xbf16>, %c: !moe.cache<576xbf16, page = 64>, %p: tensor<?xi32>, %s: tensor<?xi32>, %b: tensor<?x?xi32>) -> tensor<?x65536xbf16>
    attributes {hero = #kern.hero<attention>, rows = [#kern.rows<tokens * 1>, #kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<sequences * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 65536, 24576, 576, 1, 1, 0, 65536>} {
  %0 = moe.latent_attention %ql, %q, %c, %p, %s, %b {heads = 128 : i64, rope_dim = 64 : i64, scale = 0.07}
      : (tensor<?x65536xbf16>, tensor<?x24576xbf16>, !moe.cache<576xbf16, page = 64>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x65536xbf16>
  kern.yield %0 : tensor<?x65536xbf16>
}

// Two tokens of a sequence read its cached rows together.
// CHECK-LABEL: kern.kernel @verify_128
// CHECK-SAME:  tokens = 2 : i64, workers = 132 : i64}>
kern.kernel @verify_128(%ql: tensor<?x65536xbf16>, %q: tensor<?x24576xbf16>, %c: !moe.cache<576xbf16, page = 64>, %p: tensor<?xi32>, %s: tensor<?xi32>, %b: tensor<?x?xi32>) -> tensor<?x65536xbf16>
    attributes {hero = #kern.hero<attention>, rows = [#kern.rows<tokens * 1>, #kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<sequences * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 65536, 24576, 576, 1, 1, 0, 65536>} {
  %0 = moe.latent_attention %ql, %q, %c, %p, %s, %b {heads = 128 : i64, rope_dim = 64 : i64, scale = 0.07}
      : (tensor<?x65536xbf16>, tensor<?x24576xbf16>, !moe.cache<576xbf16, page = 64>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x65536xbf16>
  kern.yield %0 : tensor<?x65536xbf16>
}

// As many tokens as fill the 64 rows of a block. What a block leaves is f32 as the result, otherwise bf16, and a quarter of 128 heads'
// when it has one token of 16.
// CHECK-LABEL: kern.kernel @verify_16
// CHECK-SAME:  scratch = 34738176 : i64, tokens = 4 : i64
kern.kernel @verify_16(%ql: tensor<?x8192xbf16>, %q: tensor<?x3072xbf16>, %c: !moe.cache<576xbf16, page = 128>, %p: tensor<?xi32>, %s: tensor<?xi32>, %b: tensor<?x?xi32>) -> tensor<?x8192xf32>
    attributes {hero = #kern.hero<attention>, rows = [#kern.rows<tokens * 1>, #kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<sequences * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 8192, 3072, 576, 1, 1, 0, 8192>} {
  %0 = moe.latent_attention %ql, %q, %c, %p, %s, %b {heads = 16 : i64, rope_dim = 64 : i64, scale = 0.07}
      : (tensor<?x8192xbf16>, tensor<?x3072xbf16>, !moe.cache<576xbf16, page = 128>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x8192xf32>
  kern.yield %0 : tensor<?x8192xf32>
}

// CHECK-LABEL: kern.kernel @decode_16
// CHECK-SAME:  scratch = 4460544 : i64, tokens = 1 : i64
kern.kernel @decode_16(%ql: tensor<?x8192xbf16>, %q: tensor<?x3072xbf16>, %c: !moe.cache<576xbf16, page = 64>, %p: tensor<?xi32>, %s: tensor<?xi32>, %b: tensor<?x?xi32>) -> tensor<?x8192xbf16>
    attributes {hero = #kern.hero<attention>, rows = [#kern.rows<tokens * 1>, #kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<sequences * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 8192, 3072, 576, 1, 1, 0, 8192>} {
  %0 = moe.latent_attention %ql, %q, %c, %p, %s, %b {heads = 16 : i64, rope_dim = 64 : i64, scale = 0.07}
      : (tensor<?x8192xbf16>, tensor<?x3072xbf16>, !moe.cache<576xbf16, page = 64>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x8192xbf16>
  kern.yield %0 : tensor<?x8192xbf16>
}

// Quantized rows have the same schedules.
// CHECK-LABEL: kern.kernel @decode_16_fp8
// CHECK-SAME:  scratch = 4460544 : i64, tokens = 1 : i64
kern.kernel @decode_16_fp8(%ql: tensor<?x8192xbf16>, %q: tensor<?x3072xbf16>, %c: !moe.cache<576x!moe.qtensor<1x512xf8E4M3FN, block = [1, 128], scale = f32>, page = 64>, %p: tensor<?xi32>, %s: tensor<?xi32>, %b: tensor<?x?xi32>) -> tensor<?x8192xbf16>
    attributes {hero = #kern.hero<attention>, rows = [#kern.rows<tokens * 1>, #kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<sequences * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 8192, 3072, 576, 1, 1, 0, 8192>} {
  %0 = moe.latent_attention %ql, %q, %c, %p, %s, %b {heads = 16 : i64, rope_dim = 64 : i64, scale = 0.07}
      : (tensor<?x8192xbf16>, tensor<?x3072xbf16>, !moe.cache<576x!moe.qtensor<1x512xf8E4M3FN, block = [1, 128], scale = f32>, page = 64>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x8192xbf16>
  kern.yield %0 : tensor<?x8192xbf16>
}

// The plain kernel has `positions`.
// CHECK-LABEL: kern.kernel @heads_48
// CHECK-SAME:  positions = 64
kern.kernel @heads_48(%ql: tensor<?x24576xbf16>, %q: tensor<?x9216xbf16>, %c: !moe.cache<576xbf16, page = 64>, %p: tensor<?xi32>, %s: tensor<?xi32>, %b: tensor<?x?xi32>) -> tensor<?x24576xbf16>
    attributes {hero = #kern.hero<attention>, rows = [#kern.rows<tokens * 1>, #kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<sequences * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 24576, 9216, 576, 1, 1, 0, 24576>} {
  %0 = moe.latent_attention %ql, %q, %c, %p, %s, %b {heads = 48 : i64, rope_dim = 64 : i64, scale = 0.07}
      : (tensor<?x24576xbf16>, tensor<?x9216xbf16>, !moe.cache<576xbf16, page = 64>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x24576xbf16>
  kern.yield %0 : tensor<?x24576xbf16>
}

// CHECK-LABEL: kern.kernel @small_pages
// CHECK-SAME:  positions = 64
kern.kernel @small_pages(%ql: tensor<?x8192xbf16>, %q: tensor<?x3072xbf16>, %c: !moe.cache<576xbf16, page = 16>, %p: tensor<?xi32>, %s: tensor<?xi32>, %b: tensor<?x?xi32>) -> tensor<?x8192xbf16>
    attributes {hero = #kern.hero<attention>, rows = [#kern.rows<tokens * 1>, #kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<sequences * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 8192, 3072, 576, 1, 1, 0, 8192>} {
  %0 = moe.latent_attention %ql, %q, %c, %p, %s, %b {heads = 16 : i64, rope_dim = 64 : i64, scale = 0.07}
      : (tensor<?x8192xbf16>, tensor<?x3072xbf16>, !moe.cache<576xbf16, page = 16>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x8192xbf16>
  kern.yield %0 : tensor<?x8192xbf16>
}

// Rows that do not begin on 16 bytes.
// CHECK-LABEL: kern.kernel @odd_view
// CHECK-SAME:  positions = 64
kern.kernel @odd_view(%ql: tensor<?x8192xbf16>, %q: tensor<?x3072xbf16>, %c: !moe.cache<576xbf16, page = 64>, %p: tensor<?xi32>, %s: tensor<?xi32>, %b: tensor<?x?xi32>) -> tensor<?x8192xbf16>
    attributes {hero = #kern.hero<attention>, rows = [#kern.rows<tokens * 1>, #kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<sequences * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 8192, 3076, 576, 1, 1, 0, 8192>} {
  %0 = moe.latent_attention %ql, %q, %c, %p, %s, %b {heads = 16 : i64, rope_dim = 64 : i64, scale = 0.07}
      : (tensor<?x8192xbf16>, tensor<?x3072xbf16>, !moe.cache<576xbf16, page = 64>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x8192xbf16>
  kern.yield %0 : tensor<?x8192xbf16>
}

// CHECK-LABEL: kern.kernel @f32_queries
// CHECK-SAME:  positions = 64
kern.kernel @f32_queries(%ql: tensor<?x8192xf32>, %q: tensor<?x3072xbf16>, %c: !moe.cache<576xbf16, page = 64>, %p: tensor<?xi32>, %s: tensor<?xi32>, %b: tensor<?x?xi32>) -> tensor<?x8192xf32>
    attributes {hero = #kern.hero<attention>, rows = [#kern.rows<tokens * 1>, #kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<sequences * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 8192, 3072, 576, 1, 1, 0, 8192>} {
  %0 = moe.latent_attention %ql, %q, %c, %p, %s, %b {heads = 16 : i64, rope_dim = 64 : i64, scale = 0.07}
      : (tensor<?x8192xf32>, tensor<?x3072xbf16>, !moe.cache<576xbf16, page = 64>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x8192xf32>
  kern.yield %0 : tensor<?x8192xf32>
}

func.func @decode(%ldecode_128: tensor<?x65536xbf16>, %qdecode_128: tensor<?x24576xbf16>, %cdecode_128: !moe.cache<576xbf16, page = 64>, %ldecode_16: tensor<?x8192xbf16>, %qdecode_16: tensor<?x3072xbf16>, %cdecode_16: !moe.cache<576xbf16, page = 64>, %p: tensor<?xi32>, %s: tensor<?xi32>, %b: tensor<?x?xi32>) -> (tensor<?x65536xbf16>, tensor<?x8192xbf16>)
    attributes {kern.bounds = #kern.bounds<tokens = 16, sequences = 16, output_rows = 16, context_length = 4096>} {
  %decode_128 = kern.launch @decode_128(%ldecode_128, %qdecode_128, %cdecode_128, %p, %s, %b) : (tensor<?x65536xbf16>, tensor<?x24576xbf16>, !moe.cache<576xbf16, page = 64>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x65536xbf16>
  %decode_16 = kern.launch @decode_16(%ldecode_16, %qdecode_16, %cdecode_16, %p, %s, %b) : (tensor<?x8192xbf16>, tensor<?x3072xbf16>, !moe.cache<576xbf16, page = 64>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x8192xbf16>
  return %decode_128, %decode_16 : tensor<?x65536xbf16>, tensor<?x8192xbf16>
}
func.func @verify(%lverify_128: tensor<?x65536xbf16>, %qverify_128: tensor<?x24576xbf16>, %cverify_128: !moe.cache<576xbf16, page = 64>, %lverify_16: tensor<?x8192xbf16>, %qverify_16: tensor<?x3072xbf16>, %cverify_16: !moe.cache<576xbf16, page = 128>, %p: tensor<?xi32>, %s: tensor<?xi32>, %b: tensor<?x?xi32>) -> (tensor<?x65536xbf16>, tensor<?x8192xf32>)
    attributes {kern.bounds = #kern.bounds<tokens = 32, sequences = 8, output_rows = 8, context_length = 4096>} {
  %verify_128 = kern.launch @verify_128(%lverify_128, %qverify_128, %cverify_128, %p, %s, %b) : (tensor<?x65536xbf16>, tensor<?x24576xbf16>, !moe.cache<576xbf16, page = 64>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x65536xbf16>
  %verify_16 = kern.launch @verify_16(%lverify_16, %qverify_16, %cverify_16, %p, %s, %b) : (tensor<?x8192xbf16>, tensor<?x3072xbf16>, !moe.cache<576xbf16, page = 128>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x8192xf32>
  return %verify_128, %verify_16 : tensor<?x65536xbf16>, tensor<?x8192xf32>
}
}
