// The catalogue of passes, in pipeline order. A description says what the pass
// does, what it requires, shows before and after (the first case of the test that
// is named as the pass, test/passes/<pass>.mlir), and says what it refuses.
#ifndef MOEC_PASSES_TD
#define MOEC_PASSES_TD

include "mlir/Pass/PassBase.td"

class ModulePass<string argument> : Pass<argument, "::mlir::ModuleOp"> {
  let dependentDialects = ["::moec::moe::MoeDialect", "::moec::kern::KernDialect"];
}

//===----------------------------------------------------------------------===//
// moe
//===----------------------------------------------------------------------===//

def SetCacheType : ModulePass<"set-cache-type"> {
  let summary = "change the element type of all key-value caches";
  let description = [{
    Changes the type of every cache, of arguments and results and of the ops between, and writes
    `kv_cache` into the numerics contract (`moe.numerics`).

    Requires nothing.

        %0 = moe.cache_append %cache, ... -> !moe.cache<8xf32, page = 4>     // before
        %0 = moe.cache_append %cache, ... -> !moe.cache<8xbf16, page = 4>    // after type=bf16

    With fp8 latents are E4M3 with an f32 scale for each 128 columns, and the rope key behind them is bf16.

    Refuses other types than f32, bf16 and fp8, and fp8 for keys and values: no kernel reads them.
  }];
  let options = [Option<"elementType", "type", "std::string", /*default=*/"\"f32\"",
                        "element type: f32, bf16 or fp8">];
}

