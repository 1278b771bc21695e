// RUN: moec-opt %s | moec-opt | FileCheck %s
// RUN: moec-opt %s --mlir-print-op-generic | moec-opt | FileCheck %s

moe.weight @w : !moe.qtensor<256x128xf8E4M3FN, block = [128, 128], scale = f32> = #moe.checkpoint<"a.weight">
moe.weight @n : tensor<128xbf16> = #moe.checkpoint<"n.weight">

kern.kernel @k(%x: tensor<?x128xf32>, %w: !moe.qtensor<256x128xf8E4M3FN, block = [128, 128], scale = f32>,
    %c: !moe.cache<8xf32, page = 4>) -> (tensor<?x256xf32>, !moe.cache<8xf32, page = 4>) attributes {
    hero = #kern.hero<matmul>, rows = [#kern.rows<tokens * 1>, unit, unit, #kern.rows<tokens * 1>, unit],
    row_strides = array<i64: 128, 128, 0, 256, 0>} {
  %0 = moe.linear %x, %w : (tensor<?x128xf32>, !moe.qtensor<256x128xf8E4M3FN, block = [128, 128], scale = f32>) -> tensor<?x256xf32>
  kern.yield %0, %c : tensor<?x256xf32>, !moe.cache<8xf32, page = 4>
}

// CHECK: plan.weight @w.values : tensor<256x128xf8E4M3FN> of @w values
plan.weight @w.values : tensor<256x128xf8E4M3FN> of @w values
// CHECK: plan.weight @w.scales : tensor<2x1xf32> of @w scales
plan.weight @w.scales : tensor<2x1xf32> of @w scales
// CHECK: plan.weight @n.values : tensor<128xbf16> of @n values
plan.weight @n.values : tensor<128xbf16> of @n values

// CHECK: plan.program @decode_4 entry "decode" tokens 4 sequences 4 output_rows 2 arena 4096 {
plan.program @decode_4 entry "decode" tokens 4 sequences 4 output_rows 2 arena 4096 {
  // CHECK: plan.arena 0 bytes 2048 "x"
  %x = plan.arena 0 bytes 2048 "x"
  // CHECK: plan.arena 2048 bytes 2048
  %y = plan.arena 2048 bytes 2048
  // CHECK: plan.weight_ref @w.values
  %w = plan.weight_ref @w.values
  %s = plan.weight_ref @w.scales
  // CHECK: plan.cache 3
  %c = plan.cache 3
  // CHECK: plan.counters bytes 256
  %n = plan.counters bytes 256
  // CHECK: plan.input token_ids
  // CHECK: plan.input positions
  // CHECK: plan.input sequence_ids
  // CHECK: plan.input block_table
  // CHECK: plan.input output_rows
  %0 = plan.input token_ids
  %1 = plan.input positions
  %2 = plan.input sequence_ids
  %3 = plan.input block_table
  %4 = plan.input output_rows
  // CHECK: plan.output 0 bytes 4096
  %o = plan.output 0 bytes 4096
  // CHECK: plan.launch @k(%{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}) grid <dim = tokens, divisor = 4> bytes 1024 flops 128 label "here"
  plan.launch @k(%x, %w, %s, %c, %y) grid #kern.grid<dim = tokens, divisor = 4> bytes 1024 flops 128 label "here"
  // CHECK: plan.launch @k({{.*}}) grid <dim = one> bytes 1024 + 64 per_cached_token flops 128
  plan.launch @k(%x, %w, %s, %c, %y) grid #kern.grid<dim = one> bytes 1024 + 64 per_cached_token flops 128
}
