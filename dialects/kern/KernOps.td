// The kern dialect: which ops run as one kernel, with which schedule.
#ifndef MOEC_DIALECTS_KERN_OPS_TD
#define MOEC_DIALECTS_KERN_OPS_TD

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpBase.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/FunctionInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Kern_Dialect : Dialect {
  let name = "kern";
  let cppNamespace = "::moec::kern";
  let summary = "which ops run as one kernel, with which schedule";
  let description = [{
    A `kern.group` is a region of moe ops that becomes one launch; fusing is
    moving an op into a group. Outlining turns each group into a `kern.kernel`, which
    keeps the body as the specification of the kernel, and a `kern.launch`.
  }];
  let dependentDialects = ["::moec::moe::MoeDialect"];
  let useDefaultAttributePrinterParser = 1;
}

class Kern_Attr<string name, string attrMnemonic> : AttrDef<Kern_Dialect, name> {
  let mnemonic = attrMnemonic;
}
class Kern_Op<string mnemonic, list<Trait> traits = []> : Op<Kern_Dialect, mnemonic, traits>;

def Kern_Hero : I32EnumAttr<"Hero", "the op that decides a kernel's main loop", [
  I32EnumAttrCase<"Pointwise", 0, "pointwise">,
  I32EnumAttrCase<"Rows", 1, "rows">,
  I32EnumAttrCase<"Matmul", 2, "matmul">,
  I32EnumAttrCase<"GroupedMatmul", 3, "grouped_matmul">,
  I32EnumAttrCase<"HeadMatmul", 4, "head_matmul">,
  I32EnumAttrCase<"Attention", 5, "attention">,
  I32EnumAttrCase<"Routing", 6, "routing">,
  I32EnumAttrCase<"Permutation", 7, "permutation">]> {
  let cppNamespace = "::moec::kern";
  let genSpecializedAttr = 0;
}
def Kern_HeroAttr : EnumAttr<Kern_Dialect, Kern_Hero, "hero"> {
  let assemblyFormat = "`<` $value `>`";
}

def Kern_Dim : I32EnumAttr<"Dim", "a run-time size", [
  I32EnumAttrCase<"One", 0, "one">,
  I32EnumAttrCase<"Tokens", 1, "tokens">,
  I32EnumAttrCase<"Sequences", 2, "sequences">,
  I32EnumAttrCase<"OutputRows", 3, "output_rows">]> {
  let cppNamespace = "::moec::kern";
  let genSpecializedAttr = 0;
}

def Kern_RowsAttr : Kern_Attr<"Rows", "rows"> {
  let summary = "a row count: a run-time size times a constant, `#kern.rows<tokens * 8>`";
  let parameters = (ins EnumParameter<Kern_Dim>:$dim, "int64_t":$multiplier);
  let assemblyFormat = "`<` $dim `*` $multiplier `>`";
  let genVerifyDecl = 1;
}

def Kern_ScheduleAttr : Kern_Attr<"Schedule", "schedule"> {
  let summary = "how a kernel is computed: sizes the target's emitter understands";
  let description = [{
    A dictionary of integers, e.g. `#kern.schedule<{column_tile = 64, row_tile = 4, vector = 16}>`.
    The candidates and their legality come from the target.
  }];
  let parameters = (ins "::mlir::DictionaryAttr":$sizes);
  let assemblyFormat = "`<` $sizes `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// The size named `name`, or `otherwise` when absent.
    int64_t get(::llvm::StringRef name, int64_t otherwise = 0) const;
  }];
}

def Kern_GridAttr : Kern_Attr<"Grid", "grid"> {
  let summary = "tile count: factor * min(cap, ceildiv(dim * multiplier, divisor))";
  let description = "`cap` 0 means no cap.";
  let parameters = (ins EnumParameter<Kern_Dim>:$dim, DefaultValuedParameter<"int64_t", "1">:$multiplier,
                        DefaultValuedParameter<"int64_t", "1">:$divisor,
                        DefaultValuedParameter<"int64_t", "0">:$cap,
                        DefaultValuedParameter<"int64_t", "1">:$factor);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
}

def Kern_BoundsAttr : Kern_Attr<"Bounds", "bounds"> {
  let summary = "the largest run-time sizes of a function, the attribute `kern.bounds`";
  let description = [{
    `#kern.bounds<tokens = 16, sequences = 16, output_rows = 16, context_length = 4096>`: a token bucket. `context_length` is the longest
    context of a sequence, the step's own tokens included.
  }];
  let parameters = (ins "int64_t":$tokens, "int64_t":$sequences, "int64_t":$output_rows,
                        "int64_t":$context_length);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// Indexed by Dim.
    std::array<uint64_t, 4> getSizes() const;
  }];
}

