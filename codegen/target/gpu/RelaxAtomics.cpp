#include "codegen/target/gpu/RelaxAtomics.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;

void moec::codegen::relaxSharedAtomics(ModuleOp module, unsigned space, llvm::StringRef block) {
  module.walk([&](LLVM::AtomicRMWOp op) {
    if (cast<LLVM::LLVMPointerType>(op.getPtr().getType()).getAddressSpace() != space)
      return;
    op.setOrdering(LLVM::AtomicOrdering::monotonic);
    op.setSyncscope(block);
  });
}
