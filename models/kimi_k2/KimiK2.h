// Kimi K2: DeepSeek-V3 in other numbers.
#pragma once

#include "frontend/decoder/Decoder.h"

namespace moec::models::kimi_k2 {

llvm::Expected<frontend::Decoder> describe(const frontend::Json &json, llvm::StringRef file);

} // namespace moec::models::kimi_k2
