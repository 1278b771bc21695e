// Rows stay in registers: the machine code of a sum, a norm and a quantization has one barrier and no row in shared memory, of a gate and of
// SwiGLU none; each kernel waits for the launch before it, and lets the next begin. A block has one tile. bf16 is rounded two values at a time, what may
// be approximate is so, and no quotient has a slow path.
// RUN: pack-kernels sm_90a %t --tokens 1 %s
// RUN: FileCheck %s < %t/kernels.ptx
// RUN: pack-kernels sm_80 %t.80 --tokens 1 %s
// RUN: FileCheck %s --check-prefix=SM80 < %t.80/kernels.ptx
// SM80-NOT: griddepcontrol

// CHECK-NOT: {{nctaid|div\.|rcp\.rn|cvt\.rn\.bf16\.f32|sqrt\.rn}}
// CHECK-LABEL: .entry k0(
// CHECK: griddepcontrol.launch_dependents;
// CHECK: griddepcontrol.wait;
// CHECK: ld.global.nc.v4.b32
// CHECK: cvt.rn.bf16x2.f32
// CHECK-COUNT-1: bar.sync
// CHECK-NOT: {{bar\.sync|nctaid|div\.|rcp\.rn|cvt\.rn\.bf16\.f32|sqrt\.rn}}
// CHECK: rsqrt.approx.ftz.f32
// CHECK-NOT: {{bar\.sync|div\.|rcp\.rn|cvt\.rn\.bf16\.f32}}
// CHECK: cvt.rn.satfinite.e4m3x2.f32
// CHECK-NOT: {{bar\.sync|div\.|rcp\.rn|cvt\.rn\.bf16\.f32}}
!x = tensor<?x3584xbf16>
!codes = !moe.qtensor<?x3584xf8E4M3FN, block = [1, 128], scale = f32>
kern.kernel @add_norm_quantize(%x: !x, %y: !x, %w: tensor<3584xbf16>) -> (!x, !codes)
    attributes {hero = #kern.hero<rows>, rows = [#kern.rows<tokens * 1>, #kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 3584, 3584, 0, 3584, 3584>} {
  %0 = moe.add %x, %y : !x
  %1 = moe.rms_norm %0, %w {epsilon = 1.0e-6} : (!x, tensor<3584xbf16>) -> !x
  %2 = moe.quantize %1 : (!x) -> !codes
  kern.yield %0, %2 : !x, !codes
}

// A row of 448 threads' columns in two parts: 128 threads do not divide it.
// CHECK-LABEL: .entry k1(
// CHECK: .maxntid 224{{$}}
// CHECK-NOT: {{bar\.sync|div\.|rcp\.rn|cvt\.rn\.bf16\.f32}}
// CHECK: ex2.approx.ftz.f32
// CHECK: rcp.approx.ftz.f32
// CHECK: cvt.rn.bf16x2.f32
// CHECK-NOT: {{bar\.sync|div\.|rcp\.rn|cvt\.rn\.bf16\.f32}}
kern.kernel @swiglu_quantize(%x: tensor<?x7168xbf16>) -> !codes
    attributes {hero = #kern.hero<pointwise>, rows = [#kern.rows<tokens * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 7168, 3584>} {
  %g = moe.slice %x {offset = 0} : (tensor<?x7168xbf16>) -> !x
  %u = moe.slice %x {offset = 3584} : (tensor<?x7168xbf16>) -> !x
  %0 = moe.swiglu %g, %u : !x
  %1 = moe.quantize %0 : (!x) -> !codes
  kern.yield %1 : !codes
}

// CHECK-LABEL: .entry k2(
// CHECK-NOT: bar.sync
// CHECK: redux.sync.max.u32
// CHECK: redux.sync.min.u32
// CHECK-NOT: bar.sync
kern.kernel @gate(%l: tensor<?x256xf32>, %b: tensor<256xf32>) -> (tensor<?x9xi32>, tensor<?x9xf32>)
    attributes {hero = #kern.hero<routing>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 256, 0, 9, 9>} {
  %i, %s = moe.gate %l, %b {top_k = 8 : i64, scoring = #moe<scoring sigmoid>, groups = 8 : i64, top_groups = 4 : i64, normalize = true, scale = 2.5, shared = 1 : i64}
      : (tensor<?x256xf32>, tensor<256xf32>) -> (tensor<?x9xi32>, tensor<?x9xf32>)
  kern.yield %i, %s : tensor<?x9xi32>, tensor<?x9xf32>
}

// CHECK-LABEL: .entry k3(
// CHECK: .maxntid 128{{$}}
// CHECK-NOT: bar.sync
!rows = tensor<?x2048xbf16>
!rowCodes = !moe.qtensor<?x2048xf8E4M3FN, block = [1, 128], scale = f32>
kern.kernel @quantize(%x: !rows) -> !rowCodes
    attributes {hero = #kern.hero<pointwise>, rows = [#kern.rows<tokens * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 2048, 2048>} {
  %0 = moe.quantize %x : (!rows) -> !rowCodes
  kern.yield %0 : !rowCodes
}
