// RUN: pack-kernels sm_90a %t --tokens 17 %s
// RUN: moec verify %t/package.moeb
// FP8 products whose K a cluster of blocks divides: two or four of them, evenly or not, one or two warpgroups of rows, N no
// multiple of a tile's columns; tiles whose columns touch two rows of scales, and one whose scales of x the copy engine brings.
kern.kernel @v136x1024_rows64_columns32_split2_stages4_consumers1(%0: !moe.qtensor<?x1024xf8E4M3FN, block = [1, 128], scale = f32>, %1: !moe.qtensor<136x1024xf8E4M3FN, block = [128, 128], scale = f32>) -> (tensor<?x136xbf16>)
    attributes {schedule = #kern.schedule<{brought = 0 : i64, column_waves = 1 : i64, columns = 32 : i64, consumers = 1 : i64, parts = 1 : i64, rows = 64 : i64, split = 2 : i64, staged = 0 : i64, stages = 4 : i64, workers = 132 : i64}>,
                hero = #kern.hero<matmul>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>], row_strides = array<i64: 1024, 1024, 136>} {
  %y = moe.linear %0, %1 : (!moe.qtensor<?x1024xf8E4M3FN, block = [1, 128], scale = f32>, !moe.qtensor<136x1024xf8E4M3FN, block = [128, 128], scale = f32>) -> tensor<?x136xbf16>
  kern.yield %y : tensor<?x136xbf16>
}

kern.kernel @v136x1536_rows128_columns64_split2_stages4_consumers2(%0: !moe.qtensor<?x1536xf8E4M3FN, block = [1, 128], scale = f32>, %1: !moe.qtensor<136x1536xf8E4M3FN, block = [128, 128], scale = f32>) -> (tensor<?x136xbf16>)
    attributes {schedule = #kern.schedule<{brought = 0 : i64, column_waves = 1 : i64, columns = 64 : i64, consumers = 2 : i64, parts = 1 : i64, rows = 128 : i64, split = 2 : i64, staged = 0 : i64, stages = 4 : i64, workers = 132 : i64}>,
                hero = #kern.hero<matmul>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>], row_strides = array<i64: 1536, 1536, 136>} {
  %y = moe.linear %0, %1 : (!moe.qtensor<?x1536xf8E4M3FN, block = [1, 128], scale = f32>, !moe.qtensor<136x1536xf8E4M3FN, block = [128, 128], scale = f32>) -> tensor<?x136xbf16>
  kern.yield %y : tensor<?x136xbf16>
}

kern.kernel @v200x2048_rows64_columns64_split4_stages4_consumers1(%0: !moe.qtensor<?x2048xf8E4M3FN, block = [1, 128], scale = f32>, %1: !moe.qtensor<200x2048xf8E4M3FN, block = [128, 128], scale = f32>) -> (tensor<?x200xbf16>)
    attributes {schedule = #kern.schedule<{brought = 0 : i64, column_waves = 1 : i64, columns = 64 : i64, consumers = 1 : i64, parts = 1 : i64, rows = 64 : i64, split = 4 : i64, staged = 0 : i64, stages = 4 : i64, workers = 132 : i64}>,
                hero = #kern.hero<matmul>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>], row_strides = array<i64: 2048, 2048, 200>} {
  %y = moe.linear %0, %1 : (!moe.qtensor<?x2048xf8E4M3FN, block = [1, 128], scale = f32>, !moe.qtensor<200x2048xf8E4M3FN, block = [128, 128], scale = f32>) -> tensor<?x200xbf16>
  kern.yield %y : tensor<?x200xbf16>
}

