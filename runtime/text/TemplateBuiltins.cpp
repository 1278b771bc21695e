#include "runtime/text/TemplateBuiltins.h"
#include "runtime/text/TemplateLexer.h"
#include "runtime/text/TemplateStrings.h"
#include "runtime/text/Utf8.h"

#include <algorithm>
#include <ctime>
#include <iomanip>
#include <optional>
#include <sstream>

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

// Python's strftime, in English whatever the machine's language.
std::string localTime(int64_t now, const CallArguments &args) {
  static constexpr std::string_view known = "aAbBdHIjmMpSyY%";
  args.expectCount(1, 1);
  const std::string &format = args.stringAt(0);
  if (format.size() > 256)
    templateError(args.line, "function 'strftime_now': a format of " +
                                 std::to_string(format.size()) + " bytes, at most 256");
  for (size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%')
      continue;
    ++i; // what the sign says
    if (i == format.size() || known.find(format[i]) == std::string_view::npos)
      templateError(args.line,
                    "function 'strftime_now': format '" + format +
                        "' is not supported; supported after '%': " + std::string(known));
  }
  std::time_t time = std::time_t(now);
  std::tm parts{};
  if (!localtime_r(&time, &parts))
    templateError(args.line, "function 'strftime_now': the time is out of range");
  std::ostringstream text;
  text.imbue(std::locale::classic());
  text << std::put_time(&parts, format.c_str());
  return text.str();
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

Value dictItems(const Value &dict, int line, TemplateBudget &budget) {
  ValueList pairs;
  for (const auto &[key, value] : dict.entries())
    pairs.push_back(Value::list({Value::string(key), value}));
  return budget.list(std::move(pairs), line);
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
                               "rstrip, startswith, endswith, upper, lower, replace, join "
                               "of strings; get, items, keys, values of dicts");
}

bool isTemplateFunction(const std::string &name) {
  return name == "namespace" || name == "raise_exception" || name == "range" ||
         name == "strftime_now";
}

bool isDictMethod(const std::string &name) {
  for (const char *method : {"clear", "copy", "fromkeys", "get", "items", "keys", "pop", "popitem",
                             "setdefault", "update", "values"})
    if (name == method)
      return true;
  return false;
}

Value callFunction(const std::string &name, const CallArguments &args, TemplateBudget &budget,
                   int64_t now) {
  if (name == "range")
    return range(args, budget);
  if (name == "strftime_now")
    return budget.string(localTime(now, args), args.line);
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
                               "raise_exception, range, strftime_now, and macros");
}

} // namespace moec::rt::text
