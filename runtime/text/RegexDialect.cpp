#include "runtime/text/RegexDialect.h"
#include "runtime/text/TextError.h"

#include <cctype>

namespace moec::rt::text {

namespace {

constexpr size_t maxPatternBytes = 16384;

bool isAsciiAlnum(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; }

class Translator {
public:
  Translator(std::string_view pattern, const std::string &where) : in(pattern), where(where) {}

  std::string run() {
    if (in.size() > maxPatternBytes)
      throw TextError(where + ": pattern of " + std::to_string(in.size()) + " bytes, at most " +
                      std::to_string(maxPatternBytes) + " are supported");
    while (at < in.size()) {
      switch (in[at]) {
      case '\\':
        escape(/*inClass=*/false);
        break;
      case '[':
        charClass();
        break;
      case '(':
        group();
        break;
      case '{':
        interval();
        break;
      default:
        out.push_back(in[at++]);
      }
    }
    return std::move(out);
  }

private:
  [[noreturn]] void refuse(std::string_view construct, const char *why) const {
    throw TextError(where + ": regex construct '" + std::string(construct) + "' at byte " +
                    std::to_string(at) + " " + why);
  }
  [[noreturn]] void refuse(std::string_view construct) const {
    refuse(construct, "is not supported");
  }
  char peek(size_t ahead = 0) const { return at + ahead < in.size() ? in[at + ahead] : '\0'; }
  bool startsWith(std::string_view text) const { return in.substr(at, text.size()) == text; }

  void escape(bool inClass) {
    if (at + 1 >= in.size())
      refuse("\\", "ends the pattern");
    char c = in[at + 1];
    if (!isAsciiAlnum(c)) {
      // A backslash before a character beyond ASCII means nothing in either.
      if (static_cast<unsigned char>(c) < 0x80)
        out.push_back('\\');
      out.push_back(c);
      at += 2;
      return;
    }
    std::string_view spelled = in.substr(at, 2);
    switch (c) {
    case 's': // PCRE2's own \s also holds U+180E
      return replace("\\p{WSpace}");
    case 'S':
      return replace("\\P{WSpace}");
    case 'w': // PCRE2's own \w lacks marks and connectors
      return replace(inClass ? "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}"
                             : "[\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}]");
    case 'W':
      if (inClass)
        refuse(spelled, "inside a character class is not supported");
      return replace("[^\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}]");
    case 'd':
      return replace("\\p{Nd}");
    case 'D':
      return replace("\\P{Nd}");
    case 'v': // vertical tab alone; PCRE2's \v is a class
      return replace("\\x0b");
    case 'r':
    case 'n':
    case 't':
    case 'f':
    case 'a':
    case 'e':
      out.append(spelled);
      at += 2;
      return;
    case 'p':
    case 'P':
      return property();
    case 'x':
    case 'u':
      return hexCode(c);
    default:
      refuse(spelled);
    }
  }

  void replace(const char *text) {
    out.append(text);
    at += 2;
  }

  // \p{L} is the same in both; a script must be asked for as such, since
  // PCRE2's \p{Han} also holds the script's extensions.
  void property() {
    size_t close = in.find('}', at);
    if (peek(2) != '{' || close == std::string_view::npos)
      refuse(in.substr(at, 2), "needs a property name in braces");
    std::string_view name = in.substr(at + 3, close - at - 3);
    for (char c : name)
      if (!isAsciiAlnum(c) && c != '_')
        refuse(in.substr(at, close + 1 - at));
    out.append(in.substr(at, 3));
    if (name.size() > 2)
      out.append("sc:");
    out.append(name);
    out.push_back('}');
    at = close + 1;
  }

