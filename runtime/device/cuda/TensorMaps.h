// Tensor maps of a launch, once its addresses are known.
#pragma once

#include "runtime/device/Device.h"
#include "runtime/device/cuda/CudaApi.h"

namespace moec::rt::cuda {

/// The map of `program`'s argument `buffer`. `what` names kernel, launch and
/// map in the error when the driver refuses it.
TensorMap encodeTensorMap(const fb::TensorMap &map, const fb::Program &program, BufferView buffer,
                          const std::string &what);

} // namespace moec::rt::cuda
