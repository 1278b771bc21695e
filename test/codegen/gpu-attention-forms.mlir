// Which form of latent attention a GPU gets: without a kernel of its own that expands latents, long prompts too attend
// to the latents as they are, for plain kernels read the up-projection anew for each token.
// RUN: moec-opt %s --absorb-latent --remarks-filter=absorb-latent --verify-diagnostics | FileCheck %s
// RUN: sed 's/sm_80/sm_90a/' %s | moec-opt --absorb-latent | FileCheck %s --check-prefix=OWN
// RUN: sed 's/sm_80/sm_90a/; s/nope_dim = 128/nope_dim = 192/; s/x3072x/x4096x/g; s/4096x512/5120x512/g' %s | moec-opt --absorb-latent | FileCheck %s
// RUN: moec-opt %s --absorb-latent=form=unabsorbed --group-remaining | FileCheck %s --check-prefix=UNABSORBED

// UNABSORBED-LABEL: @prompt
// UNABSORBED: moe.mla_attention

// OWN-LABEL: @prompt
// OWN-NOT: moe.head_linear
// OWN: moe.mla_attention

module attributes {kern.target = "sm_80"} {
  // CHECK-LABEL: @prompt
  // CHECK: moe.head_linear
  // CHECK: moe.latent_attention
  // CHECK: moe.head_linear
  func.func @prompt(%q: tensor<?x3072xf32> {moe.input = "hidden"}, %up: tensor<4096x512xbf16>, %cache: !moe.cache<576xbf16, page = 64> {moe.input = "cache"}, %positions: tensor<?xi32> {moe.input = "positions"}, %sequences: tensor<?xi32> {moe.input = "sequence_ids"}, %table: tensor<?x?xi32> {moe.input = "block_table"}) -> tensor<?x2048xf32> attributes {kern.bounds = #kern.bounds<tokens = 4096, sequences = 1, output_rows = 1, context_length = 4096>} {
    // expected-remark @below {{absorbed: no kernel of this GPU expands cached latents into keys and values}}
    %y = moe.mla_attention %q, %up, %cache, %positions, %sequences, %table {heads = 16 : i64, nope_dim = 128 : i64, rope_dim = 64 : i64, v_dim = 128 : i64, scale = 0.07 : f64} : (tensor<?x3072xf32>, tensor<4096x512xbf16>, !moe.cache<576xbf16, page = 64>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x2048xf32>
    return %y : tensor<?x2048xf32>
  }
}