  void hexCode(char kind) {
    size_t start = at;
    std::string digits;
    if (kind == 'x' && peek(2) == '{') {
      size_t close = in.find('}', at);
      if (close == std::string_view::npos)
        refuse("\\x{", "has no closing brace");
      digits = in.substr(at + 3, close - at - 3);
      at = close + 1;
    } else {
      size_t count = kind == 'x' ? 2 : 4;
      digits = in.substr(at + 2, count);
      at += 2 + digits.size();
      if (digits.size() != count)
        digits.clear();
    }
    bool good = !digits.empty() && digits.size() <= 6;
    for (char c : digits)
      good = good && std::isxdigit(static_cast<unsigned char>(c));
    if (!good)
      refuse(in.substr(start, at - start), "is no hexadecimal code");
    out.append("\\x{" + digits + "}");
  }

  // [abc], and of intersections [abc&&[def]], which becomes a look ahead.
  void charClass() {
    size_t start = at, written = out.size();
    bool negated = peek(1) == '^';
    classItems(start);
    if (startsWith("&&"))
      return intersection(negated, written);
    out.push_back(in[at++]);
  }

  // At the "&&" of a class whose left side is at the end of `out`.
  void intersection(bool negated, size_t written) {
    if (negated || peek(2) != '[')
      refuseIntersection();
    std::string left = out.substr(written) + "]";
    out.resize(written);
    at += 2;
    classItems(at);
    if (startsWith("&&"))
      refuse("&&", "twice in a character class is not supported");
    std::string right = out.substr(written) + "]";
    out.resize(written);
    ++at;
    if (peek() != ']')
      refuseIntersection();
    ++at;
    out += "(?:(?=" + right + ")" + left + ")";
  }
  [[noreturn]] void refuseIntersection() const {
    refuse("&&", "inside a character class is supported only as [...&&[...]]");
  }

  // From '[' up to the ']' or "&&" that ends the items; `start` for messages.
  void classItems(size_t start) {
    out.push_back(in[at++]);
    if (peek() == '^')
      out.push_back(in[at++]);
    if (peek() == ']')
      refuse("[]", "(an empty class) is not supported");
    while (at < in.size() && in[at] != ']' && !startsWith("&&")) {
      if (in[at] == '[')
        refuse("[", "inside a character class is not supported; escape it");
      if (in[at] == '\\')
        escape(/*inClass=*/true);
      else
        out.push_back(in[at++]);
    }
    if (at == in.size()) {
      at = start;
      refuse("[", "has no closing bracket");
    }
  }

  void group() {
    if (peek(1) == '*')
      refuse("(*");
    if (peek(1) == '?') {
      static constexpr std::string_view known[] = {"(?:",  "(?i:", "(?=", "(?!",
                                                   "(?<=", "(?<!", "(?>"};
      for (std::string_view opening : known)
        if (startsWith(opening)) {
          out.append(opening);
          at += opening.size();
          return;
        }
      refuse(in.substr(at, 3));
    }
    out.push_back(in[at++]);
  }

  // {n}, {n,} and {n,m}; in Ruby a '+' after one repeats it, in PCRE2 it
  // forbids backtracking.
  void interval() {
    size_t close = in.find('}', at);
    std::string_view body =
        close == std::string_view::npos ? std::string_view() : in.substr(at + 1, close - at - 1);
    bool good = !body.empty() && body[0] != ',';
    int commas = 0;
    for (char c : body) {
      commas += c == ',';
      good = good && (c == ',' || std::isdigit(static_cast<unsigned char>(c)));
    }
    if (!good || commas > 1)
      refuse("{", "that is no {n}, {n,} or {n,m} is not supported; escape it");
    if (close + 1 < in.size() && in[close + 1] == '+')
      refuse("}+");
    out.append(in.substr(at, close + 1 - at));
    at = close + 1;
  }

  std::string_view in;
  const std::string &where;
  size_t at = 0;
  std::string out;
};

} // namespace

std::string pcre2FromOniguruma(std::string_view pattern, const std::string &where) {
  return Translator(pattern, where).run();
}

} // namespace moec::rt::text
