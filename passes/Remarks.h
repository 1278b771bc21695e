// How passes tell what they did and why not: MLIR remarks in a category named
// as the pass, with the function and the op that they are about.
// `moec-opt --remarks-filter=fuse-router` prints them, `moec compile --remarks` as a table.
#pragma once

#include "mlir/IR/Operation.h"
#include "mlir/IR/Remarks.h"
#include "mlir/Interfaces/FunctionInterfaces.h"

#include <string>

namespace moec::passes {

/// The remark's argument that names the op.
inline constexpr llvm::StringLiteral kRemarkOp = "Op";

/// Category and function of a remark of `pass` about `op`.
inline mlir::remark::RemarkOpts getRemarkOpts(mlir::Operation *op, llvm::StringRef pass) {
  auto function = llvm::dyn_cast<mlir::FunctionOpInterface>(op);
  if (!function)
    function = op->getParentOfType<mlir::FunctionOpInterface>();
  return mlir::remark::RemarkOpts::name(pass).category(pass).function(function ? function.getName()
                                                                               : llvm::StringRef());
}

/// Says that `pass` left `op` alone, and why.
inline void reportRefusal(mlir::Operation *op, llvm::StringRef pass, const std::string &reason) {
  mlir::remark::missed(op->getLoc(), getRemarkOpts(op, pass))
      << mlir::remark::reason("{0}", reason)
      << mlir::remark::metric(kRemarkOp, op->getName().getStringRef());
}

/// Says what `pass` did at `op`.
inline void reportSuccess(mlir::Operation *op, llvm::StringRef pass, const std::string &what) {
  mlir::remark::passed(op->getLoc(), getRemarkOpts(op, pass))
      << mlir::remark::add("{0}", what)
      << mlir::remark::metric(kRemarkOp, op->getName().getStringRef());
}

/// Says what `pass` found at `op` and decided by: a cost, a choice.
inline void reportAnalysis(mlir::Operation *op, llvm::StringRef pass, const std::string &finding) {
  mlir::remark::analysis(op->getLoc(), getRemarkOpts(op, pass))
      << mlir::remark::add("{0}", finding)
      << mlir::remark::metric(kRemarkOp, op->getName().getStringRef());
}

} // namespace moec::passes
