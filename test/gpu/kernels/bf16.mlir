// RUN: pack-kernels sm_90a %t --tokens 1 %s
// RUN: moec verify %t/package.moeb
// bf16 between kernels: what is yielded is rounded, and read rounded behind it in the kernel; what stays is f32.
!codes300 = !moe.qtensor<?x300xf8E4M3FN, block = [1, 128], scale = f32>
!codes256 = !moe.qtensor<?x256xf8E4M3FN, block = [1, 128], scale = f32>
!codes7168 = !moe.qtensor<?x7168xf8E4M3FN, block = [1, 128], scale = f32>

kern.kernel @add_add_norm_quantize_300(%x: tensor<?x300xbf16>, %y: tensor<?x300xbf16>, %z: tensor<?x300xbf16>, %w: tensor<300xbf16>) -> (tensor<?x300xbf16>, !codes300)
    attributes {hero = #kern.hero<rows>, rows = [#kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 300, 300, 300, 0, 300, 300>} {
  %0 = moe.add %x, %y : (tensor<?x300xbf16>, tensor<?x300xbf16>) -> tensor<?x300xf32>
  %1 = moe.add %0, %z : (tensor<?x300xf32>, tensor<?x300xbf16>) -> tensor<?x300xbf16>
  %2 = moe.rms_norm %1, %w {epsilon = 1.0e-6} : (tensor<?x300xbf16>, tensor<300xbf16>) -> tensor<?x300xf32>
  %3 = moe.quantize %2 : (tensor<?x300xf32>) -> !codes300
  kern.yield %1, %3 : tensor<?x300xbf16>, !codes300
}

kern.kernel @add_norm_quantize_7168(%x: tensor<?x7168xbf16>, %y: tensor<?x7168xbf16>, %w: tensor<7168xbf16>) -> (tensor<?x7168xbf16>, tensor<?x7168xbf16>, !codes7168)
    attributes {hero = #kern.hero<rows>, rows = [#kern.rows<tokens * 1>, #kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 7168, 7168, 0, 7168, 7168, 7168>} {
  %0 = moe.add %x, %y : tensor<?x7168xbf16>
  %1 = moe.rms_norm %0, %w {epsilon = 1.0e-6} : (tensor<?x7168xbf16>, tensor<7168xbf16>) -> tensor<?x7168xbf16>
  %2 = moe.quantize %1 : (tensor<?x7168xbf16>) -> !codes7168
  kern.yield %0, %1, %2 : tensor<?x7168xbf16>, tensor<?x7168xbf16>, !codes7168
}

