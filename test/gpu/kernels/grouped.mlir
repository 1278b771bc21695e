// RUN: pack-kernels sm_90a %t --tokens 1 %s
// RUN: moec verify %t/package.moeb
// Products of experts in FP8: few and many rows, contiguous or scattered, at odd sizes; each tile that differs in kind.

kern.kernel @down_few(%x: !moe.qtensor<?x384xf8E4M3FN, block = [1, 128], scale = f32>, %w: !moe.qtensor<9x136x384xf8E4M3FN, block = [128, 128], scale = f32>, %o: tensor<10xi32>) -> tensor<?x136xf32>
    attributes {hero = #kern.hero<grouped_matmul>, rows = [#kern.rows<tokens * 3>, unit, unit, #kern.rows<tokens * 3>], row_strides = array<i64: 384, 384, 0, 136>,
                schedule = #kern.schedule<{brought = 0 : i64, column_waves = 1 : i64, columns = 128 : i64, consumers = 1 : i64, parts = 1 : i64, rows = 64 : i64, split = 1 : i64, staged = 0 : i64, stages = 4 : i64, workers = 132 : i64}>} {
  %0 = moe.grouped_linear %x, %w, %o : (!moe.qtensor<?x384xf8E4M3FN, block = [1, 128], scale = f32>, !moe.qtensor<9x136x384xf8E4M3FN, block = [128, 128], scale = f32>, tensor<10xi32>) -> tensor<?x136xf32>
  kern.yield %0 : tensor<?x136xf32>
}

// Where rows begin is known before the launch before has ended.
kern.kernel @down_settled(%x: !moe.qtensor<?x384xf8E4M3FN, block = [1, 128], scale = f32>, %w: !moe.qtensor<9x136x384xf8E4M3FN, block = [128, 128], scale = f32>, %o: tensor<10xi32>) -> tensor<?x136xf32>
    attributes {hero = #kern.hero<grouped_matmul>, settled = array<i64: 2>, rows = [#kern.rows<tokens * 3>, unit, unit, #kern.rows<tokens * 3>], row_strides = array<i64: 384, 384, 0, 136>,
                schedule = #kern.schedule<{brought = 0 : i64, column_waves = 1 : i64, columns = 128 : i64, consumers = 1 : i64, parts = 1 : i64, rows = 64 : i64, split = 1 : i64, staged = 0 : i64, stages = 4 : i64, workers = 132 : i64}>} {
  %0 = moe.grouped_linear %x, %w, %o : (!moe.qtensor<?x384xf8E4M3FN, block = [1, 128], scale = f32>, !moe.qtensor<9x136x384xf8E4M3FN, block = [128, 128], scale = f32>, tensor<10xi32>) -> tensor<?x136xf32>
  kern.yield %0 : tensor<?x136xf32>
}

kern.kernel @down_many(%x: !moe.qtensor<?x512xf8E4M3FN, block = [1, 128], scale = f32>, %w: !moe.qtensor<9x200x512xf8E4M3FN, block = [128, 128], scale = f32>, %o: tensor<10xi32>) -> tensor<?x200xf32>
    attributes {hero = #kern.hero<grouped_matmul>, rows = [#kern.rows<tokens * 3>, unit, unit, #kern.rows<tokens * 3>], row_strides = array<i64: 512, 512, 0, 200>,
                schedule = #kern.schedule<{brought = 0 : i64, column_waves = 1 : i64, columns = 64 : i64, consumers = 2 : i64, parts = 1 : i64, rows = 128 : i64, split = 1 : i64, staged = 0 : i64, stages = 4 : i64, workers = 132 : i64}>} {
  %0 = moe.grouped_linear %x, %w, %o : (!moe.qtensor<?x512xf8E4M3FN, block = [1, 128], scale = f32>, !moe.qtensor<9x200x512xf8E4M3FN, block = [128, 128], scale = f32>, tensor<10xi32>) -> tensor<?x200xf32>
  kern.yield %0 : tensor<?x200xf32>
}

