// DeepSeek-V2, -V2-Lite and DeepSeek-Coder-V2.
#pragma once

#include "frontend/decoder/Decoder.h"

namespace moec::models::deepseek_v2 {

llvm::Expected<frontend::Decoder> describe(const frontend::Json &json, llvm::StringRef file);

} // namespace moec::models::deepseek_v2
