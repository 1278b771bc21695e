// Files and small tokenizers that the tests of runtime/text share.
#pragma once

#include "runtime/text/TextError.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace moec::rt::text::test {

using Json = nlohmann::json;

// A file of the source tree, by its path from the root.
std::string readSourceFile(const std::string &path);
// The same, unpacked, for a file.xz.
std::string readSourceXz(const std::string &path);

// A whole tokenizer.json whose vocabulary is the 256 bytes (ids 0 to 255, by
// byte) and then the results of `merges`, in order.
Json tinyTokenizer(const std::vector<std::pair<std::string, std::string>> &merges = {});

// An entry of "added_tokens".
Json addedToken(int id, const std::string &content, bool special, bool normalized = false);

// Runs `f` and returns what its TextError says; fails if it throws none.
template <typename F> std::string errorOf(F f) {
  try {
    f();
  } catch (const TextError &error) {
    return error.what();
  }
  ADD_FAILURE() << "expected a TextError";
  return "";
}

// EXPECT that `text` holds `part`, showing both.
void expectHas(const std::string &text, const std::string &part);

} // namespace moec::rt::text::test