kern.kernel @down_tickets(%x: !moe.qtensor<?x512xf8E4M3FN, block = [1, 128], scale = f32>, %w: !moe.qtensor<9x200x512xf8E4M3FN, block = [128, 128], scale = f32>, %o: tensor<10xi32>) -> tensor<?x200xf32>
    attributes {hero = #kern.hero<grouped_matmul>, rows = [#kern.rows<tokens * 3>, unit, unit, #kern.rows<tokens * 3>], row_strides = array<i64: 512, 512, 0, 200>,
                schedule = #kern.schedule<{brought = 0 : i64, column_waves = 1 : i64, columns = 64 : i64, consumers = 2 : i64, parts = 1 : i64, rows = 128 : i64, split = 1 : i64, staged = 0 : i64, stages = 4 : i64, tickets = 1 : i64, counters = 2 : i64, workers = 3 : i64}>} {
  %0 = moe.grouped_linear %x, %w, %o : (!moe.qtensor<?x512xf8E4M3FN, block = [1, 128], scale = f32>, !moe.qtensor<9x200x512xf8E4M3FN, block = [128, 128], scale = f32>, tensor<10xi32>) -> tensor<?x200xf32>
  kern.yield %0 : tensor<?x200xf32>
}

kern.kernel @down_most(%x: !moe.qtensor<?x640xf8E4M3FN, block = [1, 128], scale = f32>, %w: !moe.qtensor<2x264x640xf8E4M3FN, block = [128, 128], scale = f32>, %o: tensor<3xi32>) -> tensor<?x264xf32>
    attributes {hero = #kern.hero<grouped_matmul>, rows = [#kern.rows<tokens * 2>, unit, unit, #kern.rows<tokens * 2>], row_strides = array<i64: 640, 640, 0, 264>,
                schedule = #kern.schedule<{brought = 0 : i64, column_waves = 1 : i64, columns = 128 : i64, consumers = 2 : i64, parts = 1 : i64, rows = 256 : i64, split = 1 : i64, staged = 0 : i64, stages = 3 : i64, workers = 132 : i64}>} {
  %0 = moe.grouped_linear %x, %w, %o : (!moe.qtensor<?x640xf8E4M3FN, block = [1, 128], scale = f32>, !moe.qtensor<2x264x640xf8E4M3FN, block = [128, 128], scale = f32>, tensor<3xi32>) -> tensor<?x264xf32>
  kern.yield %0 : tensor<?x264xf32>
}

kern.kernel @down_most_boxes(%x: !moe.qtensor<?x1024xf8E4M3FN, block = [1, 128], scale = f32>, %w: !moe.qtensor<2x264x1024xf8E4M3FN, block = [128, 128], scale = f32>, %o: tensor<3xi32>) -> tensor<?x264xf32>
    attributes {hero = #kern.hero<grouped_matmul>, rows = [#kern.rows<tokens * 2>, unit, unit, #kern.rows<tokens * 2>], row_strides = array<i64: 1024, 1024, 0, 264>,
                schedule = #kern.schedule<{brought = 0 : i64, column_waves = 1 : i64, columns = 128 : i64, consumers = 2 : i64, parts = 1 : i64, rows = 256 : i64, split = 1 : i64, staged = 0 : i64, stages = 3 : i64, workers = 132 : i64}>} {
  %0 = moe.grouped_linear %x, %w, %o : (!moe.qtensor<?x1024xf8E4M3FN, block = [1, 128], scale = f32>, !moe.qtensor<2x264x1024xf8E4M3FN, block = [128, 128], scale = f32>, tensor<3xi32>) -> tensor<?x264xf32>
  kern.yield %0 : tensor<?x264xf32>
}

kern.kernel @down_one(%x: !moe.qtensor<?x512xf8E4M3FN, block = [1, 128], scale = f32>, %w: !moe.qtensor<1x136x512xf8E4M3FN, block = [128, 128], scale = f32>, %o: tensor<2xi32>) -> tensor<?x136xf32>
    attributes {hero = #kern.hero<grouped_matmul>, rows = [#kern.rows<tokens * 1>, unit, unit, #kern.rows<tokens * 1>], row_strides = array<i64: 512, 512, 0, 136>,
                schedule = #kern.schedule<{brought = 0 : i64, column_waves = 1 : i64, columns = 144 : i64, consumers = 2 : i64, parts = 1 : i64, rows = 128 : i64, split = 1 : i64, staged = 0 : i64, stages = 3 : i64, workers = 132 : i64}>} {
  %0 = moe.grouped_linear %x, %w, %o : (!moe.qtensor<?x512xf8E4M3FN, block = [1, 128], scale = f32>, !moe.qtensor<1x136x512xf8E4M3FN, block = [128, 128], scale = f32>, tensor<2xi32>) -> tensor<?x136xf32>
  kern.yield %0 : tensor<?x136xf32>
}

