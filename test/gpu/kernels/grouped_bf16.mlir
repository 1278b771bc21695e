// RUN: pack-kernels sm_90a %t --tokens 1 %s
// RUN: moec verify %t/package.moeb
// Products of experts in BF16: few and many rows, contiguous or scattered, at odd sizes; each tile that differs in kind.

kern.kernel @ring_down(%x: tensor<?x328xbf16>, %w: tensor<9x136x328xbf16>, %o: tensor<10xi32>) -> tensor<?x136xf32>
    attributes {hero = #kern.hero<grouped_matmul>, rows = [#kern.rows<tokens * 3>, unit, unit, #kern.rows<tokens * 3>], row_strides = array<i64: 328, 0, 0, 136>,
                schedule = #kern.schedule<{blocks = 1 : i64, boxes = 2 : i64, consumers = 1 : i64, rows = 64 : i64, split = 1 : i64, stages = 6 : i64, tokens = 8 : i64, workers = 132 : i64}>} {
  %0 = moe.grouped_linear %x, %w, %o : (tensor<?x328xbf16>, tensor<9x136x328xbf16>, tensor<10xi32>) -> tensor<?x136xf32>
  kern.yield %0 : tensor<?x136xf32>
}

kern.kernel @ring_down_wide(%x: tensor<?x512xbf16>, %w: tensor<9x200x512xbf16>, %o: tensor<10xi32>) -> tensor<?x200xbf16>
    attributes {hero = #kern.hero<grouped_matmul>, rows = [#kern.rows<tokens * 3>, unit, unit, #kern.rows<tokens * 3>], row_strides = array<i64: 512, 0, 0, 200>,
                schedule = #kern.schedule<{blocks = 1 : i64, boxes = 1 : i64, consumers = 2 : i64, rows = 128 : i64, split = 1 : i64, stages = 5 : i64, tokens = 32 : i64, workers = 132 : i64}>} {
  %0 = moe.grouped_linear %x, %w, %o : (tensor<?x512xbf16>, tensor<9x200x512xbf16>, tensor<10xi32>) -> tensor<?x200xbf16>
  kern.yield %0 : tensor<?x200xbf16>
}

kern.kernel @ring_down_pairs(%x: tensor<?x1408xbf16>, %w: tensor<3x136x1408xbf16>, %o: tensor<4xi32>) -> tensor<?x136xbf16>
    attributes {hero = #kern.hero<grouped_matmul>, rows = [#kern.rows<tokens * 2>, unit, unit, #kern.rows<tokens * 2>], row_strides = array<i64: 1408, 0, 0, 136>,
                schedule = #kern.schedule<{blocks = 2 : i64, boxes = 2 : i64, consumers = 1 : i64, rows = 64 : i64, split = 1 : i64, stages = 3 : i64, tokens = 16 : i64, workers = 132 : i64}>} {
  %0 = moe.grouped_linear %x, %w, %o : (tensor<?x1408xbf16>, tensor<3x136x1408xbf16>, tensor<4xi32>) -> tensor<?x136xbf16>
  kern.yield %0 : tensor<?x136xbf16>
}

kern.kernel @ring_gather(%x: tensor<?x512xbf16>, %w: tensor<8x264x512xbf16>, %o: tensor<9xi32>, %r: tensor<?xi32>) -> tensor<?x264xf32>
    attributes {hero = #kern.hero<grouped_matmul>, rows = [#kern.rows<tokens * 1>, unit, unit, #kern.rows<tokens * 2>, #kern.rows<tokens * 2>], row_strides = array<i64: 512, 0, 0, 1, 264>,
                schedule = #kern.schedule<{blocks = 1 : i64, boxes = 2 : i64, consumers = 1 : i64, rows = 64 : i64, split = 1 : i64, stages = 6 : i64, tokens = 8 : i64, workers = 132 : i64}>} {
  %0 = moe.grouped_linear %x, %w, %o, %r {top_k = 2 : i64} : (tensor<?x512xbf16>, tensor<8x264x512xbf16>, tensor<9xi32>, tensor<?xi32>) -> tensor<?x264xf32>
  kern.yield %0 : tensor<?x264xf32>
}

