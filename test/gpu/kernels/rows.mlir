// RUN: pack-kernels sm_90a %t --tokens 1 %s
// RUN: moec verify %t/package.moeb
// Row-wise kernels, gates and permutations at odd and at real widths.
kern.kernel @add_norm_quantize_128(%x: tensor<?x128xf32>, %y: tensor<?x128xf32>, %w: tensor<128xbf16>) -> (tensor<?x128xf32>, tensor<?x128xf32>, !moe.qtensor<?x128xf8E4M3FN, block = [1, 128], scale = f32>)
    attributes {hero = #kern.hero<rows>, rows = [#kern.rows<tokens * 1>, #kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 128, 128, 0, 128, 128, 128>} {
  %0 = moe.add %x, %y : tensor<?x128xf32>
  %1 = moe.rms_norm %0, %w {epsilon = 1.0e-6} : (tensor<?x128xf32>, tensor<128xbf16>) -> tensor<?x128xf32>
  %2 = moe.quantize %1 : (tensor<?x128xf32>) -> !moe.qtensor<?x128xf8E4M3FN, block = [1, 128], scale = f32>
  kern.yield %0, %1, %2 : tensor<?x128xf32>, tensor<?x128xf32>, !moe.qtensor<?x128xf8E4M3FN, block = [1, 128], scale = f32>
}

kern.kernel @swiglu_quantize_200(%x: tensor<?x400xf32>) -> (tensor<?x200xf32>, !moe.qtensor<?x200xf8E4M3FN, block = [1, 128], scale = f32>)
    attributes {hero = #kern.hero<pointwise>, rows = [#kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 400, 200, 200>} {
  %g = moe.slice %x {offset = 0} : (tensor<?x400xf32>) -> tensor<?x200xf32>
  %u = moe.slice %x {offset = 200} : (tensor<?x400xf32>) -> tensor<?x200xf32>
  %0 = moe.swiglu %g, %u : tensor<?x200xf32>
  %1 = moe.quantize %0 : (tensor<?x200xf32>) -> !moe.qtensor<?x200xf8E4M3FN, block = [1, 128], scale = f32>
  kern.yield %0, %1 : tensor<?x200xf32>, !moe.qtensor<?x200xf8E4M3FN, block = [1, 128], scale = f32>
}

kern.kernel @norm_71(%x: tensor<?x71xf32>, %w: tensor<71xbf16>) -> tensor<?x71xf32>
    attributes {hero = #kern.hero<rows>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>], row_strides = array<i64: 71, 0, 71>} {
  %0 = moe.rms_norm %x, %w {epsilon = 1.0e-6} : (tensor<?x71xf32>, tensor<71xbf16>) -> tensor<?x71xf32>
  kern.yield %0 : tensor<?x71xf32>
}

kern.kernel @round_trip_130(%x: tensor<?x130xf32>) -> tensor<?x130xf32>
    attributes {hero = #kern.hero<rows>, rows = [#kern.rows<tokens * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 130, 130>} {
  %0 = moe.quantize %x : (tensor<?x130xf32>) -> !moe.qtensor<?x130xf8E4M3FN, block = [1, 128], scale = f32>
  %1 = moe.dequantize %0 : (!moe.qtensor<?x130xf8E4M3FN, block = [1, 128], scale = f32>) -> tensor<?x130xf32>
  kern.yield %1 : tensor<?x130xf32>
}

kern.kernel @yielded_twice(%x: tensor<?x40xf32>) -> (tensor<?x24xf32>, tensor<?x40xf32>, tensor<?x40xf32>)
    attributes {hero = #kern.hero<rows>, rows = [#kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 40, 24, 40, 40>} {
  %0 = moe.add %x, %x : tensor<?x40xf32>
  %1 = moe.slice %0 {offset = 13} : (tensor<?x40xf32>) -> tensor<?x24xf32>
  kern.yield %1, %0, %0 : tensor<?x24xf32>, tensor<?x40xf32>, tensor<?x40xf32>
}

