#include "frontend/Errors.h"

using namespace llvm;

std::string moec::frontend::printable(StringRef text) {
  constexpr size_t limit = 200;
  std::string out = text.take_front(limit).str();
  for (char &c : out)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      c = '?';
  return text.size() > limit ? out + "..." : out;
}

std::string moec::frontend::shapeString(ArrayRef<int64_t> shape) {
  std::string out = "[";
  for (size_t i = 0; i < shape.size(); ++i)
    out += (i ? ", " : "") + std::to_string(shape[i]);
  return out + "]";
}
