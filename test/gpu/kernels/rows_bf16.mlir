// RUN: pack-kernels sm_90a %t --tokens 1 %s
// RUN: moec verify %t/package.moeb
// Row-wise kernels at the widths of large models with bf16 between kernels: rows in registers, no
// memory of the block but for sums over rows.

kern.kernel @add_norm_quantize_7168(%x: tensor<?x7168xbf16>, %y: tensor<?x7168xbf16>, %w: tensor<7168xbf16>) -> (tensor<?x7168xbf16>, !moe.qtensor<?x7168xf8E4M3FN, block = [1, 128], scale = f32>)
    attributes {hero = #kern.hero<rows>, rows = [#kern.rows<tokens * 1>, #kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 7168, 7168, 0, 7168, 7168>} {
  %0 = moe.add %x, %y : tensor<?x7168xbf16>
  %1 = moe.rms_norm %0, %w {epsilon = 1.0e-6} : (tensor<?x7168xbf16>, tensor<7168xbf16>) -> tensor<?x7168xbf16>
  %2 = moe.quantize %1 : (tensor<?x7168xbf16>) -> !moe.qtensor<?x7168xf8E4M3FN, block = [1, 128], scale = f32>
  kern.yield %0, %2 : tensor<?x7168xbf16>, !moe.qtensor<?x7168xf8E4M3FN, block = [1, 128], scale = f32>
}

kern.kernel @swiglu_quantize_2048(%x: tensor<?x4096xbf16>) -> !moe.qtensor<?x2048xf8E4M3FN, block = [1, 128], scale = f32>
    attributes {hero = #kern.hero<pointwise>, rows = [#kern.rows<tokens * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 4096, 2048>} {
  %g = moe.slice %x {offset = 0} : (tensor<?x4096xbf16>) -> tensor<?x2048xbf16>
  %u = moe.slice %x {offset = 2048} : (tensor<?x4096xbf16>) -> tensor<?x2048xbf16>
  %0 = moe.swiglu %g, %u : tensor<?x2048xbf16>
  %1 = moe.quantize %0 : (tensor<?x2048xbf16>) -> !moe.qtensor<?x2048xf8E4M3FN, block = [1, 128], scale = f32>
  kern.yield %1 : !moe.qtensor<?x2048xf8E4M3FN, block = [1, 128], scale = f32>
}

kern.kernel @swiglu_quantize_18432(%x: tensor<?x36864xbf16>) -> !moe.qtensor<?x18432xf8E4M3FN, block = [1, 128], scale = f32>
    attributes {hero = #kern.hero<pointwise>, rows = [#kern.rows<tokens * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 36864, 18432>} {
  %g = moe.slice %x {offset = 0} : (tensor<?x36864xbf16>) -> tensor<?x18432xbf16>
  %u = moe.slice %x {offset = 18432} : (tensor<?x36864xbf16>) -> tensor<?x18432xbf16>
  %0 = moe.swiglu %g, %u : tensor<?x18432xbf16>
  %1 = moe.quantize %0 : (tensor<?x18432xbf16>) -> !moe.qtensor<?x18432xf8E4M3FN, block = [1, 128], scale = f32>
  kern.yield %1 : !moe.qtensor<?x18432xf8E4M3FN, block = [1, 128], scale = f32>
}

