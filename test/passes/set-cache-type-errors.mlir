// RUN: moec-opt %s --set-cache-type=type=fp8 --verify-diagnostics

module attributes {moe.numerics = {kv_cache = "f32"}} {
  func.func @f(%q: tensor<?x8xf32>, %c: !moe.cache<5xf32, page = 64>, %positions: tensor<?xi32>, %sequences: tensor<?xi32>, %table: tensor<?x?xi32>) -> tensor<?x12xf32> {
    // expected-error @below {{keys and values cannot be cached as fp8, only latents can; set the cache type to bf16 or f32}}
    %0 = moe.attention %q, %c, %positions, %sequences, %table
      {heads = 4 : i64, kv_heads = 1 : i64, key_dim = 2 : i64, value_dim = 3 : i64, scale = 0.5 : f64}
      : (tensor<?x8xf32>, !moe.cache<5xf32, page = 64>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x12xf32>
    return %0 : tensor<?x12xf32>
  }
}
