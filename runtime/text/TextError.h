// The one exception of runtime/text. Messages name the file or construct, what
// was found and what is supported, so that a caller can print them as they are.
#pragma once

#include <stdexcept>
#include <string>

namespace moec::rt::text {

class TextError : public std::runtime_error {
public:
  explicit TextError(const std::string &what) : std::runtime_error(what) {}
};

} // namespace moec::rt::text
