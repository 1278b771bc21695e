// How passes tell what they did and why not: MLIR remarks in a category named
// as the pass. `moec-opt --remarks-filter=fuse-router` prints them.
#pragma once

#include "mlir/IR/Operation.h"
#include "mlir/IR/Remarks.h"

#include <string>

namespace moec::passes {

/// Says that `pass` left `op` alone, and why.
inline void reportRefusal(mlir::Operation *op, llvm::StringRef pass, const std::string &reason) {
  mlir::remark::missed(op->getLoc(), mlir::remark::RemarkOpts::name(pass).category(pass))
      << mlir::remark::reason("{0}", reason);
}

/// Says what `pass` did at `op`.
inline void reportSuccess(mlir::Operation *op, llvm::StringRef pass, const std::string &what) {
  mlir::remark::passed(op->getLoc(), mlir::remark::RemarkOpts::name(pass).category(pass))
      << mlir::remark::add("{0}", what);
}

} // namespace moec::passes
