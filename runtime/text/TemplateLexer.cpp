#include "runtime/text/TemplateLexer.h"
#include "runtime/text/TextError.h"
#include "runtime/text/Utf8.h"

#include <algorithm>
#include <cctype>

namespace moec::rt::text {

void templateError(int line, const std::string &what) {
  throw TextError("chat template line " + std::to_string(line) + ": " + what);
}

namespace {

bool isDigit(char c) { return c >= '0' && c <= '9'; }
bool isNameStart(char c) { return std::isalpha(static_cast<unsigned char>(c)) || c == '_'; }

class Lexer {
public:
  explicit Lexer(std::string_view source) : in(source) {}

  std::vector<TemplateToken> run() {
    while (at < in.size()) {
      size_t tag = findTag();
      lexText(tag);
      if (tag == std::string_view::npos)
        break;
      lexTag(tag);
    }
    emit(TemplateToken::End, "");
    return std::move(tokens);
  }

private:
  char peek(size_t ahead = 0) const { return at + ahead < in.size() ? in[at + ahead] : '\0'; }
  void emit(TemplateToken::Kind kind, std::string text) {
    tokens.push_back({kind, std::move(text), line});
  }
  void advanceTo(size_t to) {
    line += int(std::count(in.begin() + at, in.begin() + to, '\n'));
    at = to;
  }

  size_t findTag() const {
    for (size_t i = at; i + 1 < in.size(); ++i)
      if (in[i] == '{' && (in[i + 1] == '{' || in[i + 1] == '%' || in[i + 1] == '#'))
        return i;
    return std::string_view::npos;
  }

  // The text before the tag at `tag`, less what the tag strips.
  void lexText(size_t tag) {
    size_t end = std::min(tag, in.size());
    std::string_view text = in.substr(at, end - at);
    if (tag != std::string_view::npos) {
      char sign = tag + 2 < in.size() ? in[tag + 2] : '\0';
      if (sign == '-')
        text.remove_suffix(runAtEnd(text, isPythonSpace));
      else if (sign != '+' && in[tag + 1] != '{')
        text = withoutIndent(text);
    }
    if (!text.empty())
      emit(TemplateToken::Text, std::string(text));
    advanceTo(end);
  }

  // lstrip_blocks: drops the white space between a line's start and the tag.
  std::string_view withoutIndent(std::string_view text) const {
    size_t newline = text.rfind('\n');
    size_t lineStart = newline == std::string_view::npos ? 0 : newline + 1;
    bool startsLine = newline != std::string_view::npos || at == 0 || in[at - 1] == '\n';
    std::string_view indent = text.substr(lineStart);
    if (startsLine && runAtStart(indent, isPythonSpace) == indent.size())
      return text.substr(0, lineStart);
    return text;
  }

  void lexTag(size_t tag) {
    char kind = in[tag + 1];
    at = tag + 2;
    if (kind == '#')
      return lexComment();
    emit(kind == '{' ? TemplateToken::OutputBegin : TemplateToken::BlockBegin, "");
    if (peek() == '-' || peek() == '+')
      ++at;
    std::string_view close = kind == '{' ? "}}" : "%}";
    braces.clear();
    while (!lexTagEnd(close, kind == '%'))
      lexInside();
  }

  void lexComment() {
    size_t end = in.find("#}", at);
    if (end == std::string_view::npos)
      templateError(line, "comment '{#' has no '#}'");
    char sign = end > at ? in[end - 1] : '\0';
    advanceTo(end + 2);
    afterTag(sign, /*trim=*/true);
  }

  // What a tag's end takes of the text behind it.
  void afterTag(char sign, bool trim) {
    if (sign == '-')
      advanceTo(at + runAtStart(in.substr(at), isPythonSpace));
    else if (trim && sign != '+' && peek() == '\n')
      advanceTo(at + 1);
  }

  bool lexTagEnd(std::string_view close, bool isBlock) {
    advanceTo(at + runAtStart(in.substr(at), isPythonSpace));
    if (at == in.size())
      templateError(line, std::string("tag has no '") + std::string(close) + "'");
    if (!braces.empty())
      return false;
    bool hasSign = (peek() == '-' || (isBlock && peek() == '+')) && in.substr(at + 1, 2) == close;
    if (!hasSign && in.substr(at, 2) != close)
      return false;
    char sign = hasSign ? peek() : '\0';
    emit(isBlock ? TemplateToken::BlockEnd : TemplateToken::OutputEnd, "");
    at += hasSign ? 3 : 2;
    afterTag(sign, isBlock);
    return true;
  }