kern.kernel @rope_half(%x: tensor<?x90xf32>, %p: tensor<?xi32>, %t: tensor<300x20xf32>) -> tensor<?x90xf32>
    attributes {hero = #kern.hero<rows>, rows = [#kern.rows<tokens * 1>, #kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>], row_strides = array<i64: 94, 1, 20, 90>} {
  %0 = moe.rope %x, %p, %t {heads = 3 : i64, rope = #moe.rope<dim = 20, theta = 1.0e4, layout = half>}
      : (tensor<?x90xf32>, tensor<?xi32>, tensor<300x20xf32>) -> tensor<?x90xf32>
  kern.yield %0 : tensor<?x90xf32>
}

kern.kernel @latent_cache_576_bf16(%x: tensor<?x576xf32>, %w: tensor<512xf32>, %p: tensor<?xi32>, %t: tensor<300x64xf32>, %c: !moe.cache<576xbf16, page = 64>, %s: tensor<?xi32>, %b: tensor<?x?xi32>) -> !moe.cache<576xbf16, page = 64>
    attributes {hero = #kern.hero<rows>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, unit, unit, #kern.rows<tokens * 1>, #kern.rows<sequences * 1>, unit], row_strides = array<i64: 584, 0, 1, 64, 576, 1, 0, 576>} {
  %l = moe.slice %x {offset = 0} : (tensor<?x576xf32>) -> tensor<?x512xf32>
  %k = moe.slice %x {offset = 512} : (tensor<?x576xf32>) -> tensor<?x64xf32>
  %n = moe.rms_norm %l, %w {epsilon = 1.0e-6} : (tensor<?x512xf32>, tensor<512xf32>) -> tensor<?x512xf32>
  %r = moe.rope %k, %p, %t {heads = 1 : i64, rope = #moe.rope<dim = 64, theta = 1.0e4, layout = interleaved>}
      : (tensor<?x64xf32>, tensor<?xi32>, tensor<300x64xf32>) -> tensor<?x64xf32>
  %a = moe.concat %n, %r : (tensor<?x512xf32>, tensor<?x64xf32>) -> tensor<?x576xf32>
  %0 = moe.cache_append %c, %a, %p, %s, %b : (!moe.cache<576xbf16, page = 64>, tensor<?x576xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> !moe.cache<576xbf16, page = 64>
  kern.yield %0 : !moe.cache<576xbf16, page = 64>
}

kern.kernel @embedding_512(%i: tensor<?xi32>, %t: tensor<77x512xbf16>) -> tensor<?x512xf32>
    attributes {hero = #kern.hero<rows>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>], row_strides = array<i64: 1, 512, 512>} {
  %0 = moe.embedding %i, %t : (tensor<?xi32>, tensor<77x512xbf16>) -> tensor<?x512xf32>
  kern.yield %0 : tensor<?x512xf32>
}

kern.kernel @gather_norm(%x: tensor<?x66xf32>, %r: tensor<?xi32>, %w: tensor<66xf32>) -> tensor<?x66xf32>
    attributes {hero = #kern.hero<rows>, rows = [#kern.rows<tokens * 1>, #kern.rows<output_rows * 1>, unit, #kern.rows<output_rows * 1>], row_strides = array<i64: 80, 1, 0, 66>} {
  %0 = moe.gather_rows %x, %r : (tensor<?x66xf32>, tensor<?xi32>) -> tensor<?x66xf32>
  %1 = moe.rms_norm %0, %w {epsilon = 1.0e-5} : (tensor<?x66xf32>, tensor<66xf32>) -> tensor<?x66xf32>
  kern.yield %1 : tensor<?x66xf32>
}

kern.kernel @gate_24(%l: tensor<?x24xf32>, %b: tensor<24xf32>) -> (tensor<?x3xi32>, tensor<?x3xf32>)
    attributes {hero = #kern.hero<routing>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 24, 0, 3, 3>} {
  %i, %s = moe.gate %l, %b {top_k = 3 : i64, scoring = #moe<scoring sigmoid>, groups = 4 : i64, top_groups = 2 : i64, normalize = true, scale = 2.5}
      : (tensor<?x24xf32>, tensor<24xf32>) -> (tensor<?x3xi32>, tensor<?x3xf32>)
  kern.yield %i, %s : tensor<?x3xi32>, tensor<?x3xf32>
}

kern.kernel @gate_softmax_16(%l: tensor<?x16xf32>, %b: tensor<16xf32>) -> (tensor<?x4xi32>, tensor<?x4xf32>)
    attributes {hero = #kern.hero<routing>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 16, 0, 4, 4>} {
  %i, %s = moe.gate %l, %b {top_k = 4 : i64, scoring = #moe<scoring softmax>, groups = 8 : i64, top_groups = 3 : i64, group_score = #moe<group_score max>}
      : (tensor<?x16xf32>, tensor<16xf32>) -> (tensor<?x4xi32>, tensor<?x4xf32>)
  kern.yield %i, %s : tensor<?x4xi32>, tensor<?x4xf32>
}