kern.kernel @ring_gather_odd(%x: tensor<?x320xbf16>, %w: tensor<9x136x320xbf16>, %o: tensor<10xi32>, %r: tensor<?xi32>) -> tensor<?x136xbf16>
    attributes {hero = #kern.hero<grouped_matmul>, rows = [#kern.rows<tokens * 1>, unit, unit, #kern.rows<tokens * 3>, #kern.rows<tokens * 3>], row_strides = array<i64: 320, 0, 0, 1, 136>,
                schedule = #kern.schedule<{blocks = 1 : i64, boxes = 1 : i64, consumers = 2 : i64, rows = 128 : i64, split = 1 : i64, stages = 4 : i64, tokens = 64 : i64, workers = 132 : i64}>} {
  %0 = moe.grouped_linear %x, %w, %o, %r {top_k = 3 : i64} : (tensor<?x320xbf16>, tensor<9x136x320xbf16>, tensor<10xi32>, tensor<?xi32>) -> tensor<?x136xbf16>
  kern.yield %0 : tensor<?x136xbf16>
}

kern.kernel @ring_gated(%x: tensor<?x384xbf16>, %w: tensor<9x272x384xbf16>, %o: tensor<10xi32>, %r: tensor<?xi32>) -> tensor<?x136xbf16>
    attributes {hero = #kern.hero<grouped_matmul>, rows = [#kern.rows<tokens * 1>, unit, unit, #kern.rows<tokens * 3>, #kern.rows<tokens * 3>], row_strides = array<i64: 384, 0, 0, 1, 136>,
                schedule = #kern.schedule<{blocks = 1 : i64, boxes = 2 : i64, consumers = 1 : i64, rows = 64 : i64, split = 1 : i64, stages = 5 : i64, tokens = 8 : i64, workers = 132 : i64}>} {
  %0 = moe.grouped_linear %x, %w, %o, %r {top_k = 3 : i64} : (tensor<?x384xbf16>, tensor<9x272x384xbf16>, tensor<10xi32>, tensor<?xi32>) -> tensor<?x272xf32>
  %g = moe.slice %0 {offset = 0} : (tensor<?x272xf32>) -> tensor<?x136xf32>
  %u = moe.slice %0 {offset = 136} : (tensor<?x272xf32>) -> tensor<?x136xf32>
  %1 = moe.swiglu %g, %u : (tensor<?x136xf32>, tensor<?x136xf32>) -> tensor<?x136xbf16>
  kern.yield %1 : tensor<?x136xbf16>
}

kern.kernel @ring_gated_wide(%x: tensor<?x576xbf16>, %w: tensor<2x384x576xbf16>, %o: tensor<3xi32>, %r: tensor<?xi32>) -> tensor<?x192xbf16>
    attributes {hero = #kern.hero<grouped_matmul>, rows = [#kern.rows<tokens * 1>, unit, unit, #kern.rows<tokens * 2>, #kern.rows<tokens * 2>], row_strides = array<i64: 576, 0, 0, 1, 192>,
                schedule = #kern.schedule<{blocks = 1 : i64, boxes = 1 : i64, consumers = 1 : i64, rows = 64 : i64, split = 1 : i64, stages = 4 : i64, tokens = 128 : i64, workers = 132 : i64}>} {
  %0 = moe.grouped_linear %x, %w, %o, %r {top_k = 2 : i64} : (tensor<?x576xbf16>, tensor<2x384x576xbf16>, tensor<3xi32>, tensor<?xi32>) -> tensor<?x384xf32>
  %g = moe.slice %0 {offset = 0} : (tensor<?x384xf32>) -> tensor<?x192xf32>
  %u = moe.slice %0 {offset = 192} : (tensor<?x384xf32>) -> tensor<?x192xf32>
  %1 = moe.swiglu %g, %u : (tensor<?x192xf32>, tensor<?x192xf32>) -> tensor<?x192xbf16>
  kern.yield %1 : tensor<?x192xbf16>
}

kern.kernel @ring_gated_turns(%x: tensor<?x256xbf16>, %w: tensor<3x256x256xbf16>, %o: tensor<4xi32>, %r: tensor<?xi32>) -> tensor<?x128xbf16>
    attributes {hero = #kern.hero<grouped_matmul>, rows = [#kern.rows<tokens * 1>, unit, unit, #kern.rows<tokens * 2>, #kern.rows<tokens * 2>], row_strides = array<i64: 256, 0, 0, 1, 128>,
                schedule = #kern.schedule<{blocks = 1 : i64, boxes = 1 : i64, consumers = 2 : i64, rows = 128 : i64, split = 1 : i64, stages = 5 : i64, tokens = 16 : i64, workers = 132 : i64}>} {
  %0 = moe.grouped_linear %x, %w, %o, %r {top_k = 2 : i64} : (tensor<?x256xbf16>, tensor<3x256x256xbf16>, tensor<4xi32>, tensor<?xi32>) -> tensor<?x256xf32>
  %g, %u = moe.deinterleave %0 {block = 128 : i64} : (tensor<?x256xf32>) -> (tensor<?x128xf32>, tensor<?x128xf32>)
  %1 = moe.swiglu %g, %u : (tensor<?x128xf32>, tensor<?x128xf32>) -> tensor<?x128xbf16>
  kern.yield %1 : tensor<?x128xbf16>
}

