// The moe dialect, its attributes and its types.
#ifndef MOEC_DIALECTS_MOE_DIALECT_TD
#define MOEC_DIALECTS_MOE_DIALECT_TD

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpBase.td"

def Moe_Dialect : Dialect {
  let name = "moe";
  let cppNamespace = "::moec::moe";
  let summary = "what the model computes";
  let description = [{
    Tensor ops with value semantics and a dynamic token dimension. Nothing here
    knows a target. Ops are few and parametric: models differ in attributes.
    Axis 0 of an activation counts rows (tokens unless said otherwise).

    The meaning of every op is its implementation in `dialects/reference/`.
  }];
  let useDefaultAttributePrinterParser = 1;
  let useDefaultTypePrinterParser = 1;
  let extraClassDeclaration = "void registerAttributesAndTypes();";
}

class Moe_Attr<string name, string attrMnemonic> : AttrDef<Moe_Dialect, name> {
  let mnemonic = attrMnemonic;
}

//===----------------------------------------------------------------------===//
// Enums
//===----------------------------------------------------------------------===//

def Moe_Scoring : I32EnumAttr<"Scoring", "how router logits become scores", [
  I32EnumAttrCase<"Sigmoid", 0, "sigmoid">,
  I32EnumAttrCase<"Softmax", 1, "softmax">]> {
  let cppNamespace = "::moec::moe";
  let genSpecializedAttr = 0;
}
def Moe_ScoringAttr : EnumAttr<Moe_Dialect, Moe_Scoring, "scoring">;

def Moe_GroupScore : I32EnumAttr<"GroupScore", "how a group of experts is ranked", [
  I32EnumAttrCase<"Top2Sum", 0, "top2_sum">,
  I32EnumAttrCase<"Max", 1, "max">]> {
  let cppNamespace = "::moec::moe";
  let genSpecializedAttr = 0;
}
def Moe_GroupScoreAttr : EnumAttr<Moe_Dialect, Moe_GroupScore, "group_score">;

def Moe_RopeLayout : I32EnumAttr<"RopeLayout", "which elements rotate together", [
  I32EnumAttrCase<"Interleaved", 0, "interleaved">,
  I32EnumAttrCase<"Half", 1, "half">]> {
  let cppNamespace = "::moec::moe";
  let genSpecializedAttr = 0;
}

//===----------------------------------------------------------------------===//
// Attributes
//===----------------------------------------------------------------------===//

def Moe_QuantSchemeAttr : Moe_Attr<"QuantScheme", "quant"> {
  let summary = "how a quantized tensor is stored";
  let description = [{
    value = code * scale. `block` gives the rows and columns (the last two axes)
    that share one scale; 0 means the whole axis. Edge blocks may be partial.

        #moe.quant<f8E4M3FN, block = [128, 128], scale = f32>   // weights
        #moe.quant<f8E4M3FN, block = [1, 128], scale = f32>     // activations
  }];
  let parameters = (ins "::mlir::Type":$storage, ArrayRefParameter<"int64_t">:$block,
                        "::mlir::Type":$scale);
  let assemblyFormat = "`<` $storage `,` `block` `=` `[` $block `]` `,` `scale` `=` $scale `>`";
  let genVerifyDecl = 1;
}

def Moe_YarnAttr : Moe_Attr<"Yarn", "yarn"> {
  let summary = "YaRN frequency scaling (arXiv:2309.00071)";
  let description = [{
    `attention_factor` multiplies cos and sin (mscale / mscale_all_dim of the
    config); the softmax scale carries the rest.
  }];
  let parameters = (ins "::moec::moe::Real":$factor, "int64_t":$original_context, "::moec::moe::Real":$beta_fast,
                        "::moec::moe::Real":$beta_slow, "::moec::moe::Real":$attention_factor);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
}

def Moe_Llama3Attr : Moe_Attr<"Llama3", "llama3"> {
  let summary = "the frequency scaling of Llama 3.1";
  let description = [{
    With `original_context` / wavelength turns over the original context: a pair of fewer than
    `low_freq_factor` turns is slowed down by `factor`, one of more than `high_freq_factor` is left as it is,
    and between the two the frequencies are blended linearly in the turns.
  }];
  let parameters = (ins "::moec::moe::Real":$factor, "::moec::moe::Real":$low_freq_factor,
                        "::moec::moe::Real":$high_freq_factor, "int64_t":$original_context);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
}

