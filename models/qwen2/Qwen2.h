// Qwen2 and Qwen2.5, and the DeepSeek-R1 distillations into them.
#pragma once

#include "frontend/decoder/Decoder.h"

namespace moec::models::qwen2 {

llvm::Expected<frontend::Decoder> describe(const frontend::Json &json, llvm::StringRef file);

} // namespace moec::models::qwen2