  void lexInside() {
    char c = peek();
    if (c == '\'' || c == '"')
      return lexString(c);
    size_t end = at;
    if (isNameStart(c)) {
      while (end < in.size() && (isNameStart(in[end]) || isDigit(in[end])))
        ++end;
      emit(TemplateToken::Name, std::string(in.substr(at, end - at)));
    } else if (isDigit(c)) {
      while (end < in.size() && isDigit(in[end]))
        ++end;
      size_t whole = end;
      while (end < in.size() &&
             (isNameStart(in[end]) || isDigit(in[end]) || (end == whole && in[end] == '.')))
        ++end;
      if (end != whole)
        templateError(line, "number '" + std::string(in.substr(at, end - at)) +
                                "' is not supported; only whole decimal "
                                "numbers are");
      emit(TemplateToken::Integer, std::string(in.substr(at, end - at)));
    } else {
      return lexOperator();
    }
    at = end;
  }

  void lexOperator() {
    static constexpr std::string_view known[] = {"==", "!=", "<=", ">=", "//", "**", "+", "-", "*",
                                                 "/",  "%",  "~",  "|",  "(",  ")",  "[", "]", "{",
                                                 "}",  ",",  ".",  ":",  "=",  "<",  ">"};
    for (std::string_view op : known)
      if (in.substr(at, op.size()) == op) {
        balance(op[0]);
        emit(TemplateToken::Operator, std::string(op));
        at += op.size();
        return;
      }
    size_t length = utf8Step(in.substr(at)).length;
    templateError(line, "unexpected character '" + std::string(in.substr(at, length)) + "'");
  }

  void balance(char c) {
    if (c == '(' || c == '[' || c == '{') {
      braces.push_back(c);
    } else if (c == ')' || c == ']' || c == '}') {
      char open = c == ')' ? '(' : c == ']' ? '[' : '{';
      if (braces.empty() || braces.back() != open)
        templateError(line, std::string("unexpected '") + c + "'");
      braces.pop_back();
    }
  }

  void lexString(char quote) {
    std::string value;
    size_t i = at + 1;
    while (i < in.size() && in[i] != quote) {
      if (in[i] == '\\')
        i = lexEscape(i + 1, value);
      else
        value.push_back(in[i++]);
    }
    if (i >= in.size())
      templateError(line, "string has no closing quote");
    emit(TemplateToken::String, std::move(value));
    advanceTo(i + 1);
  }

  // Python's escapes; `i` is behind the backslash. Returns the end.
  size_t lexEscape(size_t i, std::string &value) {
    if (i >= in.size())
      return i;
    static constexpr std::string_view names = "ntrfvab\\'\"";
    static constexpr std::string_view codes = "\n\t\r\f\v\a\b\\'\"";
    char c = in[i];
    if (size_t known = names.find(c); known != std::string_view::npos) {
      value.push_back(codes[known]);
      return i + 1;
    }
    if (c == '\n')
      return i + 1;
    size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    if (digits == 0) {
      if (isDigit(c) || c == 'N')
        templateError(line, std::string("escape '\\") + c + "' is not supported");
      value.push_back('\\'); // as Python: an unknown escape is kept
      return i;
    }
    char32_t code = 0;
    for (size_t k = 1; k <= digits; ++k) {
      if (i + k >= in.size() || !std::isxdigit(static_cast<unsigned char>(in[i + k])))
        templateError(line, std::string("escape '\\") + c + "' needs " + std::to_string(digits) +
                                " hex digits");
      code = code << 4 | char32_t(std::stoi(std::string(1, in[i + k]), nullptr, 16));
    }
    if (code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF))
      templateError(line, std::string("escape '\\") + c + "' names no character");
    appendUtf8(value, code);
    return i + digits + 1;
  }

  std::string_view in;
  size_t at = 0;
  int line = 1;
  std::string braces; // open ones inside the current tag
  std::vector<TemplateToken> tokens;
};

} // namespace

std::vector<TemplateToken> lexTemplate(std::string_view source) {
  // Jinja reads all line breaks as \n and drops one at the end.
  std::string text;
  text.reserve(source.size());
  for (size_t i = 0; i < source.size(); ++i) {
    bool carriage = source[i] == '\r';
    text.push_back(carriage ? '\n' : source[i]);
    if (carriage && i + 1 < source.size() && source[i + 1] == '\n')
      ++i;
  }
  if (text.ends_with('\n'))
    text.pop_back();
  return Lexer(text).run();
}

} // namespace moec::rt::text