kern.kernel @gather_few(%x: !moe.qtensor<?x512xf8E4M3FN, block = [1, 128], scale = f32>, %w: !moe.qtensor<8x264x512xf8E4M3FN, block = [128, 128], scale = f32>, %o: tensor<9xi32>, %r: tensor<?xi32>) -> tensor<?x264xf32>
    attributes {hero = #kern.hero<grouped_matmul>, rows = [#kern.rows<tokens * 1>, unit, unit, #kern.rows<tokens * 2>, #kern.rows<tokens * 2>], row_strides = array<i64: 512, 512, 0, 1, 264>,
                schedule = #kern.schedule<{brought = 0 : i64, column_waves = 1 : i64, columns = 64 : i64, consumers = 1 : i64, parts = 1 : i64, rows = 64 : i64, split = 1 : i64, staged = 0 : i64, stages = 4 : i64, workers = 132 : i64}>} {
  %0 = moe.grouped_linear %x, %w, %o, %r {top_k = 2 : i64} : (!moe.qtensor<?x512xf8E4M3FN, block = [1, 128], scale = f32>, !moe.qtensor<8x264x512xf8E4M3FN, block = [128, 128], scale = f32>, tensor<9xi32>, tensor<?xi32>) -> tensor<?x264xf32>
  kern.yield %0 : tensor<?x264xf32>
}

kern.kernel @gather_many(%x: !moe.qtensor<?x384xf8E4M3FN, block = [1, 128], scale = f32>, %w: !moe.qtensor<3x136x384xf8E4M3FN, block = [128, 128], scale = f32>, %o: tensor<4xi32>, %r: tensor<?xi32>) -> tensor<?x136xf32>
    attributes {hero = #kern.hero<grouped_matmul>, rows = [#kern.rows<tokens * 1>, unit, unit, #kern.rows<tokens * 2>, #kern.rows<tokens * 2>], row_strides = array<i64: 384, 384, 0, 1, 136>,
                schedule = #kern.schedule<{brought = 0 : i64, column_waves = 1 : i64, columns = 144 : i64, consumers = 2 : i64, parts = 1 : i64, rows = 128 : i64, split = 1 : i64, staged = 0 : i64, stages = 3 : i64, workers = 132 : i64}>} {
  %0 = moe.grouped_linear %x, %w, %o, %r {top_k = 2 : i64} : (!moe.qtensor<?x384xf8E4M3FN, block = [1, 128], scale = f32>, !moe.qtensor<3x136x384xf8E4M3FN, block = [128, 128], scale = f32>, tensor<4xi32>, tensor<?xi32>) -> tensor<?x136xf32>
  kern.yield %0 : tensor<?x136xf32>
}

kern.kernel @gated_few(%x: !moe.qtensor<?x384xf8E4M3FN, block = [1, 128], scale = f32>, %w: !moe.qtensor<9x512x384xf8E4M3FN, block = [128, 128], scale = f32>, %o: tensor<10xi32>, %r: tensor<?xi32>) -> !moe.qtensor<?x256xf8E4M3FN, block = [1, 128], scale = f32>
    attributes {hero = #kern.hero<grouped_matmul>, rows = [#kern.rows<tokens * 1>, unit, unit, #kern.rows<tokens * 3>, #kern.rows<tokens * 3>], row_strides = array<i64: 384, 384, 0, 1, 256>,
                schedule = #kern.schedule<{brought = 0 : i64, column_waves = 2 : i64, columns = 128 : i64, consumers = 1 : i64, parts = 1 : i64, rows = 64 : i64, split = 1 : i64, staged = 0 : i64, stages = 3 : i64, workers = 132 : i64}>} {
  %0 = moe.grouped_linear %x, %w, %o, %r {top_k = 3 : i64} : (!moe.qtensor<?x384xf8E4M3FN, block = [1, 128], scale = f32>, !moe.qtensor<9x512x384xf8E4M3FN, block = [128, 128], scale = f32>, tensor<10xi32>, tensor<?xi32>) -> tensor<?x512xf32>
  %g = moe.slice %0 {offset = 0} : (tensor<?x512xf32>) -> tensor<?x256xf32>
  %u = moe.slice %0 {offset = 256} : (tensor<?x512xf32>) -> tensor<?x256xf32>
  %1 = moe.swiglu %g, %u : tensor<?x256xf32>
  %2 = moe.quantize %1 : (tensor<?x256xf32>) -> !moe.qtensor<?x256xf8E4M3FN, block = [1, 128], scale = f32>
  kern.yield %2 : !moe.qtensor<?x256xf8E4M3FN, block = [1, 128], scale = f32>
}

