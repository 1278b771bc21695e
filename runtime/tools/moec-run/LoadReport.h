// What a person sees of loading: a progress line on a terminal, and what it
// took under --verbose. All on standard error.
#pragma once

#include "runtime/core/Model.h"

namespace moec::rt {

/// Writes "loading weights 12.3 / 40.1 GB" over itself; empty when standard
/// error is no terminal.
LoadProgress loadProgress();

/// The device, the bytes and seconds of the weights, and the recorded programs.
void reportLoad(const Model &model);

} // namespace moec::rt
