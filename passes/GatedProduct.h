// What fuse-grouped-swiglu and fuse-matmul-swiglu share.
#pragma once

#include "dialects/kern/TargetModel.h"
#include "passes/Fusion.h"

namespace moec::passes {

/// Puts `swiglu`, the one product that both of its operands are slices of, these slices and the
/// quantization of the result into a group. Products of another class than `Product` are
/// another pass's.
template <typename Product>
void fuseGatedProduct(moe::SwigluOp swiglu, kern::Hero hero, const kern::TargetModel &target,
                      llvm::StringRef pass);

} // namespace moec::passes
