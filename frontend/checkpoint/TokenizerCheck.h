// Whether a tokenizer.json fits a model: every id that it can give must be a
// row of the embedding. (A vocabulary larger than the tokenizer's is padding.)
#pragma once

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

namespace moec::frontend {

/// `text` is tokenizer.json; `where` names it in messages.
llvm::Error checkTokenizer(llvm::StringRef text, llvm::StringRef where, int64_t vocabSize);

} // namespace moec::frontend
