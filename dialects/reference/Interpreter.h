// Runs functions and kernels of moe ops in double precision: the meaning of a
// program. One plain implementation an op, see Scope.h.
//
// Values of type f32 are kept in double, so that a rewrite that is exact on
// paper shows errors near 1e-15. A value whose type is bf16 or f16 is rounded to
// it, for there the storage is a choice of the model.
#pragma once

#include "dialects/kern/KernDialect.h"
#include "dialects/reference/Weights.h"

#include "mlir/IR/BuiltinOps.h"

#include <functional>

namespace moec::reference {

using Values = std::vector<ValuePtr>;

class Interpreter {
public:
  /// Weights are taken from `weights`, which outlives the interpreter.
  Interpreter(mlir::ModuleOp module, WeightStore &weights) : module(module), weights(weights) {}

  /// The results of a func.func or a kern.kernel. Fails when the arguments do not fit its type,
  /// an index is out of range, or it holds an op that is not of moe or kern.
  llvm::Expected<Values> run(mlir::FunctionOpInterface function, const Values &arguments);
  llvm::Expected<Values> run(llvm::StringRef function, const Values &arguments);

  /// Called after each moe op with its results, e.g. to print them.
  std::function<void(mlir::Operation *, const Values &)> observer;

private:
  llvm::Expected<Values> runBlock(mlir::Block &block, class Scope &scope);
  llvm::Expected<Values> runOp(mlir::Operation &op, class Scope &scope);
  llvm::Expected<Values> evaluateMoe(mlir::Operation &op, class Scope &scope);

  mlir::ModuleOp module;
  WeightStore &weights;
};

/// Fails unless the value is of the type's kind and shape (dynamic sizes fit any).
llvm::Error checkFits(mlir::Type type, const Value &value);

} // namespace moec::reference
