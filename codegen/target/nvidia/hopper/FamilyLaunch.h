// How a finished kernel is launched, in the terms in which all targets say it.
#pragma once

#include "codegen/target/gpu/WholeKernel.h"
#include "codegen/target/nvidia/hopper/KernelFrame.h"

namespace moec::codegen {

LaunchShape getLaunchShape(const hopper::KernelFrame &frame);

} // namespace moec::codegen
