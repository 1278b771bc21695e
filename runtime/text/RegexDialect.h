// Tokenizer files write their patterns for Oniguruma (Ruby syntax); we match
// with PCRE2. The two agree on most of what such patterns use. This file
// rewrites the known differences and refuses every construct that it does not
// know to mean the same in both.
#pragma once

#include <string>
#include <string_view>

namespace moec::rt::text {

// The PCRE2 spelling of an Oniguruma pattern. `where` names it in errors.
std::string pcre2FromOniguruma(std::string_view pattern, const std::string &where);

} // namespace moec::rt::text
