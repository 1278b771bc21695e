// JSON text into nlohmann's values, stricter than nlohmann's own parser: a name
// given twice in one object, nesting past 64 levels, and text after the value
// are errors, because each is read differently by different programs.
#pragma once

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <nlohmann/json.hpp>

namespace moec::frontend {

using Json = nlohmann::json;

/// `where` names the file in messages.
llvm::Expected<Json> parseJson(llvm::StringRef text, llvm::StringRef where);

/// "a string", "an integer", ... for messages.
std::string kindOf(const Json &value);

/// The value as it would stand in a file, cut when long.
std::string shortText(const Json &value);

} // namespace moec::frontend
