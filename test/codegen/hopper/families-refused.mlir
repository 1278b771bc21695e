// Why the chip's own families leave kernels to the plain ones: each reason, as a remark. What a family takes has none.
// RUN: moec-opt %s --assign-schedules --remarks-filter-missed=assign-schedules --verify-diagnostics --split-input-file -o /dev/null

module attributes {kern.target = "sm_90a"} {
kern.kernel @attention(%0: tensor<?x4096xbf16>, %1: !moe.cache<2048xbf16, page = 64>, %2: tensor<?xi32>, %3: tensor<?xi32>, %4: tensor<?x?xi32>) -> tensor<?x4096xbf16>
    attributes {hero = #kern.hero<attention>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<sequences * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 4096, 2048, 1, 1, 0, 4096>} {
  %y = moe.attention %0, %1, %2, %3, %4 {heads = 32 : i64, kv_heads = 8 : i64, key_dim = 128 : i64, value_dim = 128 : i64, scale = 0.0884}
      : (tensor<?x4096xbf16>, !moe.cache<2048xbf16, page = 64>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x4096xbf16>
  kern.yield %y : tensor<?x4096xbf16>
}

// expected-remark@+1 {{attention kernels of Hopper leave it to the plain kernels: it is not one moe.attention of its arguments}}
kern.kernel @two_ops(%0: tensor<?x4096xbf16>, %1: !moe.cache<2048xbf16, page = 64>, %2: tensor<?xi32>, %3: tensor<?xi32>, %4: tensor<?x?xi32>) -> tensor<?x4096xbf16>
    attributes {hero = #kern.hero<attention>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<sequences * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 4096, 2048, 1, 1, 0, 4096>} {
  %x = moe.add %0, %0 : tensor<?x4096xbf16>
  %y = moe.attention %x, %1, %2, %3, %4 {heads = 32 : i64, kv_heads = 8 : i64, key_dim = 128 : i64, value_dim = 128 : i64, scale = 0.0884}
      : (tensor<?x4096xbf16>, !moe.cache<2048xbf16, page = 64>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x4096xbf16>
  kern.yield %y : tensor<?x4096xbf16>
}

// expected-remark@+1 {{attention kernels of Hopper leave it to the plain kernels: it yields something else than its attention}}
kern.kernel @two_results(%0: tensor<?x4096xbf16>, %1: !moe.cache<2048xbf16, page = 64>, %2: tensor<?xi32>, %3: tensor<?xi32>, %4: tensor<?x?xi32>) -> (tensor<?x4096xbf16>, tensor<?x4096xbf16>)
    attributes {hero = #kern.hero<attention>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<sequences * 1>, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 4096, 2048, 1, 1, 0, 4096, 4096>} {
  %y = moe.attention %0, %1, %2, %3, %4 {heads = 32 : i64, kv_heads = 8 : i64, key_dim = 128 : i64, value_dim = 128 : i64, scale = 0.0884}
      : (tensor<?x4096xbf16>, !moe.cache<2048xbf16, page = 64>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x4096xbf16>
  kern.yield %y, %y : tensor<?x4096xbf16>, tensor<?x4096xbf16>
}

// expected-remark@+1 {{attention kernels of Hopper leave it to the plain kernels: its queries or results are not bf16}}
kern.kernel @float_queries(%0: tensor<?x4096xf32>, %1: !moe.cache<2048xbf16, page = 64>, %2: tensor<?xi32>, %3: tensor<?xi32>, %4: tensor<?x?xi32>) -> tensor<?x4096xf32>
    attributes {hero = #kern.hero<attention>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<sequences * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 4096, 2048, 1, 1, 0, 4096>} {
  %y = moe.attention %0, %1, %2, %3, %4 {heads = 32 : i64, kv_heads = 8 : i64, key_dim = 128 : i64, value_dim = 128 : i64, scale = 0.0884}
      : (tensor<?x4096xf32>, !moe.cache<2048xbf16, page = 64>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x4096xf32>
  kern.yield %y : tensor<?x4096xf32>
}

// expected-remark@+1 {{attention kernels of Hopper leave it to the plain kernels: its cache is not bf16}}
kern.kernel @float_cache(%0: tensor<?x4096xbf16>, %1: !moe.cache<2048xf32, page = 64>, %2: tensor<?xi32>, %3: tensor<?xi32>, %4: tensor<?x?xi32>) -> tensor<?x4096xbf16>
    attributes {hero = #kern.hero<attention>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<sequences * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 4096, 2048, 1, 1, 0, 4096>} {
  %y = moe.attention %0, %1, %2, %3, %4 {heads = 32 : i64, kv_heads = 8 : i64, key_dim = 128 : i64, value_dim = 128 : i64, scale = 0.0884}
      : (tensor<?x4096xbf16>, !moe.cache<2048xf32, page = 64>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x4096xbf16>
  kern.yield %y : tensor<?x4096xbf16>
}

// expected-remark@+1 {{attention kernels of Hopper leave it to the plain kernels: heads of 40 and 40 columns, not 64 or 128}}
kern.kernel @narrow_heads(%0: tensor<?x160xbf16>, %1: !moe.cache<160xbf16, page = 64>, %2: tensor<?xi32>, %3: tensor<?xi32>, %4: tensor<?x?xi32>) -> tensor<?x160xbf16>
    attributes {hero = #kern.hero<attention>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<sequences * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 160, 160, 1, 1, 0, 160>} {
  %y = moe.attention %0, %1, %2, %3, %4 {heads = 4 : i64, kv_heads = 2 : i64, key_dim = 40 : i64, value_dim = 40 : i64, scale = 0.0884}
      : (tensor<?x160xbf16>, !moe.cache<160xbf16, page = 64>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x160xbf16>
  kern.yield %y : tensor<?x160xbf16>
}

// expected-remark@+1 {{attention kernels of Hopper leave it to the plain kernels: pages of 16 rows, no multiple of 64}}
kern.kernel @short_pages(%0: tensor<?x4096xbf16>, %1: !moe.cache<2048xbf16, page = 16>, %2: tensor<?xi32>, %3: tensor<?xi32>, %4: tensor<?x?xi32>) -> tensor<?x4096xbf16>
    attributes {hero = #kern.hero<attention>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<sequences * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 4096, 2048, 1, 1, 0, 4096>} {
  %y = moe.attention %0, %1, %2, %3, %4 {heads = 32 : i64, kv_heads = 8 : i64, key_dim = 128 : i64, value_dim = 128 : i64, scale = 0.0884}
      : (tensor<?x4096xbf16>, !moe.cache<2048xbf16, page = 16>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x4096xbf16>
  kern.yield %y : tensor<?x4096xbf16>
}

// expected-remark@+1 {{attention kernels of Hopper leave it to the plain kernels: 65 heads share a key, more than 64}}
kern.kernel @many_heads_a_key(%0: tensor<?x4160xbf16>, %1: !moe.cache<128xbf16, page = 64>, %2: tensor<?xi32>, %3: tensor<?xi32>, %4: tensor<?x?xi32>) -> tensor<?x4160xbf16>
    attributes {hero = #kern.hero<attention>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<sequences * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 4160, 128, 1, 1, 0, 4160>} {
  %y = moe.attention %0, %1, %2, %3, %4 {heads = 65 : i64, kv_heads = 1 : i64, key_dim = 64 : i64, value_dim = 64 : i64, scale = 0.0884}
      : (tensor<?x4160xbf16>, !moe.cache<128xbf16, page = 64>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x4160xbf16>
  kern.yield %y : tensor<?x4160xbf16>
}

// expected-remark@+1 {{attention kernels of Hopper leave it to the plain kernels: rows of queries or results do not begin on 4 and 16 bytes}}
kern.kernel @odd_rows(%0: tensor<?x4096xbf16>, %1: !moe.cache<2048xbf16, page = 64>, %2: tensor<?xi32>, %3: tensor<?xi32>, %4: tensor<?x?xi32>) -> tensor<?x4096xbf16>
    attributes {hero = #kern.hero<attention>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<sequences * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 4096, 2048, 1, 1, 0, 4100>} {
  %y = moe.attention %0, %1, %2, %3, %4 {heads = 32 : i64, kv_heads = 8 : i64, key_dim = 128 : i64, value_dim = 128 : i64, scale = 0.0884}
      : (tensor<?x4096xbf16>, !moe.cache<2048xbf16, page = 64>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x4096xbf16>
  kern.yield %y : tensor<?x4096xbf16>
}

kern.kernel @latent(%0: tensor<?x8192xbf16>, %1: tensor<?x3072xbf16>, %2: !moe.cache<576xbf16, page = 64>, %3: tensor<?xi32>, %4: tensor<?xi32>, %5: tensor<?x?xi32>) -> tensor<?x8192xbf16>
    attributes {hero = #kern.hero<attention>, rows = [#kern.rows<tokens * 1>, #kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<sequences * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 8192, 3072, 576, 1, 1, 0, 8192>} {
  %y = moe.latent_attention %0, %1, %2, %3, %4, %5 {heads = 16 : i64, rope_dim = 64 : i64, scale = 0.07}
      : (tensor<?x8192xbf16>, tensor<?x3072xbf16>, !moe.cache<576xbf16, page = 64>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x8192xbf16>
  kern.yield %y : tensor<?x8192xbf16>
}

// expected-remark@+1 {{attention kernels of Hopper over latents leave it to the plain kernels: it is not one moe.latent_attention}}
kern.kernel @latent_two_ops(%0: tensor<?x8192xbf16>, %1: tensor<?x3072xbf16>, %2: !moe.cache<576xbf16, page = 64>, %3: tensor<?xi32>, %4: tensor<?xi32>, %5: tensor<?x?xi32>) -> tensor<?x8192xbf16>
    attributes {hero = #kern.hero<attention>, rows = [#kern.rows<tokens * 1>, #kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<sequences * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 8192, 3072, 576, 1, 1, 0, 8192>} {
  %y = moe.latent_attention %0, %1, %2, %3, %4, %5 {heads = 16 : i64, rope_dim = 64 : i64, scale = 0.07}
      : (tensor<?x8192xbf16>, tensor<?x3072xbf16>, !moe.cache<576xbf16, page = 64>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x8192xbf16>
  %z = moe.add %y, %y : tensor<?x8192xbf16>
  kern.yield %z : tensor<?x8192xbf16>
}

// expected-remark@+1 {{attention kernels of Hopper over latents leave it to the plain kernels: its cache is of f32, neither bf16 nor 512 codes with a scale for each 128}}
kern.kernel @latent_float_cache(%0: tensor<?x8192xbf16>, %1: tensor<?x3072xbf16>, %2: !moe.cache<576xf32, page = 64>, %3: tensor<?xi32>, %4: tensor<?xi32>, %5: tensor<?x?xi32>) -> tensor<?x8192xbf16>
    attributes {hero = #kern.hero<attention>, rows = [#kern.rows<tokens * 1>, #kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<sequences * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 8192, 3072, 576, 1, 1, 0, 8192>} {
  %y = moe.latent_attention %0, %1, %2, %3, %4, %5 {heads = 16 : i64, rope_dim = 64 : i64, scale = 0.07}
      : (tensor<?x8192xbf16>, tensor<?x3072xbf16>, !moe.cache<576xf32, page = 64>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x8192xbf16>
  kern.yield %y : tensor<?x8192xbf16>
}

// expected-remark-re@+1 {{attention kernels of Hopper over latents leave it to the plain kernels: its cache is of {{.*}}, neither bf16 nor 512 codes with a scale for each 128}}
kern.kernel @latent_other_codes(%0: tensor<?x8192xbf16>, %1: tensor<?x3072xbf16>, %2: !moe.cache<576x!moe.qtensor<1x512xf8E4M3FN, block = [1, 64], scale = f32>, page = 64>, %3: tensor<?xi32>, %4: tensor<?xi32>, %5: tensor<?x?xi32>) -> tensor<?x8192xbf16>
    attributes {hero = #kern.hero<attention>, rows = [#kern.rows<tokens * 1>, #kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<sequences * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 8192, 3072, 576, 1, 1, 0, 8192>} {
  %y = moe.latent_attention %0, %1, %2, %3, %4, %5 {heads = 16 : i64, rope_dim = 64 : i64, scale = 0.07}
      : (tensor<?x8192xbf16>, tensor<?x3072xbf16>, !moe.cache<576x!moe.qtensor<1x512xf8E4M3FN, block = [1, 64], scale = f32>, page = 64>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x8192xbf16>
  kern.yield %y : tensor<?x8192xbf16>
}

// expected-remark@+1 {{attention kernels of Hopper over latents leave it to the plain kernels: its cached rows have 160 columns, 32 of them rotated; 576 and 64 are expected}}
kern.kernel @latent_narrow(%0: tensor<?x2048xbf16>, %1: tensor<?x2560xbf16>, %2: !moe.cache<160xbf16, page = 64>, %3: tensor<?xi32>, %4: tensor<?xi32>, %5: tensor<?x?xi32>) -> tensor<?x2048xbf16>
    attributes {hero = #kern.hero<attention>, rows = [#kern.rows<tokens * 1>, #kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<sequences * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 2048, 2560, 160, 1, 1, 0, 2048>} {
  %y = moe.latent_attention %0, %1, %2, %3, %4, %5 {heads = 16 : i64, rope_dim = 32 : i64, scale = 0.07}
      : (tensor<?x2048xbf16>, tensor<?x2560xbf16>, !moe.cache<160xbf16, page = 64>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x2048xbf16>
  kern.yield %y : tensor<?x2048xbf16>
}

// expected-remark@+1 {{attention kernels of Hopper over latents leave it to the plain kernels: its latent query is f32, not bf16}}
kern.kernel @latent_float_latents(%0: tensor<?x8192xf32>, %1: tensor<?x3072xbf16>, %2: !moe.cache<576xbf16, page = 64>, %3: tensor<?xi32>, %4: tensor<?xi32>, %5: tensor<?x?xi32>) -> tensor<?x8192xf32>
    attributes {hero = #kern.hero<attention>, rows = [#kern.rows<tokens * 1>, #kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<sequences * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 8192, 3072, 576, 1, 1, 0, 8192>} {
  %y = moe.latent_attention %0, %1, %2, %3, %4, %5 {heads = 16 : i64, rope_dim = 64 : i64, scale = 0.07}
      : (tensor<?x8192xf32>, tensor<?x3072xbf16>, !moe.cache<576xbf16, page = 64>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x8192xf32>
  kern.yield %y : tensor<?x8192xf32>
}

// expected-remark@+1 {{attention kernels of Hopper over latents leave it to the plain kernels: its query is f32, not bf16}}
kern.kernel @latent_float_queries(%0: tensor<?x8192xbf16>, %1: tensor<?x3072xf32>, %2: !moe.cache<576xbf16, page = 64>, %3: tensor<?xi32>, %4: tensor<?xi32>, %5: tensor<?x?xi32>) -> tensor<?x8192xbf16>
    attributes {hero = #kern.hero<attention>, rows = [#kern.rows<tokens * 1>, #kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<sequences * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 8192, 3072, 576, 1, 1, 0, 8192>} {
  %y = moe.latent_attention %0, %1, %2, %3, %4, %5 {heads = 16 : i64, rope_dim = 64 : i64, scale = 0.07}
      : (tensor<?x8192xbf16>, tensor<?x3072xf32>, !moe.cache<576xbf16, page = 64>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x8192xbf16>
  kern.yield %y : tensor<?x8192xbf16>
}

// expected-remark@+1 {{attention kernels of Hopper over latents leave it to the plain kernels: it has several results}}
kern.kernel @latent_two_results(%0: tensor<?x8192xbf16>, %1: tensor<?x3072xbf16>, %2: !moe.cache<576xbf16, page = 64>, %3: tensor<?xi32>, %4: tensor<?xi32>, %5: tensor<?x?xi32>) -> (tensor<?x8192xbf16>, tensor<?x8192xbf16>)
    attributes {hero = #kern.hero<attention>, rows = [#kern.rows<tokens * 1>, #kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<sequences * 1>, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 8192, 3072, 576, 1, 1, 0, 8192, 8192>} {
  %y = moe.latent_attention %0, %1, %2, %3, %4, %5 {heads = 16 : i64, rope_dim = 64 : i64, scale = 0.07}
      : (tensor<?x8192xbf16>, tensor<?x3072xbf16>, !moe.cache<576xbf16, page = 64>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x8192xbf16>
  kern.yield %y, %y : tensor<?x8192xbf16>, tensor<?x8192xbf16>
}

// expected-remark@+1 {{attention kernels of Hopper over latents leave it to the plain kernels: its result is f16, neither bf16 nor f32}}
kern.kernel @latent_half_result(%0: tensor<?x8192xbf16>, %1: tensor<?x3072xbf16>, %2: !moe.cache<576xbf16, page = 64>, %3: tensor<?xi32>, %4: tensor<?xi32>, %5: tensor<?x?xi32>) -> tensor<?x8192xf16>
    attributes {hero = #kern.hero<attention>, rows = [#kern.rows<tokens * 1>, #kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<sequences * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 8192, 3072, 576, 1, 1, 0, 8192>} {
  %y = moe.latent_attention %0, %1, %2, %3, %4, %5 {heads = 16 : i64, rope_dim = 64 : i64, scale = 0.07}
      : (tensor<?x8192xbf16>, tensor<?x3072xbf16>, !moe.cache<576xbf16, page = 64>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x8192xf16>
  kern.yield %y : tensor<?x8192xf16>
}

// expected-remark@+1 {{attention kernels of Hopper over latents leave it to the plain kernels: its result is a view of some columns}}
kern.kernel @latent_view(%0: tensor<?x8192xbf16>, %1: tensor<?x3072xbf16>, %2: !moe.cache<576xbf16, page = 64>, %3: tensor<?xi32>, %4: tensor<?xi32>, %5: tensor<?x?xi32>) -> tensor<?x8192xbf16>
    attributes {hero = #kern.hero<attention>, rows = [#kern.rows<tokens * 1>, #kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<sequences * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 8192, 3072, 576, 1, 1, 0, 16384>} {
  %y = moe.latent_attention %0, %1, %2, %3, %4, %5 {heads = 16 : i64, rope_dim = 64 : i64, scale = 0.07}
      : (tensor<?x8192xbf16>, tensor<?x3072xbf16>, !moe.cache<576xbf16, page = 64>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x8192xbf16>
  kern.yield %y : tensor<?x8192xbf16>
}

// expected-remark@+1 {{attention kernels of Hopper over latents leave it to the plain kernels: 48 heads: they must be 16, 32, 64 or 128}}
kern.kernel @latent_heads(%0: tensor<?x24576xbf16>, %1: tensor<?x9216xbf16>, %2: !moe.cache<576xbf16, page = 64>, %3: tensor<?xi32>, %4: tensor<?xi32>, %5: tensor<?x?xi32>) -> tensor<?x24576xbf16>
    attributes {hero = #kern.hero<attention>, rows = [#kern.rows<tokens * 1>, #kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<sequences * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 24576, 9216, 576, 1, 1, 0, 24576>} {
  %y = moe.latent_attention %0, %1, %2, %3, %4, %5 {heads = 48 : i64, rope_dim = 64 : i64, scale = 0.07}
      : (tensor<?x24576xbf16>, tensor<?x9216xbf16>, !moe.cache<576xbf16, page = 64>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x24576xbf16>
  kern.yield %y : tensor<?x24576xbf16>
}

// expected-remark@+1 {{attention kernels of Hopper over latents leave it to the plain kernels: pages of 16 rows are no multiples of 64}}
kern.kernel @latent_pages(%0: tensor<?x8192xbf16>, %1: tensor<?x3072xbf16>, %2: !moe.cache<576xbf16, page = 16>, %3: tensor<?xi32>, %4: tensor<?xi32>, %5: tensor<?x?xi32>) -> tensor<?x8192xbf16>
    attributes {hero = #kern.hero<attention>, rows = [#kern.rows<tokens * 1>, #kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<sequences * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 8192, 3072, 576, 1, 1, 0, 8192>} {
  %y = moe.latent_attention %0, %1, %2, %3, %4, %5 {heads = 16 : i64, rope_dim = 64 : i64, scale = 0.07}
      : (tensor<?x8192xbf16>, tensor<?x3072xbf16>, !moe.cache<576xbf16, page = 16>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x8192xbf16>
  kern.yield %y : tensor<?x8192xbf16>
}

// expected-remark@+1 {{attention kernels of Hopper over latents leave it to the plain kernels: its queries do not begin on 16 bytes}}
kern.kernel @latent_odd_rows(%0: tensor<?x8192xbf16>, %1: tensor<?x3072xbf16>, %2: !moe.cache<576xbf16, page = 64>, %3: tensor<?xi32>, %4: tensor<?xi32>, %5: tensor<?x?xi32>) -> tensor<?x8192xbf16>
    attributes {hero = #kern.hero<attention>, rows = [#kern.rows<tokens * 1>, #kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<sequences * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 8192, 3076, 576, 1, 1, 0, 8192>} {
  %y = moe.latent_attention %0, %1, %2, %3, %4, %5 {heads = 16 : i64, rope_dim = 64 : i64, scale = 0.07}
      : (tensor<?x8192xbf16>, tensor<?x3072xbf16>, !moe.cache<576xbf16, page = 64>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x8192xbf16>
  kern.yield %y : tensor<?x8192xbf16>
}

kern.kernel @expanded(%0: tensor<?x3072xbf16>, %1: tensor<4096x512xbf16>, %2: !moe.cache<576xbf16, page = 64>, %3: tensor<?xi32>, %4: tensor<?xi32>, %5: tensor<?x?xi32>) -> tensor<?x2048xbf16>
    attributes {hero = #kern.hero<attention>, rows = [#kern.rows<tokens * 1>, unit, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<sequences * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 3072, 512, 576, 1, 1, 0, 2048>} {
  %y = moe.mla_attention %0, %1, %2, %3, %4, %5 {heads = 16 : i64, nope_dim = 128 : i64, rope_dim = 64 : i64, v_dim = 128 : i64, scale = 0.07}
      : (tensor<?x3072xbf16>, tensor<4096x512xbf16>, !moe.cache<576xbf16, page = 64>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x2048xbf16>
  kern.yield %y : tensor<?x2048xbf16>
}

// expected-remark@+1 {{attention kernels of Hopper over expanded latents leave it to the plain kernels: it is not one moe.mla_attention of its arguments}}
kern.kernel @expanded_two_ops(%0: tensor<?x3072xbf16>, %1: tensor<4096x512xbf16>, %2: !moe.cache<576xbf16, page = 64>, %3: tensor<?xi32>, %4: tensor<?xi32>, %5: tensor<?x?xi32>) -> tensor<?x2048xbf16>
    attributes {hero = #kern.hero<attention>, rows = [#kern.rows<tokens * 1>, unit, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<sequences * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 3072, 512, 576, 1, 1, 0, 2048>} {
  %y = moe.mla_attention %0, %1, %2, %3, %4, %5 {heads = 16 : i64, nope_dim = 128 : i64, rope_dim = 64 : i64, v_dim = 128 : i64, scale = 0.07}
      : (tensor<?x3072xbf16>, tensor<4096x512xbf16>, !moe.cache<576xbf16, page = 64>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x2048xbf16>
  %z = moe.add %y, %y : tensor<?x2048xbf16>
  kern.yield %z : tensor<?x2048xbf16>
}

// expected-remark@+1 {{attention kernels of Hopper over expanded latents leave it to the plain kernels: heads of 192 + 64 and 128 columns, not of 128 + 64 and 128}}
kern.kernel @expanded_heads(%0: tensor<?x4096xbf16>, %1: tensor<5120x512xbf16>, %2: !moe.cache<576xbf16, page = 64>, %3: tensor<?xi32>, %4: tensor<?xi32>, %5: tensor<?x?xi32>) -> tensor<?x2048xbf16>
    attributes {hero = #kern.hero<attention>, rows = [#kern.rows<tokens * 1>, unit, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<sequences * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 4096, 512, 576, 1, 1, 0, 2048>} {
  %y = moe.mla_attention %0, %1, %2, %3, %4, %5 {heads = 16 : i64, nope_dim = 192 : i64, rope_dim = 64 : i64, v_dim = 128 : i64, scale = 0.07}
      : (tensor<?x4096xbf16>, tensor<5120x512xbf16>, !moe.cache<576xbf16, page = 64>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x2048xbf16>
  kern.yield %y : tensor<?x2048xbf16>
}

// expected-remark@+1 {{attention kernels of Hopper over expanded latents leave it to the plain kernels: its cache has not 576 columns of bf16 in pages of multiples of 64 rows}}
kern.kernel @expanded_pages(%0: tensor<?x3072xbf16>, %1: tensor<4096x512xbf16>, %2: !moe.cache<576xbf16, page = 16>, %3: tensor<?xi32>, %4: tensor<?xi32>, %5: tensor<?x?xi32>) -> tensor<?x2048xbf16>
    attributes {hero = #kern.hero<attention>, rows = [#kern.rows<tokens * 1>, unit, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<sequences * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 3072, 512, 576, 1, 1, 0, 2048>} {
  %y = moe.mla_attention %0, %1, %2, %3, %4, %5 {heads = 16 : i64, nope_dim = 128 : i64, rope_dim = 64 : i64, v_dim = 128 : i64, scale = 0.07}
      : (tensor<?x3072xbf16>, tensor<4096x512xbf16>, !moe.cache<576xbf16, page = 16>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x2048xbf16>
  kern.yield %y : tensor<?x2048xbf16>
}

// expected-remark@+1 {{attention kernels of Hopper over expanded latents leave it to the plain kernels: its weight is neither bf16 nor E4M3 with f32 scales per 128x128}}
kern.kernel @expanded_float_weight(%0: tensor<?x3072xbf16>, %1: tensor<4096x512xf32>, %2: !moe.cache<576xbf16, page = 64>, %3: tensor<?xi32>, %4: tensor<?xi32>, %5: tensor<?x?xi32>) -> tensor<?x2048xbf16>
    attributes {hero = #kern.hero<attention>, rows = [#kern.rows<tokens * 1>, unit, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<sequences * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 3072, 512, 576, 1, 1, 0, 2048>} {
  %y = moe.mla_attention %0, %1, %2, %3, %4, %5 {heads = 16 : i64, nope_dim = 128 : i64, rope_dim = 64 : i64, v_dim = 128 : i64, scale = 0.07}
      : (tensor<?x3072xbf16>, tensor<4096x512xf32>, !moe.cache<576xbf16, page = 64>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x2048xbf16>
  kern.yield %y : tensor<?x2048xbf16>
}

// expected-remark@+1 {{attention kernels of Hopper over expanded latents leave it to the plain kernels: its queries or results are not bf16}}
kern.kernel @expanded_float_queries(%0: tensor<?x3072xf32>, %1: tensor<4096x512xbf16>, %2: !moe.cache<576xbf16, page = 64>, %3: tensor<?xi32>, %4: tensor<?xi32>, %5: tensor<?x?xi32>) -> tensor<?x2048xbf16>
    attributes {hero = #kern.hero<attention>, rows = [#kern.rows<tokens * 1>, unit, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<sequences * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 3072, 512, 576, 1, 1, 0, 2048>} {
  %y = moe.mla_attention %0, %1, %2, %3, %4, %5 {heads = 16 : i64, nope_dim = 128 : i64, rope_dim = 64 : i64, v_dim = 128 : i64, scale = 0.07}
      : (tensor<?x3072xf32>, tensor<4096x512xbf16>, !moe.cache<576xbf16, page = 64>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x2048xbf16>
  kern.yield %y : tensor<?x2048xbf16>
}

// expected-remark@+1 {{attention kernels of Hopper over expanded latents leave it to the plain kernels: rows of queries or results do not begin on 4 and 16 bytes}}
kern.kernel @expanded_odd_rows(%0: tensor<?x3072xbf16>, %1: tensor<4096x512xbf16>, %2: !moe.cache<576xbf16, page = 64>, %3: tensor<?xi32>, %4: tensor<?xi32>, %5: tensor<?x?xi32>) -> tensor<?x2048xbf16>
    attributes {hero = #kern.hero<attention>, rows = [#kern.rows<tokens * 1>, unit, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<sequences * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 3073, 512, 576, 1, 1, 0, 2048>} {
  %y = moe.mla_attention %0, %1, %2, %3, %4, %5 {heads = 16 : i64, nope_dim = 128 : i64, rope_dim = 64 : i64, v_dim = 128 : i64, scale = 0.07}
      : (tensor<?x3072xbf16>, tensor<4096x512xbf16>, !moe.cache<576xbf16, page = 64>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x2048xbf16>
  kern.yield %y : tensor<?x2048xbf16>
}

kern.kernel @fp8(%0: !moe.qtensor<?x512xf8E4M3FN, block = [1, 128], scale = f32>, %1: !moe.qtensor<2112x512xf8E4M3FN, block = [128, 128], scale = f32>) -> tensor<?x2112xf32>
    attributes {hero = #kern.hero<matmul>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>], row_strides = array<i64: 512, 0, 2112>} {
  %y = moe.linear %0, %1 : (!moe.qtensor<?x512xf8E4M3FN, block = [1, 128], scale = f32>, !moe.qtensor<2112x512xf8E4M3FN, block = [128, 128], scale = f32>) -> tensor<?x2112xf32>
  kern.yield %y : tensor<?x2112xf32>
}

// expected-remark@+1 {{FP8 products of Hopper leave it to the plain kernels: K = 320 is no multiple of 128}}
kern.kernel @fp8_depth(%0: !moe.qtensor<?x320xf8E4M3FN, block = [1, 128], scale = f32>, %1: !moe.qtensor<2112x320xf8E4M3FN, block = [128, 128], scale = f32>) -> tensor<?x2112xf32>
    attributes {hero = #kern.hero<matmul>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>], row_strides = array<i64: 320, 0, 2112>} {
  %y = moe.linear %0, %1 : (!moe.qtensor<?x320xf8E4M3FN, block = [1, 128], scale = f32>, !moe.qtensor<2112x320xf8E4M3FN, block = [128, 128], scale = f32>) -> tensor<?x2112xf32>
  kern.yield %y : tensor<?x2112xf32>
}

// expected-remark@+1 {{FP8 products of Hopper leave it to the plain kernels: its operands are neither bf16 nor E4M3 with f32 scales per 1x128 and 128x128}}
kern.kernel @fp8_exact(%0: tensor<?x512xbf16>, %1: !moe.qtensor<2112x512xf8E4M3FN, block = [128, 128], scale = f32>) -> tensor<?x2112xf32>
    attributes {hero = #kern.hero<matmul>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>], row_strides = array<i64: 512, 0, 2112>} {
  %y = moe.linear %0, %1 : (tensor<?x512xbf16>, !moe.qtensor<2112x512xf8E4M3FN, block = [128, 128], scale = f32>) -> tensor<?x2112xf32>
  kern.yield %y : tensor<?x2112xf32>
}

kern.kernel @bf16(%0: tensor<?x512xbf16>, %1: tensor<2112x512xbf16>) -> tensor<?x2112xf32>
    attributes {hero = #kern.hero<matmul>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>], row_strides = array<i64: 512, 0, 2112>} {
  %y = moe.linear %0, %1 : (tensor<?x512xbf16>, tensor<2112x512xbf16>) -> tensor<?x2112xf32>
  kern.yield %y : tensor<?x2112xf32>
}

// expected-remark@+1 {{BF16 products of Hopper leave it to the plain kernels: its operands are neither bf16 nor E4M3 with f32 scales per 1x128 and 128x128}}
kern.kernel @bf16_floats(%0: tensor<?x512xf32>, %1: tensor<2112x512xbf16>) -> tensor<?x2112xf32>
    attributes {hero = #kern.hero<matmul>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>], row_strides = array<i64: 512, 0, 2112>} {
  %y = moe.linear %0, %1 : (tensor<?x512xf32>, tensor<2112x512xbf16>) -> tensor<?x2112xf32>
  kern.yield %y : tensor<?x2112xf32>
}

// expected-remark@+1 {{BF16 products of Hopper leave it to the plain kernels: rows of a matrix behind the product do not begin on 16 bytes}}
kern.kernel @bf16_odd(%0: tensor<?x512xbf16>, %1: tensor<2113x512xbf16>) -> tensor<?x2113xf32>
    attributes {hero = #kern.hero<matmul>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>], row_strides = array<i64: 512, 0, 2113>} {
  %y = moe.linear %0, %1 : (tensor<?x512xbf16>, tensor<2113x512xbf16>) -> tensor<?x2113xf32>
  kern.yield %y : tensor<?x2113xf32>
}

// expected-remark@+1 {{products by head of Hopper leave it to the plain kernels: a head's 96 x 24 weights are no multiples of 64 x 64}}
kern.kernel @heads(%0: tensor<?x480xbf16>, %1: tensor<280x96xbf16>) -> tensor<?x120xf32>
    attributes {hero = #kern.hero<head_matmul>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>], row_strides = array<i64: 480, 0, 120>} {
  %y = moe.head_linear %0, %1 {heads = 5 : i64, x_offset = 0 : i64, x_size = 96 : i64, w_offset = 32 : i64, w_size = 24 : i64, transposed = false}
      : (tensor<?x480xbf16>, tensor<280x96xbf16>) -> tensor<?x120xf32>
  kern.yield %y : tensor<?x120xf32>
}
}

// -----

// Chips without families of their own refuse nothing.
module attributes {kern.target = "sm_80"} {
kern.kernel @plain_chip(%0: tensor<?x4096xbf16>, %1: !moe.cache<2048xf32, page = 64>, %2: tensor<?xi32>, %3: tensor<?xi32>, %4: tensor<?x?xi32>) -> tensor<?x4096xbf16>
    attributes {hero = #kern.hero<attention>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<sequences * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 4096, 2048, 1, 1, 0, 4096>} {
  %y = moe.attention %0, %1, %2, %3, %4 {heads = 32 : i64, kv_heads = 8 : i64, key_dim = 128 : i64, value_dim = 128 : i64, scale = 0.0884}
      : (tensor<?x4096xbf16>, !moe.cache<2048xf32, page = 64>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x4096xbf16>
  kern.yield %y : tensor<?x4096xbf16>
}
}
