// Llama 2, 3 and 3.x, and the DeepSeek-R1 distillations into them.
#pragma once

#include "frontend/decoder/Decoder.h"

namespace moec::models::llama {

llvm::Expected<frontend::Decoder> describe(const frontend::Json &json, llvm::StringRef file);

} // namespace moec::models::llama
