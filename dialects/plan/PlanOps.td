// The plan dialect: the host program, one op per table of the bundle's manifest.
#ifndef MOEC_DIALECTS_PLAN_OPS_TD
#define MOEC_DIALECTS_PLAN_OPS_TD

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpBase.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Plan_Dialect : Dialect {
  let name = "plan";
  let cppNamespace = "::moec::plan";
  let summary = "the host program: buffers, weights, launches";
  let description = [{
    Maps one to one to the bundle's manifest (`runtime/bundle/Bundle.fbs`): a `plan.weight` is a Weight, a
    `plan.program` a Program, a `plan.launch` a Launch, and each buffer op one kind of argument.
  }];
  let dependentDialects = ["::moec::kern::KernDialect"];
  let useDefaultAttributePrinterParser = 1;
  let useDefaultTypePrinterParser = 1;
}

def Plan_Grid : Attr<CPred<"::llvm::isa<::moec::kern::GridAttr>($_self)">, "#kern.grid attribute"> {
  let storageType = "::moec::kern::GridAttr";
  let returnType = "::moec::kern::GridAttr";
  let convertFromStorage = "$_self";
}

class Plan_Op<string mnemonic, list<Trait> traits = []> : Op<Plan_Dialect, mnemonic, traits>;

def Plan_BufferType : TypeDef<Plan_Dialect, "Buffer"> {
  let mnemonic = "buffer";
  let summary = "an address that a kernel is given";
}

def Plan_InputKind : I32EnumAttr<"InputKind", "an input of an entry", [
  I32EnumAttrCase<"TokenIds", 0, "token_ids">,
  I32EnumAttrCase<"Positions", 1, "positions">,
  I32EnumAttrCase<"SequenceIds", 2, "sequence_ids">,
  I32EnumAttrCase<"BlockTable", 3, "block_table">,
  I32EnumAttrCase<"OutputRows", 4, "output_rows">,
  I32EnumAttrCase<"Sampling", 5, "sampling">]> {
  let cppNamespace = "::moec::plan";
  let genSpecializedAttr = 0;
}
def Plan_InputKindAttr : EnumAttr<Plan_Dialect, Plan_InputKind, "input_kind">;

def Plan_PartKind : I32EnumAttr<"Part", "which buffer of a weight", [
  I32EnumAttrCase<"Values", 0, "values">,
  I32EnumAttrCase<"Scales", 1, "scales">]> {
  let cppNamespace = "::moec::plan";
  let genSpecializedAttr = 0;
}
def Plan_PartAttr : EnumAttr<Plan_Dialect, Plan_PartKind, "part">;

def Plan_WeightOp : Plan_Op<"weight", [Symbol, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "one buffer of a weight, as the bundle stores it";
  let description = "`source` is the moe.weight; a quantized weight is two of these, values and scales.";
  let arguments = (ins SymbolNameAttr:$sym_name, FlatSymbolRefAttr:$source, Plan_PartAttr:$part,
                       TypeAttr:$type);
  let assemblyFormat = "$sym_name `:` $type `of` $source $part attr-dict";
}

def Plan_ProgramOp : Plan_Op<"program", [Symbol, IsolatedFromAbove, NoTerminator, SingleBlock]> {
  let summary = "the launches of an entry for one token bucket";
  let arguments = (ins SymbolNameAttr:$sym_name, StrAttr:$entry, I64Attr:$max_tokens,
                       I64Attr:$max_sequences, I64Attr:$max_output_rows, I64Attr:$arena_bytes);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    $sym_name `entry` $entry `tokens` $max_tokens `sequences` $max_sequences
    `output_rows` $max_output_rows `arena` $arena_bytes $body attr-dict
  }];
  let hasVerifier = 1;
}

class Plan_BufferOp<string mnemonic, list<Trait> traits = []> : Plan_Op<mnemonic, !listconcat(traits, [Pure])> {
  let results = (outs Plan_BufferType:$buffer);
}

def Plan_ArenaOp : Plan_BufferOp<"arena"> {
  let summary = "a range of the program's arena";
  let arguments = (ins I64Attr:$offset, I64Attr:$bytes, OptionalAttr<StrAttr>:$label);
  let assemblyFormat = "$offset `bytes` $bytes ($label^)? attr-dict";
  let hasVerifier = 1;
}

def Plan_WeightRefOp : Plan_BufferOp<"weight_ref", [DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "a weight buffer";
  let arguments = (ins FlatSymbolRefAttr:$weight);
  let assemblyFormat = "$weight attr-dict";
}

def Plan_InputOp : Plan_BufferOp<"input"> {
  let summary = "an input of the entry";
  let arguments = (ins Plan_InputKindAttr:$kind);
  let assemblyFormat = "$kind attr-dict";
}

def Plan_OutputOp : Plan_BufferOp<"output"> {
  let summary = "output `index` of the entries (0: logits, 1: tokens)";
  let arguments = (ins I64Attr:$index, I64Attr:$bytes);
  let assemblyFormat = "$index `bytes` $bytes attr-dict";
  let hasVerifier = 1;
}

def Plan_CacheOp : Plan_BufferOp<"cache"> {
  let summary = "the key-value cache of a layer";
  let arguments = (ins I64Attr:$layer);
  let assemblyFormat = "$layer attr-dict";
  let hasVerifier = 1;
}

def Plan_CountersOp : Plan_BufferOp<"counters"> {
  let summary = "i32 zeros that the tiles of a launch count in, and leave zero";
  let description = "All launches share them, since launches run one after another.";
  let arguments = (ins I64Attr:$bytes);
  let assemblyFormat = "`bytes` $bytes attr-dict";
  let hasVerifier = 1;
}

def Plan_LaunchOp : Plan_Op<"launch", [DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "run a kernel over a grid of tiles";
  let description = [{
    Buffers in the order of the kernel ABI (docs/contracts.md). `bytes` and `flops` are what the launch
    must move and compute at the program's bounds; `context_bytes` come on top for each cached token of each sequence.
  }];
  let arguments = (ins FlatSymbolRefAttr:$kernel, Variadic<Plan_BufferType>:$buffers, Plan_Grid:$grid,
                       I64Attr:$bytes, DefaultValuedAttr<I64Attr, "0">:$context_bytes,
                       I64Attr:$flops, OptionalAttr<StrAttr>:$label);
  let assemblyFormat = [{
    $kernel `(` $buffers `)` `grid` $grid `bytes` $bytes (`+` $context_bytes^ `per_cached_token`)?
    `flops` $flops (`label` $label^)? attr-dict
  }];
  let hasVerifier = 1;
}

#endif // MOEC_DIALECTS_PLAN_OPS_TD
