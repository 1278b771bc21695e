// RUN: moec-opt %s --set-cache-type=type=bf16 | FileCheck %s
// RUN: not moec-opt %s --set-cache-type=type=f64 2>&1 | FileCheck %s --check-prefix=BAD

// BAD: the cache's element type must be f32, bf16 or fp8; got 'f64'

// RUN: moec-opt %S/Inputs/layer.mlir --set-cache-type=type=fp8 | FileCheck %s --check-prefix=FP8
// FP8: kv_cache = "fp8"
// FP8: moe.cache_append {{.*}} -> !moe.cache<{{[0-9]+}}x!moe.qtensor<1x{{[0-9]+}}xf8E4M3FN, block = [1, 128], scale = f32>, page = {{[0-9]+}}>
// RUN: not moec-opt %s --set-cache-type=type=fp8 2>&1 | FileCheck %s --check-prefix=NONE
// NONE: a cache of type fp8 needs attention over latents of a multiple of 4 columns; got 0

// CHECK: moe.numerics = {kv_cache = "bf16"}
module attributes {moe.numerics = {kv_cache = "f32"}} {
  // CHECK: func.func @f(%{{.+}}: !moe.cache<8xbf16, page = 4>, {{.*}}) -> !moe.cache<8xbf16, page = 4>
  func.func @f(%cache: !moe.cache<8xf32, page = 4>, %x: tensor<?x8xf32>, %positions: tensor<?xi32>, %sequences: tensor<?xi32>, %table: tensor<?x?xi32>) -> !moe.cache<8xf32, page = 4> {
    // CHECK: moe.cache_append {{.*}} -> !moe.cache<8xbf16, page = 4>
    %0 = moe.cache_append %cache, %x, %positions, %sequences, %table : (!moe.cache<8xf32, page = 4>, tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> !moe.cache<8xf32, page = 4>
    return %0 : !moe.cache<8xf32, page = 4>
  }
}
