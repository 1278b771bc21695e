// The catalogue of passes, in pipeline order. A description says what the pass
// does, what it requires, shows before and after, and says what it refuses.
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
  let options = [Option<"elementType", "type", "std::string", /*default=*/"\"f32\"",
                        "element type: f32 or bf16">];
}

def ExpandExperts : ModulePass<"expand-experts"> {
  let summary = "expand moe.experts into permutation, grouped linears and combination";
}

def QuantizeActivations : ModulePass<"quantize-activations"> {
  let summary = "quantize the inputs of products with FP8 block weights";
  let options = [Option<"mode", "mode", "std::string", /*default=*/"\"from-contract\"",
                        "quantized, exact, or from-contract: what the module's moe.numerics says">];
}

def SplitEntries : ModulePass<"split-entries"> {
  let summary = "make @prefill and @decode of @forward";
  let options = [Option<"keepMtp", "keep-mtp", "bool", /*default=*/"false", "keep @mtp">];
}

def AbsorbLatent : ModulePass<"absorb-latent"> {
  let summary = "absorb the latent up-projection into query and output of attention";
}

def AttachRopeTables : ModulePass<"attach-rope-tables"> {
  let summary = "give ropes their tables of cosines and sines";
  let options = [Option<"maxContext", "max-context", "int64_t", /*default=*/"0",
                        "positions in a table; 0 takes the module's moe.max_context">];
}

def MergeLinears : ModulePass<"merge-linears"> {
  let summary = "join linears that read the same input";
}

def RemoveDeadWeights : ModulePass<"remove-dead-weights"> {
  let summary = "remove weights that nothing reads";
}

//===----------------------------------------------------------------------===//
// kern
//===----------------------------------------------------------------------===//

def FuseResidualNorm : ModulePass<"fuse-residual-norm"> {
  let summary = "put a residual sum, its norm and the norm's quantization into one group";
}

def FuseRopeCacheWrite : ModulePass<"fuse-rope-cache-write"> {
  let summary = "put the making of a cache row and its write into one group";
}

def FuseNormQuantize : ModulePass<"fuse-norm-quantize"> {
  let summary = "put a norm and its quantization into one group";
}

def FuseSwigluQuantize : ModulePass<"fuse-swiglu-quantize"> {
  let summary = "put swiglu and its quantization into one group";
}

def FuseRouter : ModulePass<"fuse-router"> {
  let summary = "put the router's linear and the gate into one group";
}

def GroupRemaining : ModulePass<"group-remaining"> {
  let summary = "give every op left a group of its own";
}

def OutlineKernels : ModulePass<"outline-kernels"> {
  let summary = "turn groups into kernels and launches";
}

def AssignSchedules : ModulePass<"assign-schedules"> {
  let summary = "take a schedule for each kernel from the target";
}

//===----------------------------------------------------------------------===//
// plan
//===----------------------------------------------------------------------===//

def PlanPrograms : ModulePass<"plan-programs"> {
  let summary = "turn entries into programs of buffers and launches";
  let dependentDialects = ["::moec::plan::PlanDialect"];
  let options = [
    Option<"maxContext", "max-context", "int64_t", /*default=*/"0",
           "longest context in tokens; 0 takes the module's moe.max_context">,
    Option<"maxSequences", "max-sequences", "int64_t", /*default=*/"16",
           "most sequences in one step">,
    ListOption<"decodeBuckets", "decode-buckets", "int64_t",
               "token buckets of decode; empty: 1, 2, 4, .. max-sequences">,
    ListOption<"prefillBuckets", "prefill-buckets", "int64_t",
               "token buckets of the other entries, bounded by max-context; empty: 16, 64, 256">];
}

#endif // MOEC_PASSES_TD
