// RUN: pack-kernels sm_90a %t %s --tokens 1,3,4
// RUN: moec verify %t/package.moeb
// RUN: FileCheck %s --check-prefix=PTX --input-file=%t/kernels.ptx
// The norm's weight comes before the wait for the launch before, factors behind it; what threads write into a buffer is fenced before the product reads it.
// PTX:      .entry k0(
// PTX:      ld.global.nc.v4
// PTX:      griddepcontrol.wait
// PTX:      bar.sync 2, 128
// PTX:      rsqrt.approx.ftz.f32
// PTX:      fence.proxy.async
// PTX-NEXT: bar.sync 2, 128
// PTX:      wgmma.mma_async
// Products of few rows that normalise these themselves: with a bias, gates in turn with what they gate, K divided among a
// cluster, an addend, several tiles a block, two warpgroups.
kern.kernel @norm_bias_512x1024(%x: tensor<?x1024xbf16>, %g: tensor<1024xbf16>, %w: tensor<512x1024xbf16>, %b: tensor<512xbf16>) -> tensor<?x512xbf16>
    attributes {hero = #kern.hero<matmul>, rows = [#kern.rows<tokens * 1>, unit, unit, unit, #kern.rows<tokens * 1>], row_strides = array<i64: 1024, 0, 0, 0, 512>} {
  %0 = moe.rms_norm %x, %g {epsilon = 1.0e-6 : f64} : (tensor<?x1024xbf16>, tensor<1024xbf16>) -> tensor<?x1024xbf16>
  %1 = moe.linear %0, %w, %b : (tensor<?x1024xbf16>, tensor<512x1024xbf16>, tensor<512xbf16>) -> tensor<?x512xbf16>
  kern.yield %1 : tensor<?x512xbf16>
}

kern.kernel @norm_gated_256x768(%x: tensor<?x768xbf16>, %g: tensor<768xbf16>, %w: tensor<512x768xbf16>) -> tensor<?x256xbf16>
    attributes {hero = #kern.hero<matmul>, rows = [#kern.rows<tokens * 1>, unit, unit, #kern.rows<tokens * 1>], row_strides = array<i64: 768, 0, 0, 256>} {
  %0 = moe.rms_norm %x, %g {epsilon = 1.0e-6 : f64} : (tensor<?x768xbf16>, tensor<768xbf16>) -> tensor<?x768xbf16>
  %1 = moe.linear %0, %w : (tensor<?x768xbf16>, tensor<512x768xbf16>) -> tensor<?x512xf32>
  %a = moe.slice %1 {offset = 0} : (tensor<?x512xf32>) -> tensor<?x256xf32>
  %u = moe.slice %1 {offset = 256} : (tensor<?x512xf32>) -> tensor<?x256xf32>
  %2 = moe.swiglu %a, %u : (tensor<?x256xf32>, tensor<?x256xf32>) -> tensor<?x256xbf16>
  kern.yield %2 : tensor<?x256xbf16>
}

kern.kernel @norm_shared_k_256x7168(%x: tensor<?x7168xbf16>, %g: tensor<7168xbf16>, %w: tensor<256x7168xbf16>) -> tensor<?x256xf32>
    attributes {hero = #kern.hero<matmul>, rows = [#kern.rows<tokens * 1>, unit, unit, #kern.rows<tokens * 1>], row_strides = array<i64: 7168, 0, 0, 256>} {
  %0 = moe.rms_norm %x, %g {epsilon = 1.0e-5 : f64} : (tensor<?x7168xbf16>, tensor<7168xbf16>) -> tensor<?x7168xbf16>
  %1 = moe.linear %0, %w : (tensor<?x7168xbf16>, tensor<256x7168xbf16>) -> tensor<?x256xf32>
  kern.yield %1 : tensor<?x256xf32>
}

kern.kernel @norm_add_384x640(%x: tensor<?x640xbf16>, %g: tensor<640xbf16>, %w: tensor<384x640xbf16>, %r: tensor<?x384xbf16>) -> tensor<?x384xbf16>
    attributes {hero = #kern.hero<matmul>, rows = [#kern.rows<tokens * 1>, unit, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 640, 0, 0, 384, 384>} {
  %0 = moe.rms_norm %x, %g {epsilon = 1.0e-6 : f64} : (tensor<?x640xbf16>, tensor<640xbf16>) -> tensor<?x640xbf16>
  %1 = moe.linear %0, %w : (tensor<?x640xbf16>, tensor<384x640xbf16>) -> tensor<?x384xf32>
  %2 = moe.add %r, %1 : (tensor<?x384xbf16>, tensor<?x384xf32>) -> tensor<?x384xbf16>
  kern.yield %2 : tensor<?x384xbf16>
}

kern.kernel @norm_wide_37888x256(%x: tensor<?x256xbf16>, %g: tensor<256xbf16>, %w: tensor<37888x256xbf16>) -> tensor<?x37888xf32>
    attributes {hero = #kern.hero<matmul>, rows = [#kern.rows<tokens * 1>, unit, unit, #kern.rows<tokens * 1>], row_strides = array<i64: 256, 0, 0, 37888>} {
  %0 = moe.rms_norm %x, %g {epsilon = 1.0e-6 : f64} : (tensor<?x256xbf16>, tensor<256xbf16>) -> tensor<?x256xbf16>
  %1 = moe.linear %0, %w : (tensor<?x256xbf16>, tensor<37888x256xbf16>) -> tensor<?x37888xf32>
  kern.yield %1 : tensor<?x37888xf32>
}
