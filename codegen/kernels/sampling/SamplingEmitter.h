// Kernels that choose tokens. They are rows to the passes (hero rows), with
// loops of their own.
#pragma once

#include "codegen/kernels/Emitter.h"

namespace moec::codegen {

/// The family of `kernel` when it holds a sampling op, else null.
const KernelEmitter *findSamplingEmitter(kern::KernelOp kernel);

} // namespace moec::codegen