def Moe_RopeAttr : Moe_Attr<"Rope", "rope"> {
  let summary = "a rotary position embedding";
  let description = [{
    `dim` elements rotate as dim/2 pairs: neighbours (interleaved) or (i, i + dim/2)
    (half). Pair j turns by position * theta^(-2j/dim), changed by `scaling`: `#moe.yarn` or `#moe.llama3`.
    Results keep the layout of the input, except that `interleaved` follows the
    published DeepSeek code: pairs (2j, 2j+1) are rotated in place.
  }];
  let parameters = (ins "int64_t":$dim, "::moec::moe::Real":$theta,
                        EnumParameter<Moe_RopeLayout>:$layout,
                        OptionalParameter<"::mlir::Attribute">:$scaling);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// What cos and sin are multiplied by.
    double getAttentionFactor();
  }];
}

// A weight's recipe: a tree of pure packing steps over checkpoint tensors. The
// interpreter and the streaming packer evaluate the same tree.

def Moe_CheckpointAttr : Moe_Attr<"Checkpoint", "checkpoint"> {
  let summary = "a checkpoint tensor by name (its scale tensor is found by the scheme)";
  let parameters = (ins StringRefParameter<>:$name);
  let assemblyFormat = "`<` $name `>`";
}

def Moe_StackAttr : Moe_Attr<"Stack", "stack"> {
  let summary = "`count` checkpoint tensors of one shape along a new leading axis";
  let description = [{
    `{}` in the pattern stands for 0 .. count-1:
    `#moe.stack<"model.layers.3.mlp.experts.{}.up_proj.weight", 256>`.
  }];
  let parameters = (ins StringRefParameter<>:$pattern, "int64_t":$count);
  let assemblyFormat = "`<` $pattern `,` $count `>`";
  let genVerifyDecl = 1;
}

def Moe_ConcatAttr : Moe_Attr<"Concat", "concat"> {
  let summary = "recipes joined along `axis`";
  let description = [{
    `sizes` are the parts' sizes along the axis:

        #moe.concat<axis = 0, sizes = [1536, 576], [#moe.checkpoint<"a">, #moe.checkpoint<"b">]>

    Codes and scales are both joined, so every part but the last must end on a
    block edge of the axis.
  }];
  let parameters = (ins "int64_t":$axis, ArrayRefParameter<"int64_t">:$sizes,
                        ArrayRefParameter<"::mlir::Attribute">:$parts);
  let assemblyFormat = "`<` `axis` `=` $axis `,` `sizes` `=` `[` $sizes `]` `,` `[` $parts `]` `>`";
  let genVerifyDecl = 1;
}

def Moe_InterleaveAttr : Moe_Attr<"Interleave", "interleave"> {
  let summary = "recipes of one shape joined along `axis`, in turn `block` of each";
  let description = [{
    With parts a and b of 5 rows and blocks of 2, the rows are a0 a1 b0 b1 a2 a3 b2 b3 a4 b4:

        #moe.interleave<axis = 0, block = 2, [#moe.checkpoint<"a">, #moe.checkpoint<"b">]>

    Codes and scales are both interleaved, so `block` and the parts end on block edges of the scheme.
    `moe.deinterleave` undoes it in a product's columns.
  }];
  let parameters = (ins "int64_t":$axis, "int64_t":$block,
                        ArrayRefParameter<"::mlir::Attribute">:$parts);
  let assemblyFormat = "`<` `axis` `=` $axis `,` `block` `=` $block `,` `[` $parts `]` `>`";
  let genVerifyDecl = 1;
}

def Moe_SplitAttr : Moe_Attr<"Split", "split"> {
  let summary = "a recipe cut along `axis` into `count` equal ranges, stacked along a new leading axis";
  let description = [{
    A part [6, 8] becomes [2, 3, 8] and [2, 6, 4]:

        #moe.split<axis = 0, count = 2, #moe.checkpoint<"a">>
        #moe.split<axis = 1, count = 2, #moe.checkpoint<"a">>

    A count of 1 only adds the axis. Ranges end on block edges of the scheme.
  }];
  let parameters = (ins "int64_t":$axis, "int64_t":$count, "::mlir::Attribute":$part);
  let assemblyFormat = "`<` `axis` `=` $axis `,` `count` `=` $count `,` $part `>`";
  let genVerifyDecl = 1;
}

