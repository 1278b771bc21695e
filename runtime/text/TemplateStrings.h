// What a chat template can do with strings, as methods and as filters.
#pragma once

#include "runtime/text/TemplateBuiltins.h"

#include <optional>

namespace moec::rt::text {

// Python's str.strip() with the arguments of `args`.
Value stripText(std::string_view text, const CallArguments &args, TemplateBudget &budget);
// str.upper() / lower(), of ASCII only.
Value changeCase(std::string text, bool upper, const CallArguments &args, TemplateBudget &budget);
// str.replace(from, to).
Value replaceText(const std::string &text, const CallArguments &args, TemplateBudget &budget);

// Nothing if strings have no such method.
std::optional<Value> stringMethod(const std::string &name, const std::string &text,
                                  const CallArguments &args, TemplateBudget &budget);

// str.join(): the items of `input` with `glue` between.
Value joinText(const Value &input, const std::string &glue, const CallArguments &args,
               TemplateBudget &budget);

} // namespace moec::rt::text
