// What all ops of the moe dialect are made from.
#ifndef MOEC_DIALECTS_MOE_OP_BASE_TD
#define MOEC_DIALECTS_MOE_OP_BASE_TD

include "dialects/moe/MoeDialect.td"
include "dialects/moe/MoeInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

class Moe_Op<string mnemonic, list<Trait> traits = []> : Op<Moe_Dialect, mnemonic, traits> {
  let hasVerifier = 1;
}

// A pure computation; what every op but `moe.weight` is. The element type of a float result is what the values are
// rounded to, once, to nearest even: all who read the result read rounded values.
class Moe_ComputeOp<string mnemonic, list<string> rowMethods = [], list<Trait> traits = []>
    : Moe_Op<mnemonic, !listconcat(traits, [Pure,
        DeclareOpInterfaceMethods<Moe_RowsInterface, rowMethods>,
        DeclareOpInterfaceMethods<Moe_CostInterface>])> {
  let assemblyFormat = "operands attr-dict `:` functional-type(operands, results)";
}

#endif // MOEC_DIALECTS_MOE_OP_BASE_TD
