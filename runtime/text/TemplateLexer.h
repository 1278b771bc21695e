// First stage of the chat template: text with {{ }}, {% %} and {# #} to tokens.
// White space is treated as transformers sets Jinja up: trim_blocks,
// lstrip_blocks, and no line break at the very end.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace moec::rt::text {

struct TemplateToken {
  enum Kind {
    Text,        // outside of tags
    OutputBegin, // {{
    OutputEnd,   // }}
    BlockBegin,  // {%
    BlockEnd,    // %}
    Name,        // also keywords
    String,      // text is the decoded value
    Integer,
    Operator,
    End
  };
  Kind kind;
  std::string text;
  int line; // from 1
};

std::vector<TemplateToken> lexTemplate(std::string_view source);

// Throws TextError "chat template line N: <what>".
[[noreturn]] void templateError(int line, const std::string &what);

} // namespace moec::rt::text