kern.kernel @gated_many(%x: !moe.qtensor<?x512xf8E4M3FN, block = [1, 128], scale = f32>, %w: !moe.qtensor<2x512x512xf8E4M3FN, block = [128, 128], scale = f32>, %o: tensor<3xi32>, %r: tensor<?xi32>) -> !moe.qtensor<?x256xf8E4M3FN, block = [1, 128], scale = f32>
    attributes {hero = #kern.hero<grouped_matmul>, rows = [#kern.rows<tokens * 1>, unit, unit, #kern.rows<tokens * 2>, #kern.rows<tokens * 2>], row_strides = array<i64: 512, 512, 0, 1, 256>,
                schedule = #kern.schedule<{brought = 0 : i64, column_waves = 2 : i64, columns = 128 : i64, consumers = 2 : i64, parts = 1 : i64, rows = 128 : i64, split = 1 : i64, staged = 0 : i64, stages = 4 : i64, workers = 132 : i64}>} {
  %0 = moe.grouped_linear %x, %w, %o, %r {top_k = 2 : i64} : (!moe.qtensor<?x512xf8E4M3FN, block = [1, 128], scale = f32>, !moe.qtensor<2x512x512xf8E4M3FN, block = [128, 128], scale = f32>, tensor<3xi32>, tensor<?xi32>) -> tensor<?x512xf32>
  %g, %u = moe.deinterleave %0 {block = 128 : i64} : (tensor<?x512xf32>) -> (tensor<?x256xf32>, tensor<?x256xf32>)
  %1 = moe.swiglu %g, %u : tensor<?x256xf32>
  %2 = moe.quantize %1 : (tensor<?x256xf32>) -> !moe.qtensor<?x256xf8E4M3FN, block = [1, 128], scale = f32>
  kern.yield %2 : !moe.qtensor<?x256xf8E4M3FN, block = [1, 128], scale = f32>
}

kern.kernel @gated_tickets(%x: !moe.qtensor<?x512xf8E4M3FN, block = [1, 128], scale = f32>, %w: !moe.qtensor<2x512x512xf8E4M3FN, block = [128, 128], scale = f32>, %o: tensor<3xi32>, %r: tensor<?xi32>) -> !moe.qtensor<?x256xf8E4M3FN, block = [1, 128], scale = f32>
    attributes {hero = #kern.hero<grouped_matmul>, rows = [#kern.rows<tokens * 1>, unit, unit, #kern.rows<tokens * 2>, #kern.rows<tokens * 2>], row_strides = array<i64: 512, 512, 0, 1, 256>,
                schedule = #kern.schedule<{brought = 0 : i64, column_waves = 2 : i64, columns = 128 : i64, consumers = 2 : i64, parts = 1 : i64, rows = 128 : i64, split = 1 : i64, staged = 0 : i64, stages = 4 : i64, tickets = 1 : i64, counters = 2 : i64, workers = 3 : i64}>} {
  %0 = moe.grouped_linear %x, %w, %o, %r {top_k = 2 : i64} : (!moe.qtensor<?x512xf8E4M3FN, block = [1, 128], scale = f32>, !moe.qtensor<2x512x512xf8E4M3FN, block = [128, 128], scale = f32>, tensor<3xi32>, tensor<?xi32>) -> tensor<?x512xf32>
  %g, %u = moe.deinterleave %0 {block = 128 : i64} : (tensor<?x512xf32>) -> (tensor<?x256xf32>, tensor<?x256xf32>)
  %1 = moe.swiglu %g, %u : tensor<?x256xf32>
  %2 = moe.quantize %1 : (tensor<?x256xf32>) -> !moe.qtensor<?x256xf8E4M3FN, block = [1, 128], scale = f32>
  kern.yield %2 : !moe.qtensor<?x256xf8E4M3FN, block = [1, 128], scale = f32>
}

