// The ops of the moe dialect. Shapes in descriptions: T tokens (or other rows),
// H hidden size, N x K a weight's output and input features, E experts.
#ifndef MOEC_DIALECTS_MOE_OPS_TD
#define MOEC_DIALECTS_MOE_OPS_TD

include "dialects/moe/MoeOpBase.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"

//===----------------------------------------------------------------------===//
// Weights
//===----------------------------------------------------------------------===//

def Moe_WeightOp : Moe_Op<"weight", [Symbol]> {
  let summary = "a weight and the recipe that packs it from checkpoint tensors";
  let description = [{
        moe.weight @layers.0.q_a : !moe.qtensor<1536x7168xf8E4M3FN, block = [128, 128], scale = f32>
            = #moe.checkpoint<"model.layers.0.self_attn.q_a_proj.weight">
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, TypeAttr:$type, AnyAttr:$recipe);
  let assemblyFormat = "$sym_name `:` $type `=` $recipe attr-dict";
}

def Moe_ParamOp : Op<Moe_Dialect, "param", [Pure, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "the value of a weight";
  let arguments = (ins FlatSymbolRefAttr:$weight);
  let results = (outs Moe_Tensor:$result);
  let assemblyFormat = "$weight attr-dict `:` type($result)";
}

//===----------------------------------------------------------------------===//
// Rows
//===----------------------------------------------------------------------===//

def Moe_EmbeddingOp : Moe_ComputeOp<"embedding"> {
  let summary = "rows of a table by id";
  let description = "ids [T] i32, table [V, H] -> [T, H]. Ids are in [0, V).";
  let arguments = (ins Moe_Ints:$ids, Moe_Table:$table);
  let results = (outs Moe_Rows:$result);
}

def Moe_GatherRowsOp : Moe_ComputeOp<"gather_rows", ["isRowwise", "getRowSource"]> {
  let summary = "rows of an activation by index";
  let description = "x [T, H], rows [R] i32 in [0, T) -> [R, H].";
  let arguments = (ins Moe_Rows:$x, Moe_Ints:$rows);
  let results = (outs Moe_Rows:$result);
}

// Two operands and a result of one shape, of which each may have its own element type. One type is written when all
// are the same: `moe.add %x, %y : tensor<?x8xf32>`.
class Moe_ElementwiseOp<string mnemonic, list<Trait> traits = []>
    : Moe_ComputeOp<mnemonic, [], !listconcat(traits, [SameOperandsAndResultShape])> {
  let hasVerifier = 0;
}

def Moe_AddOp : Moe_ElementwiseOp<"add", [Commutative]> {
  let summary = "elementwise sum";
  let arguments = (ins Moe_Rows:$lhs, Moe_Rows:$rhs);
  let results = (outs Moe_Rows:$result);
  let assemblyFormat = [{
    operands attr-dict `:` custom<ElementwiseTypes>(type($lhs), type($rhs), type($result))
  }];
}

def Moe_RmsNormOp : Moe_ComputeOp<"rms_norm"> {
  let summary = "root mean square normalisation of each row";
  let description = [{
    x [T, heads * H], weight [H] -> x / sqrt(mean(x^2) + epsilon) * weight, for each head's H columns by
    themselves.
  }];
  let arguments = (ins Moe_Rows:$x, Moe_Vector:$weight, F64Attr:$epsilon,
                       DefaultValuedAttr<I64Attr, "1">:$heads);
  let results = (outs Moe_Rows:$result);
}

def Moe_SwigluOp : Moe_ElementwiseOp<"swiglu"> {
  let summary = "silu(gate) * up";
  let description = "silu(g) = g / (1 + exp(-g)), elementwise.";
  let arguments = (ins Moe_Rows:$gate, Moe_Rows:$up);
  let results = (outs Moe_Rows:$result);
  let assemblyFormat = [{
    operands attr-dict `:` custom<ElementwiseTypes>(type($gate), type($up), type($result))
  }];
}

def Moe_SliceOp : Moe_ComputeOp<"slice"> {
  let summary = "a range of columns";
  let description = "x [T, N] -> x[:, offset : offset + size], the size being the result's.";
  let arguments = (ins Moe_Rows:$x, I64Attr:$offset);
  let results = (outs Moe_Rows:$result);
  let hasFolder = 1;
}

def Moe_DeinterleaveOp : Moe_ComputeOp<"deinterleave"> {
  let summary = "ranges of columns that lie in turn in blocks";
  let description = [{
    x [T, P * N] -> P results [T, N], the columns of a weight that `#moe.interleave` packed: of P results, `block`
    columns belong to the first, the next `block` to the second, and so on in turn; the last block of each has the columns
    that are left.
  }];
  let arguments = (ins Moe_Rows:$x, I64Attr:$block);
  let results = (outs Variadic<Moe_Rows>:$parts);
}

def Moe_ConcatOp : Moe_ComputeOp<"concat"> {
  let summary = "columns side by side";
  let description = "[T, N0], [T, N1], ... -> [T, N0 + N1 + ...].";
  let arguments = (ins Variadic<Moe_Rows>:$parts);
  let results = (outs Moe_Rows:$result);
}

def Moe_QuantizeOp : Moe_ComputeOp<"quantize"> {
  let summary = "quantize activations at run time";
  let description = [{
    Per row and block of columns: scale = max(amax, 1e-4) / 448, rounded to the
    scale type; code = round to nearest even (x / scale), saturating. The
    constants are those of the published DeepSeek code for E4M3.
  }];
  let arguments = (ins Moe_Rows:$x);
  let results = (outs Moe_QRows:$result);
}

def Moe_DequantizeOp : Moe_ComputeOp<"dequantize"> {
  let summary = "code * scale";
  let arguments = (ins Moe_QRows:$x);
  let results = (outs Moe_Rows:$result);
}

def Moe_RopeOp : Moe_ComputeOp<"rope"> {
  let summary = "rotate the last `rope.dim` columns of each head by the row's position";
  let description = [{
    x [T, heads * D], positions [T] i32 -> the same shape. Of each head's D columns the
    first D - rope.dim pass through. `table`, once attached, is the weight that
    `#moe.rope_table` describes, and changes nothing but the rounding.
  }];
  let arguments = (ins Moe_Rows:$x, Moe_Ints:$positions,
                       Optional<Moe_Table>:$table,
                       I64Attr:$heads, Moe_RopeAttr:$rope);
  let results = (outs Moe_Rows:$result);
}

//===----------------------------------------------------------------------===//
// Matrix products
//===----------------------------------------------------------------------===//

def Moe_LinearOp : Moe_ComputeOp<"linear", ["isRowwise"]> {
  let summary = "x times the transposed weight";
  let description = [{
    x [T, K] (float or quantized [1, 128]), weight [N, K] of any scheme -> [T, N].
    Quantized operands stand for code * scale; products are summed in f32 or better.
    `bias` [N], when given, is added to the sum.
  }];
  let arguments = (ins Moe_AnyRows:$x, Moe_Matrix:$weight, Optional<Moe_Vector>:$bias);
  let results = (outs Moe_Rows:$result);
}

def Moe_HeadLinearOp : Moe_ComputeOp<"head_linear", ["isRowwise"]> {
  let summary = "each head's columns times that head's rows of the weight";
  let description = [{
    x [T, heads * X], weight [heads * W, K]. Head h takes x columns
    h*X + x_offset .. + x_size and weight rows h*W + w_offset .. + w_size:

      transposed:      result[t, h*K + k]      = sum_i x[i] * w[i, k]   (x_size == w_size)
      not transposed:  result[t, h*w_size + i] = sum_k x[k] * w[i, k]   (x_size == K)

    This is how the latent up-projection is absorbed into query and output of MLA.
  }];
  let arguments = (ins Moe_Rows:$x, Moe_Matrix:$weight, I64Attr:$heads,
                       I64Attr:$x_offset, I64Attr:$x_size,
                       I64Attr:$w_offset, I64Attr:$w_size, BoolAttr:$transposed);
  let results = (outs Moe_Rows:$result);
}

//===----------------------------------------------------------------------===//
// Attention
//===----------------------------------------------------------------------===//

def Moe_CacheAppendOp : Moe_ComputeOp<"cache_append", ["getRowSource"]> {
  let summary = "write one cache row for each token";
  let description = [{
    rows [T, width], positions [T], sequences [T], block_table [S, P] (i32). Returns the
    new cache; row p of sequence s lies at block_table[s, p / page] * page + p % page.
  }];
  let arguments = (ins Moe_Cache:$cache, Moe_Rows:$rows, Moe_Ints:$positions,
                       Moe_Ints:$sequences, Moe_BlockTable:$block_table);
  let results = (outs Moe_Cache:$result);
}

def Moe_AttentionOp : Moe_ComputeOp<"attention", ["isRowwise"]> {
  let summary = "attention over cached keys and values, heads in groups that share them";
  let description = [{
    q [T, heads * key_dim], already rotated; cache rows [keys: kv_heads * key_dim | values: kv_heads * value_dim].
    Query head h reads key and value of head h / (heads / kv_heads). The token at position p attends to rows
    0..p of its sequence; softmax of scale * q.k. Result [T, heads * value_dim].
  }];
  let arguments = (ins Moe_Rows:$q, Moe_Cache:$cache,
                       Moe_Ints:$positions, Moe_Ints:$sequences, Moe_BlockTable:$block_table,
                       I64Attr:$heads, I64Attr:$kv_heads, I64Attr:$key_dim, I64Attr:$value_dim,
                       F64Attr:$scale);
  let results = (outs Moe_Rows:$result);
}

def Moe_MlaAttentionOp : Moe_ComputeOp<"mla_attention", ["isRowwise"]> {
  let summary = "multi-head latent attention over cached latents, as published";
  let description = [{
    q [T, heads * (nope + rope)], already rotated; cache rows [latent | rope key];
    up_weight [heads * (nope + v), latent]. For each cached row: key = [up_weight_k * latent | rope key],
    value = up_weight_v * latent. The token at position p attends to rows 0..p of its sequence;
    softmax of scale * q.k. Result [T, heads * v].
  }];
  let arguments = (ins Moe_Rows:$q, Moe_Matrix:$up_weight, Moe_Cache:$cache,
                       Moe_Ints:$positions, Moe_Ints:$sequences, Moe_BlockTable:$block_table,
                       I64Attr:$heads, I64Attr:$nope_dim, I64Attr:$rope_dim, I64Attr:$v_dim,
                       F64Attr:$scale);
  let results = (outs Moe_Rows:$result);
}

def Moe_LatentAttentionOp : Moe_ComputeOp<"latent_attention", ["isRowwise"]> {
  let summary = "attention in latent space: one key-value head shared by all query heads";
  let description = [{
    q_latent [T, heads * latent]; q [T, heads * (nope + rope)], of which only each head's last
    `rope_dim` columns are read; cache rows [latent | rope key]. Score of a cached row:
    scale * (q_latent . latent + q_rope . rope key). Result [T, heads * latent]: the softmax-weighted
    sum of the cached latents.
  }];
  let arguments = (ins Moe_Rows:$q_latent, Moe_Rows:$q, Moe_Cache:$cache,
                       Moe_Ints:$positions, Moe_Ints:$sequences, Moe_BlockTable:$block_table,
                       I64Attr:$heads, I64Attr:$rope_dim, F64Attr:$scale);
  let results = (outs Moe_Rows:$result);
}

//===----------------------------------------------------------------------===//
// Routing and experts
//===----------------------------------------------------------------------===//

def Moe_GateOp : Moe_ComputeOp<"gate"> {
  let summary = "choose experts for each row";
  let description = [{
    logits [T, E], optional bias [E] -> ids [T, top_k + shared] i32, weights [T, top_k + shared].
    score = scoring(logits); choice = score + bias. With groups > 1, each group of E / groups
    neighbours is ranked by `group_score` of its choices; outside the best `top_groups` groups a choice is
    -infinity. The `top_k` best choices win, ties go to the lower index; ids come in falling order of
    choice. weight = score (without the bias); with `normalize`, weight / (sum + epsilon); then times `scale`.
    The last `shared` columns are experts that every row has: ids E, E + 1, ..., weights 1.
  }];
  let arguments = (ins Moe_Rows:$logits, Optional<Moe_Vector>:$bias,
                       Moe_ScoringAttr:$scoring, I64Attr:$top_k,
                       DefaultValuedAttr<I64Attr, "1">:$groups,
                       DefaultValuedAttr<I64Attr, "1">:$top_groups,
                       DefaultValuedAttr<Moe_GroupScoreAttr, "::moec::moe::GroupScore::Top2Sum">:$group_score,
                       DefaultValuedAttr<BoolAttr, "false">:$normalize,
                       DefaultValuedAttr<F64Attr, "1e-20">:$epsilon,
                       DefaultValuedAttr<F64Attr, "1.0">:$scale,
                       DefaultValuedAttr<I64Attr, "0">:$shared);
  let results = (outs Moe_IntRows:$ids, Moe_Rows:$weights);
}

def Moe_ExpertsOp : Moe_ComputeOp<"experts", ["isRowwise"]> {
  let summary = "the routed feed-forward network";
  let description = [{
    x [T, H], ids and weights [T, top_k], gate and up [E, I, H], down [E, H, I] ->
    sum over j of weights[t, j] * down[e] * swiglu(gate[e] * x, up[e] * x), e = ids[t, j].
  }];
  let arguments = (ins Moe_Rows:$x, Moe_IntRows:$ids, Moe_Rows:$weights,
                       Moe_Matrices:$gate, Moe_Matrices:$up, Moe_Matrices:$down);
  let results = (outs Moe_Rows:$result);
}

def Moe_PermuteOp : Moe_ComputeOp<"permute", ["isRowwise", "getRowMultiplier"]> {
  let summary = "sort (token, choice) pairs by expert";
  let description = [{
    ids [T, top_k] -> rows [T * top_k]: the pair t * top_k + j in each sorted slot (stable);
    slots [T, top_k]: the slot of each pair; offsets [E + 1]: where each expert's slots begin.
  }];
  let arguments = (ins Moe_IntRows:$ids);
  let results = (outs Moe_Ints:$rows, Moe_IntRows:$slots, Moe_Offsets:$offsets);
}

def Moe_GroupedLinearOp : Moe_ComputeOp<"grouped_linear", ["isRowwise", "getRowSource"]> {
  let summary = "a linear per expert over its slots";
  let description = [{
    x [R, K], weight [E, N, K], offsets [E + 1] -> [S, N]. Slot s of expert e (offsets[e] <= s <
    offsets[e + 1]) is x[s] * weight[e]^T, or x[rows[s] / top_k] * weight[e]^T when `rows` [S] is given.
  }];
  let arguments = (ins Moe_AnyRows:$x, Moe_Matrices:$weight, Moe_Offsets:$offsets,
                       Optional<Moe_Ints>:$rows, DefaultValuedAttr<I64Attr, "1">:$top_k);
  let results = (outs Moe_Rows:$result);
}

def Moe_CombineOp : Moe_ComputeOp<"combine", ["isRowwise", "getRowSource"]> {
  let summary = "weighted sum of each token's expert outputs";
  let description = [{
    y [S, H], slots and weights [T, top_k] -> sum over j of weights[t, j] * y[slots[t, j]]. `rows` [S], when given, is
    the same permutation seen from the slots (moe.permute's `rows`); it lets a kernel go through the slots, and
    changes nothing but the order of the sum.
  }];
  let arguments = (ins Moe_Rows:$y, Moe_IntRows:$slots, Moe_Rows:$weights,
                       Optional<Moe_Ints>:$rows);
  let results = (outs Moe_Rows:$result);
}

#endif // MOEC_DIALECTS_MOE_OPS_TD
