// Second stage of the chat template: tokens to a tree. Constructs outside of
// the supported subset are refused by name and line; depth is bounded.
#pragma once

#include "runtime/text/TemplateAst.h"

#include <string_view>

namespace moec::rt::text {

Body parseTemplate(std::string_view source);

} // namespace moec::rt::text
