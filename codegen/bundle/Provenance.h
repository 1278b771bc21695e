// What a bundle was made from: the source files' names and hashes. Text files
// are hashed whole. Of a safetensors file the header (names, types, shapes,
// offsets) and the size count: the bytes of the weights themselves are covered
// by the checksums of the bundle's segments, and hashing hundreds of gigabytes
// a second time would double the time of a compilation.
#pragma once

#include "frontend/checkpoint/Checkpoint.h"

namespace moec::bundle {

using KeyValues = std::vector<std::pair<std::string, std::string>>;

/// ("config.json", "xxh3-128:..."), ("model.safetensors", "header
/// xxh3-128:..., N bytes"). Names without folders, so that the same files give
/// the same bundle anywhere.
llvm::Expected<KeyValues> describeSources(const frontend::Checkpoint &checkpoint);

/// The texts that a bundle carries: the config, the tokenizer and its like, as
/// they are. A preset's config is printed anew.
llvm::Expected<KeyValues> listTextFiles(const frontend::Checkpoint &checkpoint);

/// "xxh3-128:" and 32 hexadecimal digits.
std::string hashText(llvm::ArrayRef<uint8_t> bytes);

} // namespace moec::bundle