def Kern_GroupOp : Kern_Op<"group", [SingleBlockImplicitTerminator<"YieldOp">, RecursiveMemoryEffects]> {
  let summary = "ops that run as one kernel";
  let description = [{
    Captures values from above; ops in the region are moe ops. `label` names the place in the model
    for people.

        %y = kern.group hero<matmul> {
          %0 = moe.linear %x, %w : ...
          kern.yield %0 : tensor<?x64xf32>
        } : tensor<?x64xf32>
  }];
  let arguments = (ins OptionalAttr<Kern_HeroAttr>:$hero, OptionalAttr<Kern_ScheduleAttr>:$schedule,
                       OptionalAttr<StrAttr>:$label);
  let results = (outs Variadic<AnyType>:$results);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    (`hero` $hero^)? (`schedule` `` $schedule^)? (`label` $label^)? $body attr-dict (`:` type($results)^)?
  }];
  let hasVerifier = 1;
}

def Kern_KernelOp : Kern_Op<"kernel", [IsolatedFromAbove, Symbol, FunctionOpInterface,
                                       SingleBlockImplicitTerminator<"YieldOp">]> {
  let summary = "an outlined group: the specification of one kernel";
  let description = [{
    Block arguments are the buffers read (weights, tables and caches too), results the buffers
    written. For each argument and each result: `rows` says how many rows it has (`#kern.rows`, unit attribute when
    static), `row_strides` the distance between rows in elements (0 for values that have no rows).
    Alike kernels (body, schedule, rows, strides) are one symbol.

    A schedule with `counters = n` gives the tiles n counters in common, i32, zero when the kernel starts and when it
    ends: a tile that finds that it is the last of its rows can go on with what needs whole rows. `scratch = n` gives
    them n bytes in common, of the launch's own, undefined when it starts.

    `settled` lists arguments that are there when the kernel begins, even when the launch before has not ended: a kernel
    that begins early need not wait for them.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, TypeAttrOf<FunctionType>:$function_type,
                       OptionalAttr<DictArrayAttr>:$arg_attrs, OptionalAttr<DictArrayAttr>:$res_attrs,
                       Kern_HeroAttr:$hero, OptionalAttr<Kern_ScheduleAttr>:$schedule,
                       ArrayAttr:$rows, DenseI64ArrayAttr:$row_strides,
                       OptionalAttr<DenseI64ArrayAttr>:$settled);
  let regions = (region SizedRegion<1>:$body);
  let hasCustomAssemblyFormat = 1;
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    ::llvm::ArrayRef<::mlir::Type> getArgumentTypes() { return getFunctionType().getInputs(); }
    ::llvm::ArrayRef<::mlir::Type> getResultTypes() { return getFunctionType().getResults(); }
    ::mlir::Region *getCallableRegion() { return &getBody(); }
    /// The values that the kernel returns.
    ::mlir::OperandRange getYielded();
    /// Counters that its tiles share, as its schedule says: one more buffer, after the results.
    int64_t getNumCounters();
    /// Bytes of memory that its tiles share during a launch, as its schedule says: the last buffer.
    int64_t getScratchBytes();
    /// Whether `argument` is there before the launch before has ended.
    bool isSettled(unsigned argument);
  }];
}

def Kern_LaunchOp : Kern_Op<"launch", [DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "run a kernel";
  let arguments = (ins FlatSymbolRefAttr:$kernel, Variadic<AnyType>:$arguments, OptionalAttr<StrAttr>:$label);
  let results = (outs Variadic<AnyType>:$results);
  let assemblyFormat = "$kernel `(` $arguments `)` (`label` $label^)? attr-dict `:` functional-type($arguments, $results)";
}

def Kern_YieldOp : Kern_Op<"yield", [Pure, Terminator, ParentOneOf<["GroupOp", "KernelOp"]>]> {
  let summary = "the results of a group or kernel";
  let arguments = (ins Variadic<AnyType>:$values);
  let assemblyFormat = "attr-dict ($values^ `:` type($values))?";
  let builders = [OpBuilder<(ins), [{ build($_builder, $_state, ::mlir::ValueRange{}); }]>];
}

#endif // MOEC_DIALECTS_KERN_OPS_TD
