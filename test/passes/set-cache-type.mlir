// RUN: moec-opt %s --set-cache-type=type=bf16 | FileCheck %s
// RUN: not moec-opt %s --set-cache-type=type=f64 2>&1 | FileCheck %s --check-prefix=BAD

// BAD: the cache's element type must be f32 or bf16; got 'f64'

// CHECK: moe.numerics = {kv_cache = "bf16"}
module attributes {moe.numerics = {kv_cache = "f32"}} {
  // CHECK: func.func @f(%{{.+}}: !moe.cache<8xbf16, page = 4>, {{.*}}) -> !moe.cache<8xbf16, page = 4>
  func.func @f(%cache: !moe.cache<8xf32, page = 4>, %x: tensor<?x8xf32>, %positions: tensor<?xi32>, %sequences: tensor<?xi32>, %table: tensor<?x?xi32>) -> !moe.cache<8xf32, page = 4> {
    // CHECK: moe.cache_append {{.*}} -> !moe.cache<8xbf16, page = 4>
    %0 = moe.cache_append %cache, %x, %positions, %sequences, %table : (!moe.cache<8xf32, page = 4>, tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> !moe.cache<8xf32, page = 4>
    return %0 : !moe.cache<8xf32, page = 4>
  }
}
