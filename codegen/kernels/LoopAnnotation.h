// What the compilers behind us are told about a loop.
#pragma once

#include "mlir/IR/BuiltinOps.h"

namespace moec::codegen {

/// The scf.for with these results is not to be unrolled: neither by LLVM nor, on NVIDIA, by ptxas.
void keepRolled(mlir::ValueRange results);

/// Behind the conversion to the LLVM dialect: SCFToControlFlow leaves what was said of a loop on
/// its back edge, but what translates that to LLVM IR reads the branch's own attribute only.
void annotateBackEdges(mlir::ModuleOp module);

} // namespace moec::codegen
