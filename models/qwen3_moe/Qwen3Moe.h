// The mixtures of experts of Qwen3.
#pragma once

#include "frontend/decoder/Decoder.h"

namespace moec::models::qwen3_moe {

llvm::Expected<frontend::Decoder> describe(const frontend::Json &json, llvm::StringRef file);

} // namespace moec::models::qwen3_moe
