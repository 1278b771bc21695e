// Every message of the dialect, one fault each.
// RUN: moec-opt %s --split-input-file --verify-diagnostics

// expected-error @+1 {{'plan.weight' op no moe.weight named @w}}
plan.weight @w.values : tensor<4xf32> of @w values

// -----

moe.weight @w : tensor<4xf32> = #moe.checkpoint<"a">
// expected-error @+1 {{'plan.weight' op is the scales of @w, which is not quantized: 'tensor<4xf32>'}}
plan.weight @w.scales : tensor<4xf32> of @w scales

// -----

// expected-note @+1 {{weight declared here}}
moe.weight @w : !moe.qtensor<256x128xf8E4M3FN, block = [128, 128], scale = f32> = #moe.checkpoint<"a">
// expected-error @+1 {{'plan.weight' op type 'tensor<1x2xf32>' differs from 'tensor<2x1xf32>', the scales of @w}}
plan.weight @w.scales : tensor<1x2xf32> of @w scales

// -----

// expected-error @+1 {{'plan.program' op bounds must be positive and the arena not negative; got tokens 0, sequences 1, output rows 1, arena 0}}
plan.program @p entry "decode" tokens 0 sequences 1 output_rows 1 arena 0 {
}

// -----

// expected-error @+1 {{'plan.program' op bounds must be positive and the arena not negative; got tokens 1, sequences 1, output rows 1, arena -1}}
plan.program @p entry "decode" tokens 1 sequences 1 output_rows 1 arena -1 {
}

// -----

// expected-error @+1 {{'plan.program' op has 1 sequences and 3 output rows; expected at most one for each of its 2 tokens}}
plan.program @p entry "decode" tokens 2 sequences 1 output_rows 3 arena 0 {
}

// -----

// expected-error @+1 {{'plan.program' op holds only plan ops; got 'moe.weight'}}
plan.program @p entry "decode" tokens 1 sequences 1 output_rows 1 arena 0 {
  moe.weight @w : tensor<4xf32> = #moe.checkpoint<"a">
}

// -----

plan.program @p entry "decode" tokens 1 sequences 1 output_rows 1 arena 64 {
  // expected-error @+1 {{'plan.arena' op range of 33 bytes at 32 ends past the arena of 64 bytes}}
  %0 = plan.arena 32 bytes 33
}

// -----

plan.program @p entry "decode" tokens 1 sequences 1 output_rows 1 arena 64 {
  // expected-error @+1 {{'plan.arena' op offset and bytes must not be negative; got -8 and 8}}
  %0 = plan.arena -8 bytes 8
}

// -----

plan.program @p entry "decode" tokens 1 sequences 1 output_rows 1 arena 64 {
  // expected-error @+1 {{'plan.weight_ref' op no plan.weight named @w}}
  %0 = plan.weight_ref @w
}

// -----

plan.program @p entry "decode" tokens 1 sequences 1 output_rows 1 arena 64 {
  // expected-error @+1 {{'plan.output' op index must not be negative and bytes positive; got 0 and 0}}
  %0 = plan.output 0 bytes 0
}

// -----

plan.program @p entry "decode" tokens 1 sequences 1 output_rows 1 arena 64 {
  // expected-error @+1 {{'plan.cache' op layer must not be negative; got -1}}
  %0 = plan.cache -1
}

// -----

plan.program @p entry "decode" tokens 1 sequences 1 output_rows 1 arena 64 {
  // expected-error @+1 {{'plan.launch' op no kern.kernel named @k}}
  plan.launch @k() grid #kern.grid<dim = tokens> bytes 0 flops 0
}

// -----

kern.kernel @k(%x: !moe.qtensor<?x128xf8E4M3FN, block = [1, 128], scale = f32>) attributes {
    hero = #kern.hero<rows>, rows = [#kern.rows<tokens * 1>], row_strides = array<i64: 128>} {
  kern.yield
}
plan.program @p entry "decode" tokens 1 sequences 1 output_rows 1 arena 64 {
  %0 = plan.arena 0 bytes 64
  // expected-error @+1 {{'plan.launch' op passes 1 buffers, kernel @k takes 2}}
  plan.launch @k(%0) grid #kern.grid<dim = tokens> bytes 0 flops 0
}

// -----

kern.kernel @k() attributes {hero = #kern.hero<rows>, rows = [], row_strides = array<i64>} {
  kern.yield
}
plan.program @p entry "decode" tokens 1 sequences 1 output_rows 1 arena 64 {
  // expected-error @+1 {{'plan.launch' op bytes, context_bytes and flops must not be negative; got -1, 0 and 0}}
  plan.launch @k() grid #kern.grid<dim = tokens> bytes -1 flops 0
}

// -----

plan.program @p entry "decode" tokens 1 sequences 1 output_rows 1 arena 64 {
  // expected-error @+1 {{'plan.counters' op bytes must be a positive multiple of 4; got 6}}
  %0 = plan.counters bytes 6
}

// -----

kern.kernel @k() attributes {hero = #kern.hero<rows>, schedule = #kern.schedule<{counters = 4 : i64}>, rows = [], row_strides = array<i64>} {
  kern.yield
}
plan.program @p entry "decode" tokens 1 sequences 1 output_rows 1 arena 64 {
  // expected-error @+1 {{'plan.launch' op passes 0 buffers, kernel @k takes 1}}
  plan.launch @k() grid #kern.grid<dim = tokens> bytes 0 flops 0
}
