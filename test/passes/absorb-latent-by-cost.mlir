// RUN: moec-opt %s --absorb-latent --remarks-filter=absorb-latent --verify-diagnostics | FileCheck %s
// RUN: moec-opt %s --absorb-latent=form=unabsorbed | FileCheck %s --check-prefix=UNABSORBED
// RUN: not moec-opt %s --absorb-latent=form=both 2>&1 | FileCheck %s --check-prefix=FORM

// UNABSORBED-NOT: moe.latent_attention
// FORM: form must be auto, absorbed or unabsorbed; got 'both'

module attributes {kern.target = "test"} {
  // A step of one token: every cached row would be expanded for it alone.
  // CHECK-LABEL: @decode
  // CHECK: moe.latent_attention
  func.func @decode(%q: tensor<?x20xf32> {moe.input = "hidden"}, %up: tensor<20x8xf32>, %cache: !moe.cache<12xf32, page = 4> {moe.input = "cache"}, %positions: tensor<?xi32> {moe.input = "positions"}, %sequences: tensor<?xi32> {moe.input = "sequence_ids"}, %table: tensor<?x?xi32> {moe.input = "block_table"}) -> tensor<?x8xf32> attributes {kern.bounds = #kern.bounds<tokens = 1, sequences = 1, output_rows = 1, context_length = 64>} {
    // expected-remark @below {{absorbed 5.4 us, unabsorbed 24.1 us}}
    %y = moe.mla_attention %q, %up, %cache, %positions, %sequences, %table {heads = 2 : i64, nope_dim = 6 : i64, rope_dim = 4 : i64, v_dim = 4 : i64, scale = 0.3 : f64} : (tensor<?x20xf32>, tensor<20x8xf32>, !moe.cache<12xf32, page = 4>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x8xf32>
    return %y : tensor<?x8xf32>
  }

  // A chunk of 64 tokens shares the expanded rows.
  // CHECK-LABEL: @prefill
  // CHECK: moe.mla_attention
  func.func @prefill(%q: tensor<?x20xf32> {moe.input = "hidden"}, %up: tensor<20x8xf32>, %cache: !moe.cache<12xf32, page = 4> {moe.input = "cache"}, %positions: tensor<?xi32> {moe.input = "positions"}, %sequences: tensor<?xi32> {moe.input = "sequence_ids"}, %table: tensor<?x?xi32> {moe.input = "block_table"}) -> tensor<?x8xf32> attributes {kern.bounds = #kern.bounds<tokens = 64, sequences = 4, output_rows = 64, context_length = 64>} {
    // expected-remark @below {{absorbed 348.2 us, unabsorbed 249.9 us}}
    %y = moe.mla_attention %q, %up, %cache, %positions, %sequences, %table {heads = 2 : i64, nope_dim = 6 : i64, rope_dim = 4 : i64, v_dim = 4 : i64, scale = 0.3 : f64} : (tensor<?x20xf32>, tensor<20x8xf32>, !moe.cache<12xf32, page = 4>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x8xf32>
    return %y : tensor<?x8xf32>
  }
}
