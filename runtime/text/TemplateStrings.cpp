#include "runtime/text/TemplateStrings.h"
#include "runtime/text/TemplateLexer.h"
#include "runtime/text/Utf8.h"

namespace moec::rt::text {

namespace {

enum Sides { Left = 1, Right = 2, Both = 3 };

// Python's strip: of white space, or of the characters in `chars`.
std::string_view stripped(std::string_view text, Sides sides, const std::string *chars) {
  if (!chars) {
    if (sides & Left)
      text.remove_prefix(runAtStart(text, isPythonSpace));
    if (sides & Right)
      text.remove_suffix(runAtEnd(text, isPythonSpace));
    return text;
  }
  auto inChars = [&](std::string_view one) { return chars->find(one) != std::string::npos; };
  while ((sides & Left) && !text.empty()) {
    size_t length = utf8Step(text).length;
    if (!inChars(text.substr(0, length)))
      break;
    text.remove_prefix(length);
  }
  while ((sides & Right) && !text.empty()) {
    size_t start = lastCharStart(text);
    if (!inChars(text.substr(start)))
      break;
    text = text.substr(0, start);
  }
  return text;
}

Value strip(std::string_view text, Sides sides, const CallArguments &args, TemplateBudget &budget) {
  args.expectCount(0, 1);
  bool noChars = args.positional.empty() || args.positional[0].is(Value::None);
  const std::string *chars = noChars ? nullptr : &args.stringAt(0);
  budget.charge(text.size() / 16 * (chars ? chars->size() / 16 + 1 : 1), args.line);
  return budget.string(std::string(stripped(text, sides, chars)), args.line);
}

Value splitAtSpace(std::string_view text, const CallArguments &args, TemplateBudget &budget) {
  ValueList parts;
  for (;;) {
    text.remove_prefix(runAtStart(text, isPythonSpace));
    if (text.empty())
      return budget.list(std::move(parts), args.line);
    size_t end = runAtStart(text, [](char32_t c) { return !isPythonSpace(c); });
    parts.push_back(budget.string(std::string(text.substr(0, end)), args.line));
    text.remove_prefix(end);
  }
}

Value split(const std::string &text, const CallArguments &args, TemplateBudget &budget) {
  args.expectCount(0, 2);
  if (args.positional.empty())
    return splitAtSpace(text, args, budget);
  const std::string &separator = args.stringAt(0);
  if (separator.empty())
    templateError(args.line, "method 'split': empty separator");
  int64_t most = args.positional.size() > 1 ? args.intAt(1) : -1;
  ValueList parts;
  size_t at = 0;
  for (;;) {
    size_t end =
        most >= 0 && int64_t(parts.size()) >= most ? std::string::npos : text.find(separator, at);
    budget.charge(1, args.line);
    parts.push_back(budget.string(text.substr(at, end - at), args.line));
    if (end == std::string::npos)
      return budget.list(std::move(parts), args.line);
    at = end + separator.size();
  }
}

// startswith / endswith take a string or a tuple of strings.
Value hasAffix(const std::string &text, bool atStart, const CallArguments &args) {
  args.expectCount(1, 1);
  auto matches = [&](const std::string &affix) {
    return atStart ? text.starts_with(affix) : text.ends_with(affix);
  };
  if (!args.positional[0].is(Value::List))
    return Value::boolean(matches(args.stringAt(0)));
  for (const Value &affix : args.positional[0].items())
    if (affix.is(Value::String) && matches(affix.str()))
      return Value::boolean(true);
  return Value::boolean(false);
}

} // namespace

Value stripText(std::string_view text, const CallArguments &args, TemplateBudget &budget) {
  return strip(text, Both, args, budget);
}

// Case mapping beyond ASCII needs tables that nothing else here needs.
Value changeCase(std::string text, bool upper, const CallArguments &args, TemplateBudget &budget) {
  args.expectCount(0, 0);
  for (char &c : text) {
    if (static_cast<unsigned char>(c) >= 0x80)
      templateError(args.line, args.callee + " of text beyond ASCII is not "
                                             "supported");
    if (upper ? (c >= 'a' && c <= 'z') : (c >= 'A' && c <= 'Z'))
      c = char(c ^ 0x20);
  }
  return budget.string(std::move(text), args.line);
}

Value replaceText(const std::string &text, const CallArguments &args, TemplateBudget &budget) {
  args.expectCount(2, 2);
  const std::string &from = args.stringAt(0), &to = args.stringAt(1);
  if (from.empty())
    templateError(args.line, args.callee + " of an empty string is not "
                                           "supported");
  std::string out;
  size_t at = 0;
  for (;;) {
    size_t end = text.find(from, at);
    out.append(text, at, end - at);
    if (end == std::string::npos)
      return budget.string(std::move(out), args.line);
    out += to;
    budget.expectString(out.size(), args.line);
    at = end + from.size();
  }
}

Value joinText(const Value &input, const std::string &glue, const CallArguments &args,
               TemplateBudget &budget) {
  std::string out;
  bool first = true;
  for (const Value &item : iterate(input, args.line, budget)) {
    out += (first ? "" : glue) + valueToText(item);
    first = false;
    budget.expectString(out.size(), args.line);
  }
  return budget.string(std::move(out), args.line);
}

std::optional<Value> stringMethod(const std::string &name, const std::string &text,
                                  const CallArguments &args, TemplateBudget &budget) {
  budget.charge(text.size() / 64, args.line);
  if (name == "split")
    return split(text, args, budget);
  if (name == "strip")
    return stripText(text, args, budget);
  if (name == "lstrip")
    return strip(text, Left, args, budget);
  if (name == "rstrip")
    return strip(text, Right, args, budget);
  if (name == "startswith" || name == "endswith")
    return hasAffix(text, name == "startswith", args);
  if (name == "upper" || name == "lower")
    return changeCase(text, name == "upper", args, budget);
  if (name == "replace")
    return replaceText(text, args, budget);
  if (name == "join") {
    args.expectCount(1, 1);
    return joinText(args.positional[0], text, args, budget);
  }
  return std::nullopt;
}

} // namespace moec::rt::text
