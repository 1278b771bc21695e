// Whether a rewrite of a weight concerns all who read it.
#pragma once

#include "dialects/moe/MoeDialect.h"

#include "mlir/IR/BuiltinOps.h"

namespace moec::passes {

/// How often each weight, by its symbol, is used: the uses of all its params.
inline llvm::DenseMap<mlir::StringAttr, unsigned> countWeightUses(mlir::ModuleOp module) {
  llvm::DenseMap<mlir::StringAttr, unsigned> uses;
  module.walk([&](moe::ParamOp param) {
    uses[param.getWeightAttr().getAttr()] += llvm::range_size(param->getUses());
  });
  return uses;
}

} // namespace moec::passes
