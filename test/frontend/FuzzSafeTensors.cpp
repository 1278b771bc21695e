// Any bytes are either refused or give tensors that lie inside the file.
#include "frontend/safetensors/SafeTensors.h"

using namespace moec::frontend;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  llvm::ArrayRef<uint8_t> file(data, size);
  auto header = SafeTensorsHeader::parse(file, "fuzz");
  if (!header) {
    llvm::consumeError(header.takeError());
    return 0;
  }
  for (const TensorInfo &tensor : header->tensors)
    if (header->dataStart + tensor.end > size ||
        byteSizeOf(tensor.dtype, tensor.shape) != tensor.byteSize())
      __builtin_trap();
  return 0;
}
