#include "models/kimi_k2/KimiK2.h"
#include "models/deepseek_v3/DeepseekV3.h"

llvm::Expected<moec::frontend::Decoder> moec::models::kimi_k2::describe(const frontend::Json &json,
                                                                        llvm::StringRef file) {
  return deepseek_v3::describe(json, file, "kimi_k2");
}
