// RUN: pack-kernels sm_90a %t --tokens 1 %s
// RUN: moec verify %t/package.moeb
// FP8 products of one token whose weights come by way of shared memory: more blocks of K than buffers, or as many; columns that end inside a block.

kern.kernel @ring(%x: !moe.qtensor<?x1536xf8E4M3FN, block = [1, 128], scale = f32>, %w: !moe.qtensor<136x1536xf8E4M3FN, block = [128, 128], scale = f32>) -> tensor<?x136xbf16>
    attributes {hero = #kern.hero<matmul>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>], row_strides = array<i64: 1536, 1536, 136>,
                schedule = #kern.schedule<{buffers = 4 : i64, k_warps = 2 : i64, min_blocks = 1 : i64, row_warps = 1 : i64, rows = 16 : i64, steps = 1 : i64, tokens = 1 : i64}>} {
  %0 = moe.linear %x, %w : (!moe.qtensor<?x1536xf8E4M3FN, block = [1, 128], scale = f32>, !moe.qtensor<136x1536xf8E4M3FN, block = [128, 128], scale = f32>) -> tensor<?x136xbf16>
  kern.yield %0 : tensor<?x136xbf16>
}

kern.kernel @whole(%x: !moe.qtensor<?x512xf8E4M3FN, block = [1, 128], scale = f32>, %w: !moe.qtensor<256x512xf8E4M3FN, block = [128, 128], scale = f32>) -> tensor<?x256xbf16>
    attributes {hero = #kern.hero<matmul>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>], row_strides = array<i64: 512, 512, 256>,
                schedule = #kern.schedule<{buffers = 2 : i64, k_warps = 2 : i64, min_blocks = 1 : i64, row_warps = 4 : i64, rows = 64 : i64, steps = 1 : i64, tokens = 1 : i64}>} {
  %0 = moe.linear %x, %w : (!moe.qtensor<?x512xf8E4M3FN, block = [1, 128], scale = f32>, !moe.qtensor<256x512xf8E4M3FN, block = [128, 128], scale = f32>) -> tensor<?x256xbf16>
  kern.yield %0 : tensor<?x256xbf16>
}
