// The "normalizer" of a tokenizer.json: how text between raw added tokens is
// rewritten before it is cut into words. Unicode's normal forms (utf8proc) and
// the two replacements of SentencePiece vocabularies.
#pragma once

#include "runtime/text/JsonView.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace moec::rt::text {

class Normalizer {
public:
  // Null, one normalizer, or a Sequence of them.
  static Normalizer fromJson(const JsonView &normalizer);

  bool isIdentity() const { return steps.empty(); }
  // `text` is valid UTF-8, and so is the result.
  std::string apply(std::string_view text) const;

private:
  struct Step {
    enum Kind { NormalForm, Prepend, Replace } kind;
    int options = 0;      // NormalForm: utf8proc's
    std::string from, to; // Replace; Prepend uses `to`
  };
  void add(const JsonView &normalizer);

  std::vector<Step> steps;
};

// Every `from` (not empty) in `text` becomes `to`. Throws TextError if the result
// would pass `maxBytes`.
std::string replaceAll(std::string_view text, std::string_view from, std::string_view to,
                       size_t maxBytes = SIZE_MAX);

// What a tokenizer.json puts in place of other text: bounded in length.
constexpr size_t maxReplacementBytes = 64;
const std::string &replacementString(const JsonView &json);

} // namespace moec::rt::text