kern.kernel @tile_down(%x: tensor<?x584xbf16>, %w: tensor<9x200x584xbf16>, %o: tensor<10xi32>) -> tensor<?x200xf32>
    attributes {hero = #kern.hero<grouped_matmul>, rows = [#kern.rows<tokens * 3>, unit, unit, #kern.rows<tokens * 3>], row_strides = array<i64: 584, 0, 0, 200>,
                schedule = #kern.schedule<{column_waves = 1 : i64, columns = 104 : i64, consumers = 2 : i64, rows = 128 : i64, staged = 0 : i64, stages = 5 : i64, workers = 132 : i64}>} {
  %0 = moe.grouped_linear %x, %w, %o : (tensor<?x584xbf16>, tensor<9x200x584xbf16>, tensor<10xi32>) -> tensor<?x200xf32>
  kern.yield %0 : tensor<?x200xf32>
}

kern.kernel @tile_down_tall(%x: tensor<?x640xbf16>, %w: tensor<2x264x640xbf16>, %o: tensor<3xi32>) -> tensor<?x264xbf16>
    attributes {hero = #kern.hero<grouped_matmul>, rows = [#kern.rows<tokens * 2>, unit, unit, #kern.rows<tokens * 2>], row_strides = array<i64: 640, 0, 0, 264>,
                schedule = #kern.schedule<{column_waves = 1 : i64, columns = 128 : i64, consumers = 2 : i64, rows = 256 : i64, staged = 2 : i64, stages = 4 : i64, workers = 132 : i64}>} {
  %0 = moe.grouped_linear %x, %w, %o : (tensor<?x640xbf16>, tensor<2x264x640xbf16>, tensor<3xi32>) -> tensor<?x264xbf16>
  kern.yield %0 : tensor<?x264xbf16>
}

kern.kernel @tile_down_one(%x: tensor<?x512xbf16>, %w: tensor<1x136x512xbf16>, %o: tensor<2xi32>) -> tensor<?x136xbf16>
    attributes {hero = #kern.hero<grouped_matmul>, rows = [#kern.rows<tokens * 1>, unit, unit, #kern.rows<tokens * 1>], row_strides = array<i64: 512, 0, 0, 136>,
                schedule = #kern.schedule<{column_waves = 1 : i64, columns = 48 : i64, consumers = 1 : i64, rows = 64 : i64, staged = 0 : i64, stages = 6 : i64, workers = 132 : i64}>} {
  %0 = moe.grouped_linear %x, %w, %o : (tensor<?x512xbf16>, tensor<1x136x512xbf16>, tensor<2xi32>) -> tensor<?x136xbf16>
  kern.yield %0 : tensor<?x136xbf16>
}

kern.kernel @tile_gather(%x: tensor<?x384xbf16>, %w: tensor<3x136x384xbf16>, %o: tensor<4xi32>, %r: tensor<?xi32>) -> tensor<?x136xf32>
    attributes {hero = #kern.hero<grouped_matmul>, rows = [#kern.rows<tokens * 1>, unit, unit, #kern.rows<tokens * 2>, #kern.rows<tokens * 2>], row_strides = array<i64: 384, 0, 0, 1, 136>,
                schedule = #kern.schedule<{column_waves = 1 : i64, columns = 144 : i64, consumers = 2 : i64, rows = 128 : i64, staged = 0 : i64, stages = 4 : i64, workers = 132 : i64}>} {
  %0 = moe.grouped_linear %x, %w, %o, %r {top_k = 2 : i64} : (tensor<?x384xbf16>, tensor<3x136x384xbf16>, tensor<4xi32>, tensor<?xi32>) -> tensor<?x136xf32>
  kern.yield %0 : tensor<?x136xf32>
}

kern.kernel @tile_gather_small(%x: tensor<?x512xbf16>, %w: tensor<8x264x512xbf16>, %o: tensor<9xi32>, %r: tensor<?xi32>) -> tensor<?x264xbf16>
    attributes {hero = #kern.hero<grouped_matmul>, rows = [#kern.rows<tokens * 1>, unit, unit, #kern.rows<tokens * 2>, #kern.rows<tokens * 2>], row_strides = array<i64: 512, 0, 0, 1, 264>,
                schedule = #kern.schedule<{column_waves = 1 : i64, columns = 128 : i64, consumers = 1 : i64, rows = 64 : i64, staged = 2 : i64, stages = 6 : i64, workers = 132 : i64}>} {
  %0 = moe.grouped_linear %x, %w, %o, %r {top_k = 2 : i64} : (tensor<?x512xbf16>, tensor<8x264x512xbf16>, tensor<9xi32>, tensor<?xi32>) -> tensor<?x264xbf16>
  kern.yield %0 : tensor<?x264xbf16>
}

