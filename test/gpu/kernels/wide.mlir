// RUN: pack-kernels sm_90a %t --tokens 1 %s
// RUN: moec verify %t/package.moeb
// Row-wise kernels at the widths of large models.
kern.kernel @add_norm_quantize_7168(%x: tensor<?x7168xf32>, %y: tensor<?x7168xf32>, %w: tensor<7168xbf16>) -> (tensor<?x7168xf32>, tensor<?x7168xf32>, !moe.qtensor<?x7168xf8E4M3FN, block = [1, 128], scale = f32>)
    attributes {hero = #kern.hero<rows>, rows = [#kern.rows<tokens * 1>, #kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 7168, 7168, 0, 7168, 7168, 7168>} {
  %0 = moe.add %x, %y : tensor<?x7168xf32>
  %1 = moe.rms_norm %0, %w {epsilon = 1.0e-6} : (tensor<?x7168xf32>, tensor<7168xbf16>) -> tensor<?x7168xf32>
  %2 = moe.quantize %1 : (tensor<?x7168xf32>) -> !moe.qtensor<?x7168xf8E4M3FN, block = [1, 128], scale = f32>
  kern.yield %0, %1, %2 : tensor<?x7168xf32>, tensor<?x7168xf32>, !moe.qtensor<?x7168xf8E4M3FN, block = [1, 128], scale = f32>
}

kern.kernel @swiglu_quantize_2048(%x: tensor<?x4096xf32>) -> (tensor<?x2048xf32>, !moe.qtensor<?x2048xf8E4M3FN, block = [1, 128], scale = f32>)
    attributes {hero = #kern.hero<pointwise>, rows = [#kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 4096, 2048, 2048>} {
  %g = moe.slice %x {offset = 0} : (tensor<?x4096xf32>) -> tensor<?x2048xf32>
  %u = moe.slice %x {offset = 2048} : (tensor<?x4096xf32>) -> tensor<?x2048xf32>
  %0 = moe.swiglu %g, %u : tensor<?x2048xf32>
  %1 = moe.quantize %0 : (tensor<?x2048xf32>) -> !moe.qtensor<?x2048xf8E4M3FN, block = [1, 128], scale = f32>
  kern.yield %0, %1 : tensor<?x2048xf32>, !moe.qtensor<?x2048xf8E4M3FN, block = [1, 128], scale = f32>
}

kern.kernel @rope_interleaved(%x: tensor<?x3072xf32>, %p: tensor<?xi32>, %t: tensor<300x64xf32>) -> tensor<?x3072xf32>
    attributes {hero = #kern.hero<rows>, rows = [#kern.rows<tokens * 1>, #kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>], row_strides = array<i64: 3076, 1, 64, 3072>} {
  %0 = moe.rope %x, %p, %t {heads = 16 : i64, rope = #moe.rope<dim = 64, theta = 1.0e4, layout = interleaved>}
      : (tensor<?x3072xf32>, tensor<?xi32>, tensor<300x64xf32>) -> tensor<?x3072xf32>
  kern.yield %0 : tensor<?x3072xf32>
}