def Moe_RopeTableAttr : Moe_Attr<"RopeTable", "rope_table"> {
  let summary = "cos and sin of a rope, [positions, dim] f32: dim/2 cosines, then dim/2 sines";
  let parameters = (ins "::moec::moe::RopeAttr":$rope, "int64_t":$positions);
  let assemblyFormat = "`<` $rope `,` $positions `>`";
  let genVerifyDecl = 1;
}

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

class Moe_Type<string name, string typeMnemonic> : TypeDef<Moe_Dialect, name> {
  let mnemonic = typeMnemonic;
}

def Moe_QTensorType : Moe_Type<"QTensor", "qtensor"> {
  let summary = "a quantized tensor: codes and scales as one value";
  let description = [{
        !moe.qtensor<256x128xf8E4M3FN, block = [128, 128], scale = f32>
        !moe.qtensor<?x128xf8E4M3FN, block = [1, 128], scale = f32>
  }];
  let parameters = (ins ArrayRefParameter<"int64_t">:$shape,
                        "::moec::moe::QuantSchemeAttr":$scheme);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// The tensor of codes, e.g. tensor<256x128xf8E4M3FN>.
    ::mlir::RankedTensorType getCodesType();
    /// The tensor of scales, e.g. tensor<2x1xf32>; edge blocks are counted.
    ::mlir::RankedTensorType getScalesType();
  }];
}

def Moe_CacheType : Moe_Type<"Cache", "cache"> {
  let summary = "the paged key-value cache of one layer";
  let description = [{
    Rows of `width` elements in pages of `page` rows, found through a block table:
    `!moe.cache<576xf32, page = 64>`. A quantized row has an element type that says how its first columns are
    stored; those behind them are bf16 (CacheRow.h):
    `!moe.cache<576x!moe.qtensor<1x512xf8E4M3FN, block = [1, 128], scale = f32>, page = 64>`.
  }];
  let parameters = (ins "int64_t":$width, "::mlir::Type":$elementType, "int64_t":$page);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
}

//===----------------------------------------------------------------------===//
// Type constraints
//===----------------------------------------------------------------------===//

def Moe_FloatTensor : RankedTensorOf<[F32, BF16, F16]>;
def Moe_QTensor : Type<CPred<"::llvm::isa<::moec::moe::QTensorType>($_self)">, "quantized tensor",
                       "::moec::moe::QTensorType">;
def Moe_Tensor : AnyTypeOf<[Moe_FloatTensor, Moe_QTensor], "float or quantized tensor">;
def Moe_IntTensor : RankedTensorOf<[I32]>;

// Only axis 0 of an activation may be dynamic; a weight is static.
class Moe_HasAxes<int axes, int firstStatic>
    : CPred<"::moec::moe::hasAxes($_self, " # axes # ", " # firstStatic # ")">;
class Moe_Shaped<Type type, int axes, int firstStatic, string summary>
    : ConfinedType<type, [Moe_HasAxes<axes, firstStatic>], summary, type.cppType>;

def Moe_Rows : Moe_Shaped<Moe_FloatTensor, 2, 1, "float tensor [rows, static columns]">;
def Moe_AnyRows : Moe_Shaped<Moe_Tensor, 2, 1, "float or quantized tensor [rows, static columns]">;
def Moe_QRows : Moe_Shaped<Moe_QTensor, 2, 1, "quantized tensor [rows, static columns]">;
def Moe_Vector : Moe_Shaped<Moe_FloatTensor, 1, 0, "static float tensor with one axis">;
def Moe_Table : Moe_Shaped<Moe_FloatTensor, 2, 0, "static float tensor with two axes">;
def Moe_Matrix : Moe_Shaped<Moe_Tensor, 2, 0, "static float or quantized tensor with two axes">;
def Moe_Matrices : Moe_Shaped<Moe_Tensor, 3, 0, "static float or quantized tensor with three axes">;
def Moe_Ints : Moe_Shaped<Moe_IntTensor, 1, 1, "i32 tensor with one axis">;
def Moe_IntRows : Moe_Shaped<Moe_IntTensor, 2, 1, "i32 tensor [rows, static columns]">;
def Moe_BlockTable : Moe_Shaped<Moe_IntTensor, 2, 2, "i32 tensor [sequences, pages]">;
def Moe_Offsets : Moe_Shaped<Moe_IntTensor, 1, 0, "static i32 tensor with one axis">;

def Moe_Cache : Type<CPred<"::llvm::isa<::moec::moe::CacheType>($_self)">, "key-value cache",
                     "::moec::moe::CacheType">;

#endif // MOEC_DIALECTS_MOE_DIALECT_TD