kern.kernel @v136x3584_rows128_columns64_split4_stages4_consumers2(%0: !moe.qtensor<?x3584xf8E4M3FN, block = [1, 128], scale = f32>, %1: !moe.qtensor<136x3584xf8E4M3FN, block = [128, 128], scale = f32>) -> (tensor<?x136xbf16>)
    attributes {schedule = #kern.schedule<{brought = 0 : i64, column_waves = 1 : i64, columns = 64 : i64, consumers = 2 : i64, parts = 1 : i64, rows = 128 : i64, split = 4 : i64, staged = 0 : i64, stages = 4 : i64, workers = 132 : i64}>,
                hero = #kern.hero<matmul>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>], row_strides = array<i64: 3584, 3584, 136>} {
  %y = moe.linear %0, %1 : (!moe.qtensor<?x3584xf8E4M3FN, block = [1, 128], scale = f32>, !moe.qtensor<136x3584xf8E4M3FN, block = [128, 128], scale = f32>) -> tensor<?x136xbf16>
  kern.yield %y : tensor<?x136xbf16>
}

kern.kernel @v264x1536_rows256_columns64_split2_stages4_consumers2(%0: !moe.qtensor<?x1536xf8E4M3FN, block = [1, 128], scale = f32>, %1: !moe.qtensor<264x1536xf8E4M3FN, block = [128, 128], scale = f32>) -> (tensor<?x264xbf16>)
    attributes {schedule = #kern.schedule<{brought = 0 : i64, column_waves = 1 : i64, columns = 64 : i64, consumers = 2 : i64, parts = 1 : i64, rows = 256 : i64, split = 2 : i64, staged = 0 : i64, stages = 4 : i64, workers = 132 : i64}>,
                hero = #kern.hero<matmul>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>], row_strides = array<i64: 1536, 1536, 264>} {
  %y = moe.linear %0, %1 : (!moe.qtensor<?x1536xf8E4M3FN, block = [1, 128], scale = f32>, !moe.qtensor<264x1536xf8E4M3FN, block = [128, 128], scale = f32>) -> tensor<?x264xbf16>
  kern.yield %y : tensor<?x264xbf16>
}

kern.kernel @v264x1280_rows64_columns144_split1_stages4_consumers1(%0: !moe.qtensor<?x1280xf8E4M3FN, block = [1, 128], scale = f32>, %1: !moe.qtensor<264x1280xf8E4M3FN, block = [128, 128], scale = f32>) -> (tensor<?x264xbf16>)
    attributes {schedule = #kern.schedule<{brought = 0 : i64, column_waves = 1 : i64, columns = 144 : i64, consumers = 1 : i64, parts = 1 : i64, rows = 64 : i64, split = 1 : i64, staged = 0 : i64, stages = 4 : i64, workers = 132 : i64}>,
                hero = #kern.hero<matmul>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>], row_strides = array<i64: 1280, 1280, 264>} {
  %y = moe.linear %0, %1 : (!moe.qtensor<?x1280xf8E4M3FN, block = [1, 128], scale = f32>, !moe.qtensor<264x1280xf8E4M3FN, block = [128, 128], scale = f32>) -> tensor<?x264xbf16>
  kern.yield %y : tensor<?x264xbf16>
}

kern.kernel @v264x1536_rows128_columns192_split1_stages4_consumers2(%0: !moe.qtensor<?x1536xf8E4M3FN, block = [1, 128], scale = f32>, %1: !moe.qtensor<264x1536xf8E4M3FN, block = [128, 128], scale = f32>) -> (tensor<?x264xbf16>)
    attributes {schedule = #kern.schedule<{brought = 0 : i64, column_waves = 1 : i64, columns = 192 : i64, consumers = 2 : i64, parts = 1 : i64, rows = 128 : i64, split = 1 : i64, staged = 0 : i64, stages = 4 : i64, workers = 132 : i64}>,
                hero = #kern.hero<matmul>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>], row_strides = array<i64: 1536, 1536, 264>} {
  %y = moe.linear %0, %1 : (!moe.qtensor<?x1536xf8E4M3FN, block = [1, 128], scale = f32>, !moe.qtensor<264x1536xf8E4M3FN, block = [128, 128], scale = f32>) -> tensor<?x264xbf16>
  kern.yield %y : tensor<?x264xbf16>
}
