#include "codegen/kernels/LoopAnnotation.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;

static constexpr llvm::StringLiteral kLoopAnnotation = "llvm.loop_annotation";

void moec::codegen::keepRolled(ValueRange results) {
  Operation *loop = results.front().getDefiningOp();
  Builder b(loop->getContext());
  auto unroll = LLVM::LoopUnrollAttr::get(b.getContext(), /*disable=*/b.getBoolAttr(true), {}, {},
                                          {}, {}, {}, {});
  auto annotation = LLVM::LoopAnnotationAttr::get(b.getContext(), {}, {}, {}, unroll, {}, {}, {},
                                                  {}, {}, {}, {}, {}, {}, {}, {});
  loop->setAttr(kLoopAnnotation, annotation);
}

void moec::codegen::annotateBackEdges(ModuleOp module) {
  module.walk([](LLVM::BrOp edge) {
    if (auto loop = edge->getAttrOfType<LLVM::LoopAnnotationAttr>(kLoopAnnotation))
      edge.setLoopAnnotationAttr(loop);
    edge->removeDiscardableAttr(kLoopAnnotation);
  });
}
