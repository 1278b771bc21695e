// The four lanes of a quad hold, after a warpgroup product, two neighbouring columns of each block
// of eight. They exchange them so that each lane has whole blocks, which leave with 16-byte stores.
#pragma once

#include "codegen/target/nvidia/hopper/Instructions.h"

namespace moec::hopper {

/// Lane q of a quad gives items[0 .. 3] (i32) and gets, from lane p of its quad, that lane's
/// items[q] as [p].
Values transposeQuad(Builder &b, const Int &lane, mlir::ValueRange items);

/// The largest of `value` (f32) over the lanes of a quad.
Value maxOverQuad(Builder &b, Value value);

} // namespace moec::hopper
