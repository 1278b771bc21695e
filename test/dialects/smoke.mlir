// RUN: moec-opt %s | moec-opt | FileCheck %s

// CHECK: moe.weight @w : !moe.qtensor<256x128xf8E4M3FN, block = [128, 128], scale = f32> = #moe.checkpoint<"a.weight">
moe.weight @w : !moe.qtensor<256x128xf8E4M3FN, block = [128, 128], scale = f32> = #moe.checkpoint<"a.weight">
moe.weight @t : tensor<64x32xf32> = #moe.rope_table<<dim = 32, theta = 1.0e4, layout = interleaved, scaling = <factor = 40.0, original_context = 4096, beta_fast = 32.0, beta_slow = 1.0, attention_factor = 1.0>>, 64>

// CHECK-LABEL: func.func @f
func.func @f(%x: tensor<?x128xf32>) -> tensor<?x256xf32> {
  %w = moe.param @w : !moe.qtensor<256x128xf8E4M3FN, block = [128, 128], scale = f32>
  // CHECK: kern.group
  %y = kern.group hero <matmul> schedule <{row_tile = 4 : i64}> label "a" {
    %0 = moe.linear %x, %w : (tensor<?x128xf32>, !moe.qtensor<256x128xf8E4M3FN, block = [128, 128], scale = f32>) -> tensor<?x256xf32>
    kern.yield %0 : tensor<?x256xf32>
  } : tensor<?x256xf32>
  return %y : tensor<?x256xf32>
}

// CHECK: kern.kernel @k
kern.kernel @k(%x: tensor<?x128xf32>) -> tensor<?x128xf32> attributes {
    hero = #kern.hero<rows>, rows = [#kern.rows<tokens * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 128, 128>} {
  %0 = moe.add %x, %x : tensor<?x128xf32>
  kern.yield %0 : tensor<?x128xf32>
}

plan.weight @w.scale : tensor<2x1xf32> of @w scales
// CHECK: plan.program @decode_1
plan.program @decode_1 entry "decode" tokens 1 sequences 1 output_rows 1 arena 4096 {
  %0 = plan.arena 0 bytes 512 "x"
  %1 = plan.arena 512 bytes 512
  // CHECK: plan.launch @k(%{{.*}}, %{{.*}}) grid #kern.grid<dim = tokens> bytes 1024 flops 128
  plan.launch @k(%0, %1) grid #kern.grid<dim = tokens> bytes 1024 flops 128 label "here"
}
