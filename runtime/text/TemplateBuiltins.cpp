#include "runtime/text/TemplateBuiltins.h"
#include "runtime/text/TemplateLexer.h"
#include "runtime/text/Utf8.h"

#include <algorithm>
#include <optional>

namespace moec::rt::text {

void TemplateBudget::charge(size_t units, int line) {
  used += std::min(units, maxUnits);
  if (used > maxUnits)
    templateError(line, "the template takes more than " + std::to_string(maxUnits) + " steps");
}

void TemplateBudget::expectString(size_t bytes, int line) {
  if (bytes > maxStringBytes)
    templateError(line, "a string longer than " + std::to_string(maxStringBytes) + " bytes");
}

Value TemplateBudget::string(std::string text, int line) {
  expectString(text.size(), line);
  charge(text.size() / 16, line);
  return Value::string(std::move(text));
}

Value TemplateBudget::list(ValueList items, int line) {
  charge(items.size(), line);
  return Value::list(std::move(items));
}

void CallArguments::expectCount(size_t least, size_t most) const {
  if (!named.empty())
    templateError(line, callee + " with the argument '" + named[0].first + "=' is not supported");
  if (positional.size() < least || positional.size() > most)
    templateError(line, callee + " has " + std::to_string(positional.size()) +
                            " arguments, expected " + std::to_string(least) +
                            (least == most ? "" : " to " + std::to_string(most)));
}

const std::string &CallArguments::stringAt(size_t index) const {
  if (!positional[index].is(Value::String))
    templateError(line, callee + ": argument " + std::to_string(index + 1) + " is " +
                            positional[index].kindName() + ", expected a string");
  return positional[index].str();
}

int64_t CallArguments::intAt(size_t index) const {
  if (!positional[index].isNumber())
    templateError(line, callee + ": argument " + std::to_string(index + 1) + " is " +
                            positional[index].kindName() + ", expected a number");
  return positional[index].number();
}

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

Value replace(const std::string &text, const CallArguments &args, TemplateBudget &budget) {
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

Value join(const Value &input, const CallArguments &args, TemplateBudget &budget) {
  args.expectCount(0, 1);
  std::string glue = args.positional.empty() ? "" : args.stringAt(0);
  std::string out;
  bool first = true;
  for (const Value &item : iterate(input, args.line, budget)) {
    out += (first ? "" : glue) + valueToText(item);
    first = false;
    budget.expectString(out.size(), args.line);
  }
  return budget.string(std::move(out), args.line);
}

Value dictItems(const Value &dict, int line, TemplateBudget &budget) {
  ValueList pairs;
  for (const auto &[key, value] : dict.entries())
    pairs.push_back(Value::list({Value::string(key), value}));
  return budget.list(std::move(pairs), line);
}

size_t lengthOf(const Value &value, const CallArguments &args) {
  if (value.is(Value::Undefined))
    return 0;
  if (value.is(Value::List))
    return value.items().size();
  if (value.is(Value::Dict))
    return value.entries().size();
  if (!value.is(Value::String))
    templateError(args.line, args.callee + " of " + value.kindName() + " is not possible");
  const std::string &text = value.str();
  return size_t(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

Value firstOrLast(const Value &input, bool first, const CallArguments &args,
                  TemplateBudget &budget) {
  args.expectCount(0, 0);
  ValueList items = iterate(input, args.line, budget);
  if (items.empty())
    return Value::undefined(args.callee);
  return first ? items.front() : items.back();
}

Value defaultFilter(const Value &input, const CallArguments &args) {
  CallArguments plain = args;
  bool falsyToo = false;
  if (plain.named.size() == 1 && plain.named[0].first == "boolean") {
    falsyToo = plain.named[0].second.truthy();
    plain.named.clear();
  }
  plain.expectCount(1, 2);
  if (plain.positional.size() == 2)
    falsyToo = plain.positional[1].truthy();
  bool missing = input.is(Value::Undefined) || (falsyToo && !input.truthy());
  return missing ? plain.positional[0] : input;
}

const std::string &asString(const Value &value, const CallArguments &args) {
  if (!value.is(Value::String))
    templateError(args.line,
                  args.callee + " of " + value.kindName() + " is not possible; it needs a string");
  return value.str();
}

std::optional<Value> stringMethod(const std::string &name, const std::string &text,
                                  const CallArguments &args, TemplateBudget &budget) {
  budget.charge(text.size() / 64, args.line);
  if (name == "split")
    return split(text, args, budget);
  if (name == "strip")
    return strip(text, Both, args, budget);
  if (name == "lstrip")
    return strip(text, Left, args, budget);
  if (name == "rstrip")
    return strip(text, Right, args, budget);
  if (name == "startswith" || name == "endswith")
    return hasAffix(text, name == "startswith", args);
  if (name == "upper" || name == "lower")
    return changeCase(text, name == "upper", args, budget);
  if (name == "replace")
    return replace(text, args, budget);
  return std::nullopt;
}

std::optional<Value> dictMethod(const std::string &name, const Value &dict,
                                const CallArguments &args, TemplateBudget &budget) {
  if (name == "get") {
    args.expectCount(1, 2);
    const Value *found = dict.find(args.stringAt(0));
    bool hasFallback = args.positional.size() == 2;
    return found ? *found : hasFallback ? args.positional[1] : Value::none();
  }
  if (name == "items") {
    args.expectCount(0, 0);
    return dictItems(dict, args.line, budget);
  }
  if (name == "keys" || name == "values") {
    args.expectCount(0, 0);
    ValueList parts;
    for (const auto &[key, value] : dict.entries())
      parts.push_back(name == "keys" ? Value::string(key) : value);
    return budget.list(std::move(parts), args.line);
  }
  return std::nullopt;
}

Value range(const CallArguments &args, TemplateBudget &budget) {
  args.expectCount(1, 3);
  bool one = args.positional.size() == 1;
  int64_t start = one ? 0 : args.intAt(0), stop = args.intAt(one ? 0 : 1);
  int64_t step = args.positional.size() == 3 ? args.intAt(2) : 1;
  if (step == 0)
    templateError(args.line, "function 'range': step 0");
  ValueList numbers;
  for (int64_t i = start; step > 0 ? i < stop : i > stop;) {
    budget.charge(1, args.line);
    numbers.push_back(Value::integer(i));
    if (__builtin_add_overflow(i, step, &i))
      break;
  }
  return Value::list(std::move(numbers));
}

} // namespace

ValueList iterate(const Value &value, int line, TemplateBudget &budget) {
  ValueList items;
  switch (value.kind()) {
  case Value::Undefined:
    break;
  case Value::List:
    budget.charge(value.items().size(), line);
    return value.items();
  case Value::Dict:
    budget.charge(value.entries().size(), line);
    for (const auto &[key, entry] : value.entries())
      items.push_back(Value::string(key));
    break;
  case Value::String: {
    budget.charge(value.str().size(), line);
    std::string_view rest = value.str();
    while (!rest.empty()) {
      size_t length = utf8Step(rest).length;
      items.push_back(Value::string(std::string(rest.substr(0, length))));
      rest.remove_prefix(length);
    }
    break;
  }
  default:
    templateError(line, std::string("cannot loop over ") + value.kindName());
  }
  return items;
}

Value callFilter(const std::string &name, const Value &input, const CallArguments &args,
                 TemplateBudget &budget) {
  if (name == "trim")
    return strip(valueToText(input), Both, args, budget);
  if (name == "length" || name == "count") {
    args.expectCount(0, 0);
    return Value::integer(int64_t(lengthOf(input, args)));
  }
  if (name == "tojson") {
    args.expectCount(0, 0);
    return budget.string(valueToJson(input), args.line);
  }
  if (name == "upper" || name == "lower")
    return changeCase(valueToText(input), name == "upper", args, budget);
  if (name == "default" || name == "d")
    return defaultFilter(input, args);
  if (name == "first" || name == "last")
    return firstOrLast(input, name == "first", args, budget);
  if (name == "join")
    return join(input, args, budget);
  if (name == "string" || name == "safe") {
    args.expectCount(0, 0);
    return budget.string(valueToText(input), args.line);
  }
  if (name == "list") {
    args.expectCount(0, 0);
    return Value::list(iterate(input, args.line, budget));
  }
  if (name == "replace")
    return replace(asString(input, args), args, budget);
  if (name == "items" && input.is(Value::Dict)) {
    args.expectCount(0, 0);
    return dictItems(input, args.line, budget);
  }
  templateError(args.line, "filter '" + name +
                               "' is not supported; supported: trim, length, count, "
                               "tojson, upper, lower, default, first, last, join, string, "
                               "safe, list, replace, items (of a dict)");
}

bool callTest(const std::string &name, const Value &input, int line) {
  if (name == "defined")
    return !input.is(Value::Undefined);
  if (name == "undefined")
    return input.is(Value::Undefined);
  if (name == "none")
    return input.is(Value::None);
  if (name == "string")
    return input.is(Value::String);
  if (name == "mapping")
    return input.is(Value::Dict);
  if (name == "boolean")
    return input.is(Value::Bool);
  if (name == "integer")
    return input.is(Value::Int);
  if (name == "number")
    return input.isNumber();
  if (name == "true" || name == "false")
    return input.is(Value::Bool) && input.truthy() == (name == "true");
  if (name == "sequence" || name == "iterable")
    return input.is(Value::String) || input.is(Value::List) || input.is(Value::Dict) ||
           input.is(Value::Undefined);
  if ((name == "odd" || name == "even") && input.isNumber())
    return (input.number() % 2 != 0) == (name == "odd");
  templateError(line, "test '" + name + "' of " + input.kindName() +
                          " is not supported; supported: defined, undefined, none, "
                          "string, mapping, boolean, integer, number, true, false, "
                          "sequence, iterable, odd, even (of numbers)");
}

Value callMethod(const std::string &name, const Value &object, const CallArguments &args,
                 TemplateBudget &budget) {
  std::optional<Value> result;
  if (object.is(Value::String))
    result = stringMethod(name, object.str(), args, budget);
  else if (object.is(Value::Dict))
    result = dictMethod(name, object, args, budget);
  if (result)
    return std::move(*result);
  templateError(args.line, "method '" + name + "' of " + object.kindName() +
                               " is not supported; supported: split, strip, lstrip, "
                               "rstrip, startswith, endswith, upper, lower, replace of "
                               "strings; get, items, keys, values of dicts");
}

bool isTemplateFunction(const std::string &name) {
  return name == "namespace" || name == "raise_exception" || name == "range";
}

Value callFunction(const std::string &name, const CallArguments &args, TemplateBudget &budget) {
  if (name == "range")
    return range(args, budget);
  if (name == "raise_exception") {
    args.expectCount(1, 1);
    templateError(args.line, "the template refuses these messages: " + args.stringAt(0));
  }
  if (name == "namespace") {
    if (!args.positional.empty())
      templateError(args.line, "function 'namespace' takes named arguments "
                               "only");
    Value result = Value::newNamespace();
    for (const auto &[attribute, value] : args.named) {
      if (value.is(Value::Namespace))
        templateError(args.line, "a namespace inside another value is not "
                                 "supported");
      result.attributes()[attribute] = value;
    }
    return result;
  }
  templateError(args.line, "function '" + name +
                               "' is not supported; supported: namespace, "
                               "raise_exception, range");
}

} // namespace moec::rt::text
