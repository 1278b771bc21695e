// Which programs share kernels.
#pragma once

#include "llvm/ADT/StringRef.h"

namespace moec::passes {

/// Module attribute, array<i64>: the largest row counts of classes of matrix kernels (those by head
/// among them), ascending; beyond the last is one more class. Programs share a kernel only when
/// their bounds on its rows fall into one class: some targets compute few rows in another way than
/// many. Attention has three classes then: up to 8 tokens, 256 and more. Without the attribute all
/// alike kernels are shared.
inline constexpr llvm::StringLiteral kRowClassesAttr = "kern.row_classes";

} // namespace moec::passes