kern.kernel @gated_parts(%x: !moe.qtensor<?x384xf8E4M3FN, block = [1, 128], scale = f32>, %w: !moe.qtensor<9x512x384xf8E4M3FN, block = [128, 128], scale = f32>, %o: tensor<10xi32>, %r: tensor<?xi32>) -> !moe.qtensor<?x256xf8E4M3FN, block = [1, 128], scale = f32>
    attributes {hero = #kern.hero<grouped_matmul>, rows = [#kern.rows<tokens * 1>, unit, unit, #kern.rows<tokens * 3>, #kern.rows<tokens * 3>], row_strides = array<i64: 384, 384, 0, 1, 256>,
                schedule = #kern.schedule<{brought = 0 : i64, column_waves = 2 : i64, columns = 64 : i64, consumers = 1 : i64, parts = 2 : i64, rows = 64 : i64, split = 1 : i64, staged = 0 : i64, stages = 3 : i64, workers = 132 : i64}>} {
  %0 = moe.grouped_linear %x, %w, %o, %r {top_k = 3 : i64} : (!moe.qtensor<?x384xf8E4M3FN, block = [1, 128], scale = f32>, !moe.qtensor<9x512x384xf8E4M3FN, block = [128, 128], scale = f32>, tensor<10xi32>, tensor<?xi32>) -> tensor<?x512xf32>
  %g = moe.slice %0 {offset = 0} : (tensor<?x512xf32>) -> tensor<?x256xf32>
  %u = moe.slice %0 {offset = 256} : (tensor<?x512xf32>) -> tensor<?x256xf32>
  %1 = moe.swiglu %g, %u : tensor<?x256xf32>
  %2 = moe.quantize %1 : (tensor<?x256xf32>) -> !moe.qtensor<?x256xf8E4M3FN, block = [1, 128], scale = f32>
  kern.yield %2 : !moe.qtensor<?x256xf8E4M3FN, block = [1, 128], scale = f32>
}

kern.kernel @gated_quarters(%x: !moe.qtensor<?x384xf8E4M3FN, block = [1, 128], scale = f32>, %w: !moe.qtensor<9x512x384xf8E4M3FN, block = [128, 128], scale = f32>, %o: tensor<10xi32>, %r: tensor<?xi32>) -> !moe.qtensor<?x256xf8E4M3FN, block = [1, 128], scale = f32>
    attributes {hero = #kern.hero<grouped_matmul>, rows = [#kern.rows<tokens * 1>, unit, unit, #kern.rows<tokens * 3>, #kern.rows<tokens * 3>], row_strides = array<i64: 384, 384, 0, 1, 256>,
                schedule = #kern.schedule<{brought = 0 : i64, column_waves = 2 : i64, columns = 32 : i64, consumers = 1 : i64, parts = 4 : i64, rows = 64 : i64, split = 1 : i64, staged = 0 : i64, stages = 3 : i64, workers = 192 : i64}>} {
  %0 = moe.grouped_linear %x, %w, %o, %r {top_k = 3 : i64} : (!moe.qtensor<?x384xf8E4M3FN, block = [1, 128], scale = f32>, !moe.qtensor<9x512x384xf8E4M3FN, block = [128, 128], scale = f32>, tensor<10xi32>, tensor<?xi32>) -> tensor<?x512xf32>
  %g = moe.slice %0 {offset = 0} : (tensor<?x512xf32>) -> tensor<?x256xf32>
  %u = moe.slice %0 {offset = 256} : (tensor<?x512xf32>) -> tensor<?x256xf32>
  %1 = moe.swiglu %g, %u : tensor<?x256xf32>
  %2 = moe.quantize %1 : (tensor<?x256xf32>) -> !moe.qtensor<?x256xf8E4M3FN, block = [1, 128], scale = f32>
  kern.yield %2 : !moe.qtensor<?x256xf8E4M3FN, block = [1, 128], scale = f32>
}

