// RUN: pack-kernels sm_90a %t --tokens 1 %s
// RUN: moec verify %t/package.moeb
// Kernels that are also run for thousands of tokens.
kern.kernel @add_norm_quantize_300(%x: tensor<?x300xf32>, %y: tensor<?x300xf32>, %w: tensor<300xbf16>) -> (tensor<?x300xf32>, tensor<?x300xf32>, !moe.qtensor<?x300xf8E4M3FN, block = [1, 128], scale = f32>)
    attributes {hero = #kern.hero<rows>, rows = [#kern.rows<tokens * 1>, #kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 331, 300, 0, 300, 300, 300>} {
  %0 = moe.add %x, %y : tensor<?x300xf32>
  %1 = moe.rms_norm %0, %w {epsilon = 1.0e-6} : (tensor<?x300xf32>, tensor<300xbf16>) -> tensor<?x300xf32>
  %2 = moe.quantize %1 : (tensor<?x300xf32>) -> !moe.qtensor<?x300xf8E4M3FN, block = [1, 128], scale = f32>
  kern.yield %0, %1, %2 : tensor<?x300xf32>, tensor<?x300xf32>, !moe.qtensor<?x300xf8E4M3FN, block = [1, 128], scale = f32>
}

kern.kernel @latent_cache_76_f32(%x: tensor<?x76xf32>, %w: tensor<60xf32>, %p: tensor<?xi32>, %t: tensor<300x16xf32>, %c: !moe.cache<76xf32, page = 64>, %s: tensor<?xi32>, %b: tensor<?x?xi32>) -> !moe.cache<76xf32, page = 64>
    attributes {hero = #kern.hero<rows>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, unit, unit, #kern.rows<tokens * 1>, #kern.rows<sequences * 1>, unit], row_strides = array<i64: 84, 0, 1, 16, 76, 1, 0, 76>} {
  %l = moe.slice %x {offset = 0} : (tensor<?x76xf32>) -> tensor<?x60xf32>
  %k = moe.slice %x {offset = 60} : (tensor<?x76xf32>) -> tensor<?x16xf32>
  %n = moe.rms_norm %l, %w {epsilon = 1.0e-6} : (tensor<?x60xf32>, tensor<60xf32>) -> tensor<?x60xf32>
  %r = moe.rope %k, %p, %t {heads = 1 : i64, rope = #moe.rope<dim = 16, theta = 1.0e4, layout = interleaved>}
      : (tensor<?x16xf32>, tensor<?xi32>, tensor<300x16xf32>) -> tensor<?x16xf32>
  %a = moe.concat %n, %r : (tensor<?x60xf32>, tensor<?x16xf32>) -> tensor<?x76xf32>
  %0 = moe.cache_append %c, %a, %p, %s, %b : (!moe.cache<76xf32, page = 64>, tensor<?x76xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> !moe.cache<76xf32, page = 64>
  kern.yield %0 : !moe.cache<76xf32, page = 64>
}

kern.kernel @embedding_35(%i: tensor<?xi32>, %t: tensor<77x35xbf16>) -> tensor<?x35xf32>
    attributes {hero = #kern.hero<rows>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>], row_strides = array<i64: 1, 35, 35>} {
  %0 = moe.embedding %i, %t : (tensor<?xi32>, tensor<77x35xbf16>) -> tensor<?x35xf32>
  kern.yield %0 : tensor<?x35xf32>
}

kern.kernel @combine_add_add(%y: tensor<?x65xf32>, %s: tensor<?x3xi32>, %w: tensor<?x3xf32>, %r: tensor<?x65xf32>, %h: tensor<?x65xf32>) -> tensor<?x65xf32>
    attributes {hero = #kern.hero<rows>, rows = [#kern.rows<tokens * 3>, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 65, 3, 3, 65, 100, 65>} {
  %0 = moe.combine %y, %s, %w : (tensor<?x65xf32>, tensor<?x3xi32>, tensor<?x3xf32>) -> tensor<?x65xf32>
  %1 = moe.add %0, %r : tensor<?x65xf32>
  %2 = moe.add %h, %1 : tensor<?x65xf32>
  kern.yield %2 : tensor<?x65xf32>
}

kern.kernel @gate_256(%l: tensor<?x256xf32>, %b: tensor<256xf32>) -> (tensor<?x9xi32>, tensor<?x9xf32>)
    attributes {hero = #kern.hero<routing>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 256, 0, 9, 9>} {
  %i, %s = moe.gate %l, %b {top_k = 8 : i64, scoring = #moe<scoring sigmoid>, groups = 8 : i64, top_groups = 4 : i64, normalize = true, scale = 2.5, shared = 1 : i64}
      : (tensor<?x256xf32>, tensor<256xf32>) -> (tensor<?x9xi32>, tensor<?x9xf32>)
  kern.yield %i, %s : tensor<?x9xi32>, tensor<?x9xf32>
}

kern.kernel @permute_257(%i: tensor<?x9xi32>) -> (tensor<?xi32>, tensor<?x9xi32>, tensor<258xi32>)
    attributes {hero = #kern.hero<permutation>, rows = [#kern.rows<tokens * 1>, #kern.rows<tokens * 9>, #kern.rows<tokens * 1>, unit], row_strides = array<i64: 9, 1, 9, 1>} {
  %r, %s, %o = moe.permute %i : (tensor<?x9xi32>) -> (tensor<?xi32>, tensor<?x9xi32>, tensor<258xi32>)
  kern.yield %r, %s, %o : tensor<?xi32>, tensor<?x9xi32>, tensor<258xi32>
}

kern.kernel @permute_5(%i: tensor<?x2xi32>) -> (tensor<?xi32>, tensor<?x2xi32>, tensor<6xi32>)
    attributes {hero = #kern.hero<permutation>, rows = [#kern.rows<tokens * 1>, #kern.rows<tokens * 2>, #kern.rows<tokens * 1>, unit], row_strides = array<i64: 2, 1, 2, 1>} {
  %r, %s, %o = moe.permute %i : (tensor<?x2xi32>) -> (tensor<?xi32>, tensor<?x2xi32>, tensor<6xi32>)
  kern.yield %r, %s, %o : tensor<?xi32>, tensor<?x2xi32>, tensor<6xi32>
}