def FuseSharedExpert : ModulePass<"fuse-shared-expert"> {
  let summary = "make the shared experts experts that every row has";
  let description = [{
    Takes a sum of moe.experts and of a feed-forward network on the same input. The gate gives every row further
    experts of weight 1 (`shared`), whose matrices lie behind the routed ones'; shared experts that are n times
    as wide become n experts. The sum is then the experts' own.

    Requires moe.experts; comes before `expand-experts`.

        %ids, %scores = moe.gate %logits {scoring = #moe<scoring sigmoid>, top_k = 2 : i64} : ...
        %0 = moe.experts %x, %ids, %scores, %gate, %up, %down : ...
        %1 = moe.linear %x, %shared_gate : ...
        %2 = moe.linear %x, %shared_up : ...
        %3 = moe.swiglu %1, %2 : tensor<?x6xf32>
        %4 = moe.linear %3, %shared_down : ...
        %5 = moe.add %0, %4 : tensor<?x8xf32>

        moe.weight @gate_shared : tensor<5x6x8xf32> = #moe.concat<axis = 0, sizes = [4, 1],
            [#moe.stack<"e.{}.gate", 4>, #moe.split<axis = 0, count = 1, #moe.checkpoint<"s.gate">>]>
        %ids, %scores = moe.gate %logits {scoring = #moe<scoring sigmoid>, shared = 1 : i64, top_k = 2 : i64} : ...
        %5 = moe.experts %x, %ids, %scores, %gate_shared, %up_shared, %down_shared : ...

    Refuses weights that are stored in two ways or used elsewhere, a shared width that is no multiple of a routed
    expert's, ranges of it that end inside a scale block, and values inside that another op reads too.
  }];
}

def ExpandExperts : ModulePass<"expand-experts"> {
  let summary = "expand moe.experts into permutation, grouped linears and combination";
  let description = [{
    The routed feed-forward network as it is computed: (token, choice) pairs sorted by expert,
    three grouped products over each expert's slots, the weighted sum per token.

    Requires nothing.

        %y = moe.experts %x, %ids, %weights, %gate, %up, %down : ...

        %rows, %slots, %offsets = moe.permute %ids : ...
        %g = moe.grouped_linear %x, %gate, %offsets, %rows {top_k = 2} : ...
        %u = moe.grouped_linear %x, %up, %offsets, %rows {top_k = 2} : ...
        %s = moe.swiglu %g, %u : tensor<?x6xf32>
        %d = moe.grouped_linear %s, %down, %offsets : ...
        %y = moe.combine %d, %slots, %weights : ...

    Refuses nothing.
  }];
}

def QuantizeActivations : ModulePass<"quantize-activations"> {
  let summary = "quantize the inputs of products with FP8 block weights";
  let description = [{
    Puts `moe.quantize` (a scale for each row and 128 columns) between a value and the linears and
    grouped linears that multiply it by an FP8 weight with blocks of 128 columns; a value is quantized
    once for all of them. Inputs of head_linear and mla_attention stay exact, so that absorbed and
    unabsorbed attention agree. Writes the mode that it took into the numerics contract.

    Requires expanded experts (`expand-experts`).

        %0 = moe.linear %x, %a : (tensor<?x200xf32>, !fp8) -> tensor<?x128xf32>

        %q = moe.quantize %x : (tensor<?x200xf32>) -> !moe.qtensor<?x200xf8E4M3FN, block = [1, 128], scale = f32>
        %0 = moe.linear %q, %a : (!moe.qtensor<...>, !fp8) -> tensor<?x128xf32>

    Refuses a mode that it does not know. Changes numbers on purpose.
  }];
  let options = [Option<"mode", "mode", "std::string", /*default=*/"\"from-contract\"",
                        "quantized, exact, or from-contract: what the module's moe.numerics says">];
}

def SplitEntries : ModulePass<"split-entries"> {
  let summary = "make a function of @forward for each entry and token bucket";
  let description = [{
    Clones the imported @forward once for each program of the bundle and erases it: what pays depends on how many
    tokens there are, so later passes decide for each bucket. `kern.bounds` has the largest sizes: a decode
    step has a sequence for each token, a prefill step at most `max-sequences`; output rows are bounded by tokens, and in a prefill
    step by 256 or its sequences, because a long prompt's logits are large and only its last ones are wanted. `moe.entry_of`
    keeps the name of what was cloned. @mtp is dropped unless the option keeps it.

    Requires a function @forward and a context length, from the option or the module's `moe.max_context`.

        func.func @forward(...)

        func.func @prefill_16(...) attributes {kern.bounds = #kern.bounds<tokens = 16, ...>, moe.entry = "prefill", ...}
        func.func @decode_1(...) attributes {kern.bounds = #kern.bounds<tokens = 1, ...>, moe.entry = "decode", ...}

    Refuses a module without @forward, or with a function that has an entry's name, and buckets below 1.
  }];
  let dependentDialects = ["::moec::kern::KernDialect"];
  let options = [
    Option<"keepMtp", "keep-mtp", "bool", /*default=*/"false", "keep @mtp">,
    Option<"maxContext", "max-context", "int64_t", /*default=*/"0",
           "longest context in tokens; 0 takes the module's moe.max_context">,
    Option<"maxSequences", "max-sequences", "int64_t", /*default=*/"16",
           "most sequences in one step">,
    ListOption<"decodeBuckets", "decode-buckets", "int64_t",
               "token buckets of decode; empty: 1, 2, 4, .. max-sequences">,
    Option<"prefillChunk", "prefill-chunk", "int64_t", /*default=*/"0",
           "most tokens of a prompt in one step; 0: as the module's `kern.target` wants, 256 without one">,
    ListOption<"prefillBuckets", "prefill-buckets", "int64_t",
               "token buckets of prefill, bounded by max-context; empty: 16, 64, 256, .. prefill-chunk">];
}

def AddSampling : ModulePass<"add-sampling"> {
  let summary = "add an entry that chooses tokens from a decode step's logits";
  let description = [{
    For each function of entry `decode` a function of entry `sample`, of as many rows. It reads the logits where the
    step has left them (its argument `moe.input = "logits"` is output 0 of the bundle's programs) and
    how to choose for each row; its result is output 1, the ids of the tokens.

    Requires `split-entries`, and logits as the first result of the step.

        func.func @decode_1(...) -> (tensor<?x300xf32>, ...) attributes {moe.entry = "decode", ...}

        func.func @sample_1(%logits: tensor<?x300xf32> {moe.input = "logits"},
                            %sampling: tensor<?x4xi32> {moe.input = "sampling"}) -> tensor<?xi32>
            attributes {moe.entry = "sample", ...} {
          %0 = moe.chunk_maxima %logits {chunk = 128 : i64} : ...
          %1 = moe.chunk_masses %logits, %0, %sampling {chunk = 128 : i64} : ...
          %2 = moe.sample %logits, %0, %1, %sampling {chunk = 128 : i64} : ...
          return %2 : tensor<?xi32>
        }

    Refuses a module without decode functions, and one with a function that has an entry's name.
  }];
  let dependentDialects = ["::moec::kern::KernDialect"];
}

def AbsorbLatent : ModulePass<"absorb-latent"> {
  let summary = "absorb the latent up-projection into query and output of attention";
  let description = [{
    Attention over expanded keys and values becomes attention over the cached latents: each head's query
    is multiplied by the key part of the up-projection, its output by the value part. That pays with few tokens for much
    context (decode); many tokens of one prompt expand each cached row once for all of them. The roofline decides for each function at
    its `kern.bounds`, if the target has kernels for both forms; without a target all are absorbed.

    Requires nothing.

        %y = moe.mla_attention %q, %up, %cache, ... {heads = 2, nope_dim = 6, rope_dim = 4, v_dim = 4}

        %l = moe.head_linear %q, %up {heads = 2, transposed = true, w_offset = 0, w_size = 6, ...}
        %c = moe.latent_attention %l, %q, %cache, ... {heads = 2, rope_dim = 4}
        %y = moe.head_linear %c, %up {heads = 2, transposed = false, w_offset = 6, w_size = 4, ...}

    Refuses what costs more absorbed, and an unknown form. Sums are taken in another order, so results differ by rounding.
  }];
  let options = [Option<"form", "form", "std::string", /*default=*/"\"auto\"",
                        "auto (by cost), absorbed or unabsorbed">];
}

def AttachRopeTables : ModulePass<"attach-rope-tables"> {
  let summary = "give ropes their tables of cosines and sines";
  let description = [{
    Adds a weight with a `#moe.rope_table` recipe for each distinct rope and makes it the `table` of the
    rope ops, so that kernels compute no angles.

    Requires a context length, from the option or the module.

        %0 = moe.rope %x, %positions {heads = 1, rope = #rope} : ...

        moe.weight @rope_table_0 : tensor<32x4xf32> = #moe.rope_table<#rope, 32>
        %t = moe.param @rope_table_0 : tensor<32x4xf32>
        %0 = moe.rope %x, %positions, %t {heads = 1, rope = #rope} : ...

    Refuses a missing context length. Cosines and sines are rounded to f32.
  }];
  let options = [Option<"maxContext", "max-context", "int64_t", /*default=*/"0",
                        "positions in a table; 0 takes the module's moe.max_context">];
}

def MergeLinears : ModulePass<"merge-linears"> {
  let summary = "join linears that read the same input";
  let description = [{
    Linears, or grouped linears with the same routing, that read one input through weights of one
    scheme become one over the concatenated weight (`#moe.concat`), and slices of its result: q_a with kv_a, gate
    with up, q with k and v. Biases are concatenated too. Slices of a part become slices of the whole.

    Requires nothing; `remove-dead-weights` then removes the parts.

        %0 = moe.linear %x, %q : (tensor<?x128xf32>, !q128) -> tensor<?x128xf32>
        %1 = moe.linear %x, %kv : (tensor<?x128xf32>, !q40) -> tensor<?x40xf32>

        moe.weight @attn.q_a_kv_a : !q168 = #moe.concat<axis = 0, sizes = [128, 40], [...]>
        %y = moe.linear %x, %w : (tensor<?x128xf32>, !q168) -> tensor<?x168xf32>
        %0 = moe.slice %y {offset = 0}
        %1 = moe.slice %y {offset = 128}

    Refuses a second part that ends inside a block of the scheme (one may, and comes last), a weight or bias that
    is used elsewhere in another way (it would be stored twice), biases that only some have or that are of two
    types, a router, which belongs in the gate's kernel, and a query whose absorbed up-projection (`absorb-latent`)
    follows in its kernel (`fuse-query-absorb`).
  }];
}

def RemoveDeadWeights : ModulePass<"remove-dead-weights"> {
  let summary = "remove weights that nothing reads";
  let description = [{
    Removes params without users, then weights without params.

    Requires nothing.

        moe.weight @dead : tensor<8xf32> = #moe.checkpoint<"c">    // gone

    Refuses nothing.
  }];
}

//===----------------------------------------------------------------------===//
// kern: fusions. Each asks the target for every op, and tells refusals as remarks.
//===----------------------------------------------------------------------===//

def FuseDownCombine : ModulePass<"fuse-down-combine"> {
  let summary = "put the experts' down product, its combination and the sums of that into one group";
  let description = [{
    Takes a combine, the grouped_linear that makes its slots, the sum that alone reads the combine, and on from there each sum
    that alone reads the last one. The combine is given the permutation's `rows`, so that a kernel can add up
    expert by expert.

    Requires the module's `kern.target`; comes before `fuse-matmul-residual` and `fuse-residual-norm`, with which it competes for
    the sums.

        %rows, %slots, %offsets = moe.permute %ids : ...
        %0 = moe.grouped_linear %x, %w, %offsets : ...
        %1 = moe.combine %0, %slots, %weights : ...
        %2 = moe.add %residual, %1 : ...

        %2 = kern.group hero <grouped_matmul> {
          %0 = moe.grouped_linear %x, %w, %offsets : ...
          %1 = moe.combine %0, %slots, %weights, %rows : ...
          %2 = moe.add %residual, %1 : ...
          kern.yield %2 : ...
        } : ...

    Refuses what the target refuses, a product that another op reads too or that gathers its rows itself, and slots
    and offsets that are not made by one moe.permute.
  }];
}

def FuseMatmulResidual : ModulePass<"fuse-matmul-residual"> {
  let summary = "put a linear and the sums of its result into one group";
  let description = [{
    Takes a linear, the sum that alone reads it, and on from there each sum that alone reads the last one. The
    sum stays a result when others read it.

    Requires the module's `kern.target`; comes before `fuse-residual-norm`, with which it competes for the sum. The
    norm keeps a kernel of its own in any case, so there are never more launches; where no norm
    follows, there is one less.

        %0 = moe.linear %x, %w : (tensor<?x8xf32>, tensor<4x8xf32>) -> tensor<?x4xf32>
        %1 = moe.add %residual, %0 : tensor<?x4xf32>

        %1 = kern.group hero <matmul> {
          %0 = moe.linear %x, %w : (tensor<?x8xf32>, tensor<4x8xf32>) -> tensor<?x4xf32>
          %1 = moe.add %residual, %0 : tensor<?x4xf32>
          kern.yield %1 : tensor<?x4xf32>
        } : tensor<?x4xf32>

    Refuses what the target refuses, and a product that another op reads too.
  }];
}

def FuseResidualNorm : ModulePass<"fuse-residual-norm"> {
  let summary = "put a residual sum, its norm and the norm's quantization into one group";
  let description = [{
    Takes a norm, the sum it reads, sums that feed only that sum, and the quantization of the norm.
    The sum stays a result of the group when others read it.

    Requires the module's `kern.target`.

        %0 = moe.add %x, %y : tensor<?x128xf32>
        %1 = moe.rms_norm %0, %w {epsilon = 1.0e-6} : ...
        %2 = moe.quantize %1 : ...

        %r:2 = kern.group hero <rows> label "layers.0.norm" {
          %0 = moe.add %x, %y : tensor<?x128xf32>
          %1 = moe.rms_norm %0, %w {epsilon = 1.0e-6} : ...
          %2 = moe.quantize %1 : ...
          kern.yield %0, %2 : ...
        } : ...

    Refuses what the target refuses, and ops that cannot stand in one place because a reader of the sum comes before
    an operand of the norm.
  }];
}

def FuseRopeCacheWrite : ModulePass<"fuse-rope-cache-write"> {
  let summary = "put the making of a cache row and its write into one group";
  let description = [{
    Takes a cache append and the concat, rms_norm and rope ops that make its rows (a rope's norm too), each
    read by nothing else. The slices they read stay outside, as views, and are copied where nothing else is done to them.

    Requires the module's `kern.target`.

        %1 = moe.rms_norm %latent, %w {...}
        %3 = moe.rope %key, %positions {...}
        %4 = moe.concat %1, %3
        %5 = moe.cache_append %cache, %4, %positions, %sequences, %table

        %5 = kern.group hero <rows> { the four ops } : !moe.cache<...>

    Refuses what the target refuses, and values that another op reads too.
  }];
}

def FuseNormMatmul : ModulePass<"fuse-norm-matmul"> {
  let summary = "let each tile of a product normalise its few rows";
  let description = [{
    Takes the norm of a group that has nothing else, when a linear of a matmul group alone reads it, and puts it before that linear.
    All tiles of the product then compute the same norm: that pays for as few rows as the target says, where a kernel of its
    own costs a launch and little else.

    Requires the module's `kern.target` and the functions' `kern.bounds`; comes after `set-activation-type`, so that the
    target sees the types that its kernels will have. The norm's result keeps the type in which it would have travelled, so the numbers stay
    the same.

        %n = kern.group hero <rows> {
          %0 = moe.rms_norm %x, %g {epsilon = 1.0e-06} : (tensor<?x128xbf16>, tensor<128xbf16>) -> tensor<?x128xbf16>
          kern.yield %0 : tensor<?x128xbf16>
        } : tensor<?x128xbf16>
        %y = kern.group hero <matmul> {
          %0 = moe.linear %n, %w : (tensor<?x128xbf16>, tensor<64x128xbf16>) -> tensor<?x64xbf16>
          kern.yield %0 : tensor<?x64xbf16>
        } : tensor<?x64xbf16>

        %y = kern.group hero <matmul> {
          %0 = moe.rms_norm %x, %g {epsilon = 1.0e-06} : (tensor<?x128xbf16>, tensor<128xbf16>) -> tensor<?x128xbf16>
          %1 = moe.linear %0, %w : (tensor<?x128xbf16>, tensor<64x128xbf16>) -> tensor<?x64xbf16>
          kern.yield %1 : tensor<?x64xbf16>
        } : tensor<?x64xbf16>

    Refuses what the target refuses; leaves a norm that other ops read too.
  }];
}

def FuseNormQuantize : ModulePass<"fuse-norm-quantize"> {
  let summary = "put a norm and its quantization into one group";
  let description = [{
    Takes a norm and the quantization of its result; the norm stays a result when others read it.

    Requires the module's `kern.target`; comes after `fuse-residual-norm`, which takes more.

        %0 = moe.rms_norm %x, %w {...}
        %1 = moe.quantize %0

        %1 = kern.group hero <rows> { both ops } : !moe.qtensor<...>

    Refuses what the target refuses.
  }];
}

def FuseConcatRows : ModulePass<"fuse-concat-rows"> {
  let summary = "put the parts of a row and the joining of them into one group";
  let description = [{
    Takes a concat that makes no cache row, the norms that make its parts for nothing else, embeddings that only these read, and
    the quantization of the result: the input of the multi-token prediction head.

    Requires the module's `kern.target`.

        %0 = moe.embedding %ids, %table
        %1 = moe.rms_norm %0, %w {...}
        %2 = moe.rms_norm %hidden, %v {...}
        %3 = moe.concat %1, %2

        %3 = kern.group hero <rows> { the four ops } : tensor<?x16xf32>

    Refuses what the target refuses.
  }];
}

def FuseGroupedSwiglu : ModulePass<"fuse-grouped-swiglu"> {
  let summary = "put the experts' gate and up product, swiglu and quantization into one group";
  let description = [{
    Takes a swiglu whose operands are slices of one grouped_linear, the slices, the grouped_linear and the
    quantization of the result. A tile then has the gates and what they gate of a block of columns, and
    neither ever reaches memory. The two halves stay where `merge-linears` put them in the weight: gates
    first.

    Requires the module's `kern.target`; comes after `merge-linears`, and before
    `fuse-swiglu-quantize`, which takes what is left.

        %0 = moe.grouped_linear %x, %w, %offsets, %rows {top_k = 2 : i64} : ... -> tensor<?x256xf32>
        %1 = moe.slice %0 {offset = 0 : i64} : (tensor<?x256xf32>) -> tensor<?x128xf32>
        %2 = moe.slice %0 {offset = 128 : i64} : (tensor<?x256xf32>) -> tensor<?x128xf32>
        %3 = moe.swiglu %1, %2 : tensor<?x128xf32>
        %4 = moe.quantize %3 : ...

        %4 = kern.group hero <grouped_matmul> { the five ops } : !moe.qtensor<...>

    Refuses what the target refuses, gate and up that are two products, and products or slices that another op
    reads too.
  }];
}

def FuseMatmulSwiglu : ModulePass<"fuse-matmul-swiglu"> {
  let summary = "put a gate and up product, swiglu and quantization into one group";
  let description = [{
    As `fuse-grouped-swiglu`, for the moe.linear of a dense layer or of shared experts.

    Requires the module's `kern.target`; comes after `merge-linears`.

        %0 = moe.linear %x, %w : ... -> tensor<?x256xf32>
        %1 = moe.slice %0 {offset = 0 : i64} : (tensor<?x256xf32>) -> tensor<?x128xf32>
        %2 = moe.slice %0 {offset = 128 : i64} : (tensor<?x256xf32>) -> tensor<?x128xf32>
        %3 = moe.swiglu %1, %2 : tensor<?x128xf32>
        %4 = moe.quantize %3 : ...

        %4 = kern.group hero <matmul> { the five ops } : !moe.qtensor<...>

    Refuses the same.
  }];
}

def InterleaveGates : ModulePass<"interleave-gates"> {
  let summary = "pack gates in turn with what they gate";
  let description = [{
    In a group of a product, two slices of it and their swiglu, a tile computes some gates and what they gate.
    Where the target asks for it, the weight's rows are packed in turn, a block of gates and the block that it gates
    (`#moe.interleave`), so that a tile reads one run of rows; moe.deinterleave takes the place of the slices.

    Requires the module's `kern.target`; comes after `fuse-grouped-swiglu` and `fuse-matmul-swiglu`, which make the groups.

        moe.weight @gate_up : ... = #moe.concat<axis = 0, sizes = [128, 128], [#moe.checkpoint<"gate">, #moe.checkpoint<"up">]>
        %1 = moe.slice %0 {offset = 0 : i64} : ...
        %2 = moe.slice %0 {offset = 128 : i64} : ...
        %3 = moe.swiglu %1, %2 : ...

        moe.weight @gate_up : ... = #moe.interleave<axis = 0, block = 64, [#moe.checkpoint<"gate">, #moe.checkpoint<"up">]>
        %1:2 = moe.deinterleave %0 {block = 64 : i64} : ...
        %3 = moe.swiglu %1#0, %1#1 : ...

    Refuses, and leaves gates first, where the target asks for nothing, where another op reads the weight too, and where a
    block would part rows that share a scale.
  }];
}

def FuseSwigluQuantize : ModulePass<"fuse-swiglu-quantize"> {
  let summary = "put swiglu and its quantization into one group";
  let description = [{
    Takes a swiglu and the quantization of its result.

    Requires the module's `kern.target`.

        %0 = moe.swiglu %gate, %up
        %1 = moe.quantize %0

        %1 = kern.group hero <rows> { both ops } : !moe.qtensor<...>

    Refuses what the target refuses.
  }];
}

def FuseRouter : ModulePass<"fuse-router"> {
  let summary = "put the router's linear and the gate into one group";
  let description = [{
    Takes a gate and the linear that makes its logits. With few rows the group is a product whose last tile chooses
    (as in `fuse-row-epilogue`): all workers share the router's weight. With many, each worker multiplies and chooses for rows of its own,
    and the logits stay in the kernel (hero routing). The target's rates decide at the function's `kern.bounds`.

    Requires the module's `kern.target` and arguments with a `moe.input` role.

        %0 = moe.linear %x, %router
        %ids, %weights = moe.gate %0, %bias {...}

        %0, %ids, %weights = kern.group hero <matmul> { both ops } : ...

    Refuses what the target refuses, logits that are not made by a linear, and logits that another op reads too.
  }];
}

def FuseQueryAbsorb : ModulePass<"fuse-query-absorb"> {
  let summary = "put the query's projection, its rope and the absorbed key up-projection into one group";
  let description = [{
    Takes a transposed head_linear, the rope that it reads and the linear that the rope reads. The rotated query stays a
    result of the group: attention reads its rope part.

    Requires absorbed attention (`absorb-latent`) and the module's `kern.target`.

        %0 = moe.linear %x, %q_b
        %1 = moe.rope %0, %positions, %angles {heads = 4, ...}
        %2 = moe.head_linear %1, %up {heads = 4, transposed = true, ...}
        %3 = moe.latent_attention %2, %1, ...

        %r:2 = kern.group hero <head_matmul> { the first three ops; kern.yield %1, %2 } : ...
        %3 = moe.latent_attention %r#1, %r#0, ...

    Refuses what the target refuses, a query that is not made by a linear of its own, and heads so few that workers
    would idle for longer than the launches take.
  }];
}

def FuseAttentionOutput : ModulePass<"fuse-attention-output"> {
  let summary = "put attention, its value up-projection and the quantization of its result into one group";
  let description = [{
    Takes a latent attention, the head_linear of its result and the quantization of that: the context of a
    head never goes through memory. Each token reads the up-projection anew, by as many workers as it has heads at most, so
    at the function's `kern.bounds` that must cost less than a launch and the context's way through memory. Of attention over
    expanded or cached keys and values it takes the quantization.

    Requires the module's `kern.target` and arguments with a `moe.input` role; comes after `absorb-latent`.

        %c = moe.latent_attention %l, %q, %cache, ...
        %y = moe.head_linear %c, %up {transposed = false, ...}
        %z = moe.quantize %y

        %z = kern.group hero <attention> { the three ops } : !moe.qtensor<...>

    Refuses what the target refuses, a context that another op reads too, and what does not pay.
  }];
}

def GroupRemaining : ModulePass<"group-remaining"> {
  let summary = "give every op left a group of its own";
  let description = [{
    After it every op of a function but `moe.param` and `moe.slice` stands in a group that has a hero.

    Requires nothing.

        %0 = moe.linear %x, %w : ...

        %0 = kern.group hero <matmul> label "layers.0.proj" {
          %1 = moe.linear %x, %w : ...
          kern.yield %1 : ...
        } : ...

    Refuses ops that no kernel computes, and names the pass that should have replaced them.
  }];
}

def FuseSiblingRows : ModulePass<"fuse-sibling-rows"> {
  let summary = "join row groups that read the same producer";
  let description = [{
    Joins two groups of row-wise ops over the same rows that read results, or slices of results, of
    the same op and do not depend on each other: one launch, and the row is in the cache for
    the second. All results stay results. Params and slices move up with the later group.

    Requires groups with heroes (`group-remaining`), the module's `kern.target` and arguments with a
    `moe.input` role.

        %q = kern.group hero <rows> { moe.rms_norm %a, %w {...} ... }
        %y = kern.group hero <matmul> { moe.linear %q, %p ... }
        %c = kern.group hero <rows> { moe.cache_append %cache, %b, ... }    // %a, %b: slices of one %x

        %q, %c = kern.group hero <rows> { moe.rms_norm ... moe.cache_append ... }
        %y = kern.group hero <matmul> { moe.linear %q, %p ... }

    Refuses what the target refuses, a group that depends on the other, groups that cannot stand in one place, and a cache
    whose old contents another op reads.
  }];
}

def FuseRowEpilogue : ModulePass<"fuse-row-epilogue"> {
  let summary = "put row-wise groups behind the group whose rows they read";
  let description = [{
    A group of row-wise ops moves into the group that makes the rows it reads, or slices of them. Behind other
    row-wise ops that saves a launch. Behind a product the tile that finds itself the last of a block of rows computes them; when there
    is only one block, it also sorts (`moe.permute`). The product stays a result, since it is through memory
    that the last tile finds what the others made. One worker instead of all computes the rows, so the target's rates decide, at the
    function's `kern.bounds`, whether a launch is dearer.

    Requires groups with heroes (`group-remaining`), the module's `kern.target` and arguments with a `moe.input` role.

        %x = kern.group hero <matmul> { moe.linear ... moe.add ... }
        %n, %q = kern.group hero <rows> { moe.rms_norm %x, %w {...} ... moe.quantize ... }

        %x, %n, %q = kern.group hero <matmul> { moe.linear ... moe.add ... moe.rms_norm ... moe.quantize ... }

    Refuses what the target refuses, groups with other rows than what they read, groups that cannot stand in one place, and what
    does not pay.
  }];
}

def SetActivationType : ModulePass<"set-activation-type"> {
  let summary = "change the element type of what kernels hand on to each other";
  let description = [{
    Results of groups, and slices of them, get the element type. An op whose result leaves its group so rounds to it, once,
    and its readers in the group see the rounded value too; what stays inside a group stays f32. Also f32 stay:
    what the function returns (logits), a gate's logits and weights, and the maxima by which tokens are chosen. Writes `activation_type` into the numerics contract
    (`moe.numerics`).

    Requires every op in a group (`group-remaining`) and, without the option, the module's `kern.target`. Comes before
    `outline-kernels`.

        %s, %q = kern.group hero <rows> {
          %0 = moe.add %x, %y : tensor<?x128xf32>
          %1 = moe.rms_norm %0, %w {epsilon = 1.0e-6} : (tensor<?x128xf32>, tensor<128xbf16>) -> tensor<?x128xf32>
          %2 = moe.quantize %1 : ...
          kern.yield %0, %2 : ...
        } : tensor<?x128xf32>, !moe.qtensor<...>

        %s, %q = kern.group hero <rows> {
          %0 = moe.add %x, %y : tensor<?x128xbf16>
          %1 = moe.rms_norm %0, %w {epsilon = 1.0e-6} : (tensor<?x128xbf16>, tensor<128xbf16>) -> tensor<?x128xf32>
          %2 = moe.quantize %1 : ...
          kern.yield %0, %2 : ...
        } : tensor<?x128xbf16>, !moe.qtensor<...>

    Refuses other types than f32 and bf16, and ops outside groups. Changes numbers on purpose; f32 changes nothing.
  }];
  let options = [Option<"elementType", "type", "std::string", /*default=*/"\"\"",
                        "element type: f32 or bf16; empty: as the target keeps it">];
}

def OutlineKernels : ModulePass<"outline-kernels"> {
  let summary = "turn groups into kernels and launches";
  let description = [{
    Each group becomes a `kern.launch` of a `kern.kernel` whose arguments are the group's captures in order of
    first use. Groups alike in body, hero, schedule, types, row counts and row strides share a kernel.
    A kernel's name tells hero, ops and sizes; from the second kernel of a name on it is numbered.

    Requires groups with heroes and arguments with a `moe.input` role.

        %0 = kern.group hero <matmul> label "first" {
          %r = moe.linear %x, %a : (tensor<?x8xf32>, tensor<8x8xf32>) -> tensor<?x8xf32>
          kern.yield %r : tensor<?x8xf32>
        } : tensor<?x8xf32>

        kern.kernel @matmul_8x8_f32(%0: tensor<?x8xf32>, %1: tensor<8x8xf32>) -> tensor<?x8xf32>
            attributes {hero = #kern.hero<matmul>, row_strides = array<i64: 8, 0, 8>,
                        rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>]} { ... }
        %0 = kern.launch @matmul_8x8_f32(%x, %a) label "first" : ...

    Refuses groups without a hero and values whose row count cannot be told.
  }];
}

def AssignSchedules : ModulePass<"assign-schedules"> {
  let summary = "take a schedule for each kernel from the target";
  let description = [{
    Asks `TargetModel::chooseSchedule` for every kernel that has none. A schedule that is there already,
    from a group or from hand-written IR, stays when `TargetModel::checkSchedule` has nothing against it. The module's
    `kern.schedules` (`moec compile --schedules`) has schedules that were measured, each with the fingerprint of its kernel; they
    go before the target's choice, and the attribute is removed. Each choice is an analysis remark.

    Requires the module's `kern.target`.

        kern.kernel @k(...) attributes {hero = #kern.hero<pointwise>, ...}
        kern.kernel @k(...) attributes {..., schedule = #kern.schedule<{row_tile = 1 : i64}>}

    Refuses a kernel for which the target has no schedule, and a schedule that the target cannot compute: it names
    the size, its value and the values that there are. Refuses measured schedules of kernels that are not there or differ.
  }];
}

def SettleArguments : ModulePass<"settle-arguments"> {
  let summary = "mark arguments that are there before the launch before has ended";
  let description = [{
    A launch that begins early has to wait for the launch before it, and sees then what all earlier ones wrote. When that launch lets the next
    one begin only behind its own wait (`TargetModel::holdsBackNext`), what was written before it is there at once. Such arguments, of those that
    the kernel would read early (`getEarlyArguments`), become `settled`: of experts' down products where each expert's rows begin, so that they ask
    for weights while the product before them ends. A kernel's argument is settled when it is at all of its launches.

    Requires kernels with schedules (`assign-schedules`).

        %o = kern.launch @permute(%ids) : ...
        %h = kern.launch @gates(%x, %w, %o) : ...
        %y = kern.launch @down(%h, %v, %o) : ...

        kern.kernel @down(...) attributes {..., settled = array<i64: 2>}

    Refuses arguments that the launch before writes, and those behind a launch that lets the next one begin at once.
  }];
}

//===----------------------------------------------------------------------===//
// plan
//===----------------------------------------------------------------------===//

def PlanPrograms : ModulePass<"plan-programs"> {
  let summary = "turn entries into programs of buffers and launches";
  let description = [{
    For each entry function a `plan.program`: results of launches get ranges of one arena, which
    values that are never alive together share; a slice is a range inside its buffer; a quantized value is two ranges;
    a cache is changed in place; what the entry returns is written where the caller wants it. Each part of a weight
    that is read becomes a `plan.weight`, `<name>.values` and, quantized, `<name>.scale`. Launches carry the grid from
    the target and the bytes and flops at the program's bounds: the longest context, and of tables and experts only the
    rows that can be reached. Entry functions are erased, kernels stay as specification.

    Requires functions of launches, params and slices with `moe.entry` and `kern.bounds` (`split-entries`), and kernels with
    schedules.

        %x = kern.launch @embed(%ids, %table) label "embed_tokens" : ...
        %q = kern.launch @quantize(%x) : ...

        plan.program @decode_2 entry "decode" tokens 2 sequences 2 output_rows 2 arena 256 {
          %0 = plan.input token_ids
          %1 = plan.weight_ref @table.values
          %2 = plan.arena 0 bytes 128
          plan.launch @embed(%0, %1, %2) grid <dim = tokens> bytes 264 flops 0 label "embed_tokens"
          ...
        }

    Refuses any other op (and names the pass that should have taken it), inputs that a bundle's entry does not have,
    views of inputs, weights and outputs, outputs that no launch makes, and reading a cache as it was before an append.
  }];
  let dependentDialects = ["::moec::plan::PlanDialect"];
}

#endif // MOEC_PASSES_TD