kern.kernel @gate_256_top8(%l: tensor<?x256xf32>, %b: tensor<256xf32>) -> (tensor<?x8xi32>, tensor<?x8xf32>)
    attributes {hero = #kern.hero<routing>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 256, 0, 8, 8>} {
  %i, %s = moe.gate %l, %b {top_k = 8 : i64, scoring = #moe<scoring sigmoid>, groups = 8 : i64, top_groups = 4 : i64, normalize = true, scale = 2.5}
      : (tensor<?x256xf32>, tensor<256xf32>) -> (tensor<?x8xi32>, tensor<?x8xf32>)
  kern.yield %i, %s : tensor<?x8xi32>, tensor<?x8xf32>
}

kern.kernel @gate_128_softmax(%l: tensor<?x128xf32>) -> (tensor<?x8xi32>, tensor<?x8xf32>)
    attributes {hero = #kern.hero<routing>, rows = [#kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 128, 8, 8>} {
  %i, %s = moe.gate %l {top_k = 8 : i64, scoring = #moe<scoring softmax>, normalize = true} : (tensor<?x128xf32>) -> (tensor<?x8xi32>, tensor<?x8xf32>)
  kern.yield %i, %s : tensor<?x8xi32>, tensor<?x8xf32>
}

// Experts that are no multiple of the subgroup.
kern.kernel @gate_60(%l: tensor<?x60xf32>) -> (tensor<?x5xi32>, tensor<?x5xf32>)
    attributes {hero = #kern.hero<routing>, rows = [#kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 60, 5, 5>} {
  %i, %s = moe.gate %l {top_k = 4 : i64, scoring = #moe<scoring softmax>, shared = 1 : i64} : (tensor<?x60xf32>) -> (tensor<?x5xi32>, tensor<?x5xf32>)
  kern.yield %i, %s : tensor<?x5xi32>, tensor<?x5xf32>
}

kern.kernel @permute_257_top9(%i: tensor<?x9xi32>) -> (tensor<?xi32>, tensor<?x9xi32>, tensor<258xi32>)
    attributes {hero = #kern.hero<permutation>, rows = [#kern.rows<tokens * 1>, #kern.rows<tokens * 9>, #kern.rows<tokens * 1>, unit], row_strides = array<i64: 9, 1, 9, 1>} {
  %r, %s, %o = moe.permute %i : (tensor<?x9xi32>) -> (tensor<?xi32>, tensor<?x9xi32>, tensor<258xi32>)
  kern.yield %r, %s, %o : tensor<?xi32>, tensor<?x9xi32>, tensor<258xi32>
}

// Latents and the rotated key go to the cache, queries to the next product.
kern.kernel @latents_2112(%q: tensor<?x1536xbf16>, %qw: tensor<1536xbf16>, %l: tensor<?x512xbf16>, %lw: tensor<512xbf16>, %k: tensor<?x64xbf16>, %p: tensor<?xi32>, %t: tensor<300x64xf32>, %c: !moe.cache<576xbf16, page = 64>, %s: tensor<?xi32>, %b: tensor<?x?xi32>) -> (!moe.qtensor<?x1536xf8E4M3FN, block = [1, 128], scale = f32>, !moe.cache<576xbf16, page = 64>)
    attributes {hero = #kern.hero<rows>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, unit, unit, #kern.rows<tokens * 1>, #kern.rows<sequences * 1>, #kern.rows<tokens * 1>, unit], row_strides = array<i64: 2112, 0, 2112, 0, 2112, 1, 64, 576, 1, 0, 1536, 576>} {
  %0 = moe.rms_norm %q, %qw {epsilon = 1.0e-6} : (tensor<?x1536xbf16>, tensor<1536xbf16>) -> tensor<?x1536xbf16>
  %1 = moe.quantize %0 : (tensor<?x1536xbf16>) -> !moe.qtensor<?x1536xf8E4M3FN, block = [1, 128], scale = f32>
  %2 = moe.rms_norm %l, %lw {epsilon = 1.0e-6} : (tensor<?x512xbf16>, tensor<512xbf16>) -> tensor<?x512xbf16>
  %3 = moe.rope %k, %p, %t {heads = 1 : i64, rope = #moe.rope<dim = 64, theta = 1.0e4, layout = interleaved>} : (tensor<?x64xbf16>, tensor<?xi32>, tensor<300x64xf32>) -> tensor<?x64xbf16>
  %4 = moe.concat %2, %3 : (tensor<?x512xbf16>, tensor<?x64xbf16>) -> tensor<?x576xbf16>
  %5 = moe.cache_append %c, %4, %p, %s, %b : (!moe.cache<576xbf16, page = 64>, tensor<?x576xbf16>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> !moe.cache<576xbf16, page = 64>
  kern.yield %1, %5 : !moe.qtensor<?x1536xf8E4M3FN, block = [1, 128], scale = f32>, !moe.cache<576xbf16, page = 64>
}

// Norms by head, rotation of halves by exchange between threads; values go to the cache as they are.
kern.kernel @heads_norm_rope_append(%q: tensor<?x1024xbf16>, %qw: tensor<128xbf16>, %k: tensor<?x256xbf16>, %kw: tensor<128xbf16>, %v: tensor<?x256xbf16>, %p: tensor<?xi32>, %t: tensor<300x128xf32>, %c: !moe.cache<512xbf16, page = 64>, %s: tensor<?xi32>, %b: tensor<?x?xi32>) -> (tensor<?x1024xbf16>, !moe.cache<512xbf16, page = 64>)
    attributes {hero = #kern.hero<rows>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, unit, unit, #kern.rows<tokens * 1>, #kern.rows<sequences * 1>, #kern.rows<tokens * 1>, unit], row_strides = array<i64: 1536, 0, 1536, 0, 1536, 1, 128, 512, 1, 0, 1024, 512>} {
  %0 = moe.rms_norm %q, %qw {epsilon = 1.0e-6, heads = 8 : i64} : (tensor<?x1024xbf16>, tensor<128xbf16>) -> tensor<?x1024xbf16>
  %1 = moe.rope %0, %p, %t {heads = 8 : i64, rope = #moe.rope<dim = 128, theta = 1.0e6, layout = half>} : (tensor<?x1024xbf16>, tensor<?xi32>, tensor<300x128xf32>) -> tensor<?x1024xbf16>
  %2 = moe.rms_norm %k, %kw {epsilon = 1.0e-6, heads = 2 : i64} : (tensor<?x256xbf16>, tensor<128xbf16>) -> tensor<?x256xbf16>
  %3 = moe.rope %2, %p, %t {heads = 2 : i64, rope = #moe.rope<dim = 128, theta = 1.0e6, layout = half>} : (tensor<?x256xbf16>, tensor<?xi32>, tensor<300x128xf32>) -> tensor<?x256xbf16>
  %4 = moe.concat %3, %v : (tensor<?x256xbf16>, tensor<?x256xbf16>) -> tensor<?x512xbf16>
  %5 = moe.cache_append %c, %4, %p, %s, %b : (!moe.cache<512xbf16, page = 64>, tensor<?x512xbf16>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> !moe.cache<512xbf16, page = 64>
  kern.yield %1, %5 : tensor<?x1024xbf16>, !moe.cache<512xbf16, page = 64>
}

kern.kernel @rope_queries(%x: tensor<?x3072xbf16>, %p: tensor<?xi32>, %t: tensor<300x64xf32>) -> tensor<?x3072xbf16>
    attributes {hero = #kern.hero<rows>, rows = [#kern.rows<tokens * 1>, #kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>], row_strides = array<i64: 3072, 1, 64, 3072>} {
  %0 = moe.rope %x, %p, %t {heads = 16 : i64, rope = #moe.rope<dim = 64, theta = 1.0e4, layout = interleaved>} : (tensor<?x3072xbf16>, tensor<?xi32>, tensor<300x64xf32>) -> tensor<?x3072xbf16>
  kern.yield %0 : tensor<?x3072xbf16>
}

kern.kernel @rope_halves(%x: tensor<?x1536xbf16>, %p: tensor<?xi32>, %t: tensor<300x64xf32>) -> tensor<?x1536xbf16>
    attributes {hero = #kern.hero<rows>, rows = [#kern.rows<tokens * 1>, #kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>], row_strides = array<i64: 1600, 1, 64, 1536>} {
  %0 = moe.rope %x, %p, %t {heads = 16 : i64, rope = #moe.rope<dim = 64, theta = 1.0e4, layout = half>} : (tensor<?x1536xbf16>, tensor<?xi32>, tensor<300x64xf32>) -> tensor<?x1536xbf16>
  kern.yield %0 : tensor<?x1536xbf16>
}

kern.kernel @embedding_norm_quantize(%i: tensor<?xi32>, %t: tensor<77x1024xbf16>, %w: tensor<1024xbf16>) -> (tensor<?x1024xbf16>, !moe.qtensor<?x1024xf8E4M3FN, block = [1, 128], scale = f32>)
    attributes {hero = #kern.hero<rows>, rows = [#kern.rows<tokens * 1>, unit, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 1, 1024, 0, 1024, 1024>} {
  %0 = moe.embedding %i, %t : (tensor<?xi32>, tensor<77x1024xbf16>) -> tensor<?x1024xbf16>
  %1 = moe.rms_norm %0, %w {epsilon = 1.0e-6} : (tensor<?x1024xbf16>, tensor<1024xbf16>) -> tensor<?x1024xbf16>
  %2 = moe.quantize %1 : (tensor<?x1024xbf16>) -> !moe.qtensor<?x1024xf8E4M3FN, block = [1, 128], scale = f32>
  kern.yield %0, %2 : tensor<?x1024xbf16>, !moe.qtensor<?x1024xf8E4M3FN, block = [1, 128], scale = f32>
}

kern.kernel @combine_add_norm_quantize(%y: tensor<?x1024xbf16>, %s: tensor<?x9xi32>, %w: tensor<?x9xf32>, %h: tensor<?x1024xbf16>, %n: tensor<1024xbf16>) -> (tensor<?x1024xbf16>, !moe.qtensor<?x1024xf8E4M3FN, block = [1, 128], scale = f32>)
    attributes {hero = #kern.hero<rows>, rows = [#kern.rows<tokens * 9>, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 1024, 9, 9, 1024, 0, 1024, 1024>} {
  %0 = moe.combine %y, %s, %w : (tensor<?x1024xbf16>, tensor<?x9xi32>, tensor<?x9xf32>) -> tensor<?x1024xbf16>
  %1 = moe.add %h, %0 : tensor<?x1024xbf16>
  %2 = moe.rms_norm %1, %n {epsilon = 1.0e-6} : (tensor<?x1024xbf16>, tensor<1024xbf16>) -> tensor<?x1024xbf16>
  %3 = moe.quantize %2 : (tensor<?x1024xbf16>) -> !moe.qtensor<?x1024xf8E4M3FN, block = [1, 128], scale = f32>
  kern.yield %1, %3 : tensor<?x1024xbf16>, !moe.qtensor<?x1024xf8E4M3FN, block = [1, 128], scale = f32>
}

kern.kernel @dequantize_640(%x: !moe.qtensor<?x640xf8E4M3FN, block = [1, 128], scale = f32>) -> tensor<?x640xbf16>
    attributes {hero = #kern.hero<pointwise>, rows = [#kern.rows<tokens * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 640, 640>} {
  %0 = moe.dequantize %x : (!moe.qtensor<?x640xf8E4M3FN, block = [1, 128], scale = f32>) -> tensor<?x640xbf16>
  kern.yield %0 : tensor<?x640xbf16>
}

// Rows that have fewer columns than their threads.
kern.kernel @norm_72(%x: tensor<?x72xbf16>, %w: tensor<72xbf16>) -> tensor<?x72xbf16>
    attributes {hero = #kern.hero<rows>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>], row_strides = array<i64: 72, 0, 72>} {
  %0 = moe.rms_norm %x, %w {epsilon = 1.0e-6} : (tensor<?x72xbf16>, tensor<72xbf16>) -> tensor<?x72xbf16>
  kern.yield %0 : tensor<?x72xbf16>
}
