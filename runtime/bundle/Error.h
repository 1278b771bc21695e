// The runtime's one exception type. The C API turns it into a status code and a
// text; the text starts in lower case and names the file, what was found and
// what was expected.
#pragma once

#include <stdexcept>
#include <string>

namespace moec::rt {

enum class ErrorKind {
  Argument, // the caller asked for something impossible
  Bundle,   // the file is damaged, foreign or inconsistent
  Target,   // the bundle is for another machine
  Capacity, // no room: context, batch or cache pages
  Io,       // a file could not be read or written
  Internal  // a broken promise of this library
};

class Error : public std::runtime_error {
public:
  Error(ErrorKind kind, const std::string &text) : std::runtime_error(text), kind(kind) {}
  const ErrorKind kind;
};

/// Joins its arguments into one text: numbers as decimals, bytes as numbers.
template <typename T> void appendText(std::string &out, const T &value) {
  if constexpr (std::is_arithmetic_v<T>)
    out += std::to_string(value);
  else
    out += value;
}
template <typename... Ts> std::string joined(const Ts &...parts) {
  std::string out;
  (appendText(out, parts), ...);
  return out;
}

template <typename... Ts> [[noreturn]] void fail(ErrorKind kind, const Ts &...parts) {
  throw Error(kind, joined(parts...));
}

} // namespace moec::rt
