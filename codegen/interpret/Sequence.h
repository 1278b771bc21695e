// One sequence of tokens run through an imported model by the reference
// interpreter: positions, block table and caches are kept here.
#pragma once

#include "dialects/reference/Interpreter.h"

namespace moec::interpret {

class Sequence {
public:
  /// Room for `capacity` tokens. `entry` is a function with `moe.input` attributes on
  /// its arguments: @forward, @prefill, @decode or @mtp.
  static llvm::Expected<Sequence> create(mlir::ModuleOp module, reference::WeightStore &weights,
                                         llvm::StringRef entry, int64_t capacity);

  /// Runs the next tokens; logits [tokens, vocab]. `hidden` [tokens, H] is for
  /// an entry that asks for it.
  llvm::Expected<reference::Tensor> step(llvm::ArrayRef<int32_t> tokens,
                                         const reference::Tensor *hidden = nullptr);

  /// As Interpreter::observer.
  std::function<void(mlir::Operation *, const reference::Values &)> observer;

private:
  Sequence(mlir::ModuleOp module, reference::WeightStore &weights, mlir::FunctionOpInterface entry,
           int64_t capacity)
      : module(module), weights(weights), entry(entry), capacity(capacity) {}
  llvm::Error addCaches();
  llvm::Expected<reference::ValuePtr> makeInput(unsigned argument, llvm::ArrayRef<int32_t> tokens,
                                                const reference::Tensor *hidden);

  mlir::ModuleOp module;
  reference::WeightStore &weights;
  mlir::FunctionOpInterface entry;
  int64_t capacity;
  int64_t length = 0; // tokens so far
  int64_t pages = 0;
  reference::Values caches;
};

} // namespace moec::interpret
