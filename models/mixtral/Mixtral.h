// Mixtral 8x7B and 8x22B.
#pragma once

#include "frontend/decoder/Decoder.h"

namespace moec::models::mixtral {

llvm::Expected<frontend::Decoder> describe(const frontend::Json &json, llvm::StringRef file);

} // namespace moec::models::mixtral