kern.kernel @latent_cache_576(%x: tensor<?x576xbf16>, %w: tensor<512xbf16>, %p: tensor<?xi32>, %t: tensor<300x64xf32>, %c: !moe.cache<576xbf16, page = 64>, %s: tensor<?xi32>, %b: tensor<?x?xi32>) -> !moe.cache<576xbf16, page = 64>
    attributes {hero = #kern.hero<rows>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, unit, unit, #kern.rows<tokens * 1>, #kern.rows<sequences * 1>, unit], row_strides = array<i64: 2112, 0, 1, 64, 576, 1, 0, 576>} {
  %l = moe.slice %x {offset = 0} : (tensor<?x576xbf16>) -> tensor<?x512xbf16>
  %k = moe.slice %x {offset = 512} : (tensor<?x576xbf16>) -> tensor<?x64xbf16>
  %n = moe.rms_norm %l, %w {epsilon = 1.0e-6} : (tensor<?x512xbf16>, tensor<512xbf16>) -> tensor<?x512xf32>
  %r = moe.rope %k, %p, %t {heads = 1 : i64, rope = #moe.rope<dim = 64, theta = 1.0e4, layout = interleaved>}
      : (tensor<?x64xbf16>, tensor<?xi32>, tensor<300x64xf32>) -> tensor<?x64xf32>
  %a = moe.concat %n, %r : (tensor<?x512xf32>, tensor<?x64xf32>) -> tensor<?x576xf32>
  %0 = moe.cache_append %c, %a, %p, %s, %b : (!moe.cache<576xbf16, page = 64>, tensor<?x576xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> !moe.cache<576xbf16, page = 64>
  kern.yield %0 : !moe.cache<576xbf16, page = 64>
}

kern.kernel @combine_add_add_65(%y: tensor<?x65xbf16>, %s: tensor<?x3xi32>, %w: tensor<?x3xf32>, %r: tensor<?x65xbf16>, %h: tensor<?x65xbf16>) -> tensor<?x65xbf16>
    attributes {hero = #kern.hero<rows>, rows = [#kern.rows<tokens * 3>, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 65, 3, 3, 65, 65, 65>} {
  %0 = moe.combine %y, %s, %w : (tensor<?x65xbf16>, tensor<?x3xi32>, tensor<?x3xf32>) -> tensor<?x65xf32>
  %1 = moe.add %0, %h : (tensor<?x65xf32>, tensor<?x65xbf16>) -> tensor<?x65xf32>
  %2 = moe.add %r, %1 : (tensor<?x65xbf16>, tensor<?x65xf32>) -> tensor<?x65xbf16>
  kern.yield %2 : tensor<?x65xbf16>
}

kern.kernel @linear_add_add_300x512(%x: tensor<?x512xbf16>, %w: tensor<300x512xbf16>, %r: tensor<?x300xbf16>, %h: tensor<?x300xbf16>) -> (tensor<?x300xbf16>, tensor<?x300xbf16>)
    attributes {hero = #kern.hero<matmul>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 512, 512, 300, 300, 300, 300>} {
  %0 = moe.linear %x, %w : (tensor<?x512xbf16>, tensor<300x512xbf16>) -> tensor<?x300xf32>
  %1 = moe.add %r, %0 : (tensor<?x300xbf16>, tensor<?x300xf32>) -> tensor<?x300xbf16>
  %2 = moe.add %1, %h : tensor<?x300xbf16>
  kern.yield %1, %2 : tensor<?x300xbf16>, tensor<?x300xbf16>
}

kern.kernel @gated_256x256(%x: tensor<?x256xbf16>, %w: tensor<512x256xbf16>) -> (tensor<?x256xbf16>, !codes256)
    attributes {hero = #kern.hero<matmul>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 256, 256, 256, 256>} {
  %0 = moe.linear %x, %w : (tensor<?x256xbf16>, tensor<512x256xbf16>) -> tensor<?x512xf32>
  %1 = moe.slice %0 {offset = 0} : (tensor<?x512xf32>) -> tensor<?x256xf32>
  %2 = moe.slice %0 {offset = 256} : (tensor<?x512xf32>) -> tensor<?x256xf32>
  %3 = moe.swiglu %1, %2 : (tensor<?x256xf32>, tensor<?x256xf32>) -> tensor<?x256xbf16>
  %4 = moe.quantize %3 : (tensor<?x256xbf16>) -> !codes256
  kern.yield %3, %4 : tensor<?x256xbf16>, !codes256
}

// The FP8 family's: rounded, then quantized; two sums.
kern.kernel @fp8_gated_512x512(%x: !moe.qtensor<?x512xf8E4M3FN, block = [1, 128], scale = f32>, %w: !moe.qtensor<512x512xf8E4M3FN, block = [128, 128], scale = f32>) -> (tensor<?x256xbf16>, !codes256)
    attributes {hero = #kern.hero<matmul>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 512, 512, 256, 256>} {
  %0 = moe.linear %x, %w : (!moe.qtensor<?x512xf8E4M3FN, block = [1, 128], scale = f32>, !moe.qtensor<512x512xf8E4M3FN, block = [128, 128], scale = f32>) -> tensor<?x512xf32>
  %1 = moe.slice %0 {offset = 0} : (tensor<?x512xf32>) -> tensor<?x256xf32>
  %2 = moe.slice %0 {offset = 256} : (tensor<?x512xf32>) -> tensor<?x256xf32>
  %3 = moe.swiglu %1, %2 : (tensor<?x256xf32>, tensor<?x256xf32>) -> tensor<?x256xbf16>
  %4 = moe.quantize %3 : (tensor<?x256xbf16>) -> !codes256
  kern.yield %3, %4 : tensor<?x256xbf16>, !codes256
}

kern.kernel @fp8_add_add_384x512(%x: !moe.qtensor<?x512xf8E4M3FN, block = [1, 128], scale = f32>, %w: !moe.qtensor<384x512xf8E4M3FN, block = [128, 128], scale = f32>, %r: tensor<?x384xbf16>, %h: tensor<?x384xbf16>) -> tensor<?x384xbf16>
    attributes {hero = #kern.hero<matmul>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 512, 512, 384, 384, 384>} {
  %0 = moe.linear %x, %w : (!moe.qtensor<?x512xf8E4M3FN, block = [1, 128], scale = f32>, !moe.qtensor<384x512xf8E4M3FN, block = [128, 128], scale = f32>) -> tensor<?x384xf32>
  %1 = moe.add %0, %h : (tensor<?x384xf32>, tensor<?x384xbf16>) -> tensor<?x384xf32>
  %2 = moe.add %r, %1 : (tensor<?x384xbf16>, tensor<?x384xf32>) -> tensor<?x384xbf16>
  kern.yield %2 : tensor<?x384xbf16>
}
