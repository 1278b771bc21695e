// Interfaces of moe ops: what passes may ask of any op without knowing it.
#ifndef MOEC_DIALECTS_MOE_INTERFACES_TD
#define MOEC_DIALECTS_MOE_INTERFACES_TD

include "mlir/IR/OpBase.td"

def Moe_RowsInterface : OpInterface<"RowsInterface"> {
  let cppNamespace = "::moec::moe";
  let description = [{
    How the rows (axis 0) of an op's results depend on its operands. Row counts
    are dynamic; passes use this to follow which of the run-time sizes (tokens,
    sequences, output rows) a value's row count is, and codegen to know whether
    a tile of rows can be computed from the same rows of the operands.
  }];
  let methods = [
    InterfaceMethod<
      "True when row i of every result depends on row i of the row operands only "
      "(weights, tables and caches aside), so that ops can share a tile of rows.",
      "bool", "isRowwise", (ins), "", [{ return true; }]>,
    InterfaceMethod<
      "The operand whose row count result `result` has, times `getRowMultiplier`.",
      "::mlir::Value", "getRowSource", (ins "unsigned":$result), "",
      [{ return $_op->getOperand(0); }]>,
    InterfaceMethod<
      "How many result rows there are for each row of `getRowSource`; 0 when "
      "the result has no rows of its own (static sizes only).",
      "int64_t", "getRowMultiplier", (ins "unsigned":$result), "", [{ return 1; }]>,
  ];
  let verify = "return ::moec::moe::verifyRows($_op);";
}

def Moe_CostInterface : OpInterface<"CostInterface"> {
  let cppNamespace = "::moec::moe";
  let description = [{
    Floating point operations of one call, for the roofline. Bytes follow from
    the types of operands and results (see Cost.h).
  }];
  let methods = [
    InterfaceMethod<
      "Floating point operations (a fused multiply-add counts two) for `rows` rows of "
      "the first result, `context` cached tokens a row, of `sequences` sequences.",
      "uint64_t", "getFlops", (ins "uint64_t":$rows, "uint64_t":$context, "uint64_t":$sequences)>,
  ];
}

#endif // MOEC_DIALECTS_MOE_INTERFACES_TD