kern.kernel @tile_gated(%x: tensor<?x512xbf16>, %w: tensor<2x512x512xbf16>, %o: tensor<3xi32>, %r: tensor<?xi32>) -> tensor<?x256xbf16>
    attributes {hero = #kern.hero<grouped_matmul>, rows = [#kern.rows<tokens * 1>, unit, unit, #kern.rows<tokens * 2>, #kern.rows<tokens * 2>], row_strides = array<i64: 512, 0, 0, 1, 256>,
                schedule = #kern.schedule<{column_waves = 2 : i64, columns = 128 : i64, consumers = 2 : i64, rows = 128 : i64, staged = 2 : i64, stages = 4 : i64, workers = 132 : i64}>} {
  %0 = moe.grouped_linear %x, %w, %o, %r {top_k = 2 : i64} : (tensor<?x512xbf16>, tensor<2x512x512xbf16>, tensor<3xi32>, tensor<?xi32>) -> tensor<?x512xf32>
  %g = moe.slice %0 {offset = 0} : (tensor<?x512xf32>) -> tensor<?x256xf32>
  %u = moe.slice %0 {offset = 256} : (tensor<?x512xf32>) -> tensor<?x256xf32>
  %1 = moe.swiglu %g, %u : (tensor<?x256xf32>, tensor<?x256xf32>) -> tensor<?x256xbf16>
  kern.yield %1 : tensor<?x256xbf16>
}

kern.kernel @tile_gated_quantized(%x: tensor<?x320xbf16>, %w: tensor<9x512x320xbf16>, %o: tensor<10xi32>, %r: tensor<?xi32>) -> !moe.qtensor<?x256xf8E4M3FN, block = [1, 128], scale = f32>
    attributes {hero = #kern.hero<grouped_matmul>, rows = [#kern.rows<tokens * 1>, unit, unit, #kern.rows<tokens * 3>, #kern.rows<tokens * 3>], row_strides = array<i64: 320, 0, 0, 1, 256>,
                schedule = #kern.schedule<{column_waves = 2 : i64, columns = 128 : i64, consumers = 2 : i64, rows = 128 : i64, staged = 0 : i64, stages = 4 : i64, workers = 132 : i64}>} {
  %0 = moe.grouped_linear %x, %w, %o, %r {top_k = 3 : i64} : (tensor<?x320xbf16>, tensor<9x512x320xbf16>, tensor<10xi32>, tensor<?xi32>) -> tensor<?x512xf32>
  %g = moe.slice %0 {offset = 0} : (tensor<?x512xf32>) -> tensor<?x256xf32>
  %u = moe.slice %0 {offset = 256} : (tensor<?x512xf32>) -> tensor<?x256xf32>
  %1 = moe.swiglu %g, %u : (tensor<?x256xf32>, tensor<?x256xf32>) -> tensor<?x256xf32>
  %2 = moe.quantize %1 : (tensor<?x256xf32>) -> !moe.qtensor<?x256xf8E4M3FN, block = [1, 128], scale = f32>
  kern.yield %2 : !moe.qtensor<?x256xf8E4M3FN, block = [1, 128], scale = f32>
}

kern.kernel @tile_gated_tall(%x: tensor<?x512xbf16>, %w: tensor<2x384x512xbf16>, %o: tensor<3xi32>) -> tensor<?x192xbf16>
    attributes {hero = #kern.hero<grouped_matmul>, rows = [#kern.rows<tokens * 2>, unit, unit, #kern.rows<tokens * 2>], row_strides = array<i64: 512, 0, 0, 192>,
                schedule = #kern.schedule<{column_waves = 2 : i64, columns = 64 : i64, consumers = 2 : i64, rows = 256 : i64, staged = 2 : i64, stages = 3 : i64, workers = 132 : i64}>} {
  %0 = moe.grouped_linear %x, %w, %o : (tensor<?x512xbf16>, tensor<2x384x512xbf16>, tensor<3xi32>) -> tensor<?x384xf32>
  %g = moe.slice %0 {offset = 0} : (tensor<?x384xf32>) -> tensor<?x192xf32>
  %u = moe.slice %0 {offset = 192} : (tensor<?x384xf32>) -> tensor<?x192xf32>
  %1 = moe.swiglu %g, %u : (tensor<?x192xf32>, tensor<?x192xf32>) -> tensor<?x192xbf16>
  kern.yield %1 : tensor<?x192xbf16>
}