// Each row for itself: weights by way of shared memory, and straight into registers.
kern.kernel @gated_streamed(%x: !moe.qtensor<?x384xf8E4M3FN, block = [1, 128], scale = f32>, %w: !moe.qtensor<9x512x384xf8E4M3FN, block = [128, 128], scale = f32>, %o: tensor<10xi32>, %r: tensor<?xi32>) -> !moe.qtensor<?x256xf8E4M3FN, block = [1, 128], scale = f32>
    attributes {hero = #kern.hero<grouped_matmul>, rows = [#kern.rows<tokens * 1>, unit, unit, #kern.rows<tokens * 3>, #kern.rows<tokens * 3>], row_strides = array<i64: 384, 384, 0, 1, 256>,
                schedule = #kern.schedule<{buffers = 2 : i64, k_warps = 1 : i64, min_blocks = 2 : i64, row_warps = 1 : i64, rows = 32 : i64, steps = 1 : i64, tokens = 1 : i64}>} {
  %0 = moe.grouped_linear %x, %w, %o, %r {top_k = 3 : i64} : (!moe.qtensor<?x384xf8E4M3FN, block = [1, 128], scale = f32>, !moe.qtensor<9x512x384xf8E4M3FN, block = [128, 128], scale = f32>, tensor<10xi32>, tensor<?xi32>) -> tensor<?x512xf32>
  %g = moe.slice %0 {offset = 0} : (tensor<?x512xf32>) -> tensor<?x256xf32>
  %u = moe.slice %0 {offset = 256} : (tensor<?x512xf32>) -> tensor<?x256xf32>
  %1 = moe.swiglu %g, %u : tensor<?x256xf32>
  %2 = moe.quantize %1 : (tensor<?x256xf32>) -> !moe.qtensor<?x256xf8E4M3FN, block = [1, 128], scale = f32>
  kern.yield %2 : !moe.qtensor<?x256xf8E4M3FN, block = [1, 128], scale = f32>
}

kern.kernel @gated_streamed_rows(%x: !moe.qtensor<?x384xf8E4M3FN, block = [1, 128], scale = f32>, %w: !moe.qtensor<9x512x384xf8E4M3FN, block = [128, 128], scale = f32>, %o: tensor<10xi32>, %r: tensor<?xi32>) -> !moe.qtensor<?x256xf8E4M3FN, block = [1, 128], scale = f32>
    attributes {hero = #kern.hero<grouped_matmul>, rows = [#kern.rows<tokens * 1>, unit, unit, #kern.rows<tokens * 3>, #kern.rows<tokens * 3>], row_strides = array<i64: 384, 384, 0, 1, 256>,
                schedule = #kern.schedule<{buffers = 1 : i64, k_warps = 3 : i64, min_blocks = 1 : i64, row_warps = 2 : i64, rows = 64 : i64, steps = 1 : i64, tokens = 1 : i64}>} {
  %0 = moe.grouped_linear %x, %w, %o, %r {top_k = 3 : i64} : (!moe.qtensor<?x384xf8E4M3FN, block = [1, 128], scale = f32>, !moe.qtensor<9x512x384xf8E4M3FN, block = [128, 128], scale = f32>, tensor<10xi32>, tensor<?xi32>) -> tensor<?x512xf32>
  %g = moe.slice %0 {offset = 0} : (tensor<?x512xf32>) -> tensor<?x256xf32>
  %u = moe.slice %0 {offset = 256} : (tensor<?x512xf32>) -> tensor<?x256xf32>
  %1 = moe.swiglu %g, %u : tensor<?x256xf32>
  %2 = moe.quantize %1 : (tensor<?x256xf32>) -> !moe.qtensor<?x256xf8E4M3FN, block = [1, 128], scale = f32>
  kern.yield %2 : !moe.qtensor<?x256xf8E4M3FN, block = [1, 128], scale = f32>
}

kern.kernel @down_streamed(%x: !moe.qtensor<?x384xf8E4M3FN, block = [1, 128], scale = f32>, %w: !moe.qtensor<9x136x384xf8E4M3FN, block = [128, 128], scale = f32>, %o: tensor<10xi32>) -> tensor<?x136xf32>
    attributes {hero = #kern.hero<grouped_matmul>, rows = [#kern.rows<tokens * 3>, unit, unit, #kern.rows<tokens * 3>], row_strides = array<i64: 384, 384, 0, 136>,
                schedule = #kern.schedule<{buffers = 0 : i64, k_warps = 1 : i64, min_blocks = 2 : i64, row_warps = 1 : i64, rows = 16 : i64, steps = 1 : i64, tokens = 1 : i64}>} {
  %0 = moe.grouped_linear %x, %w, %o : (!moe.qtensor<?x384xf8E4M3FN, block = [1, 128], scale = f32>, !moe.qtensor<9x136x384xf8E4M3FN, block = [128, 128], scale = f32>, tensor<10xi32>) -> tensor<?x136xf32>
  kern.yield %0 : tensor<?x136xf32>
}
