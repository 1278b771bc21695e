#include "runtime/text/TemplateLexer.h"
#include "runtime/text/TemplateOperators.h"
#include "runtime/text/TemplateStrings.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace moec::rt::text {

namespace {

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

// The item that 'a.b' names in `value`; undefined if there is none.
Value attributePath(Value value, std::string_view path, int line, TemplateBudget &budget) {
  while (!path.empty()) {
    budget.charge(1, line);
    std::string_view name = path.substr(0, path.find('.'));
    int64_t place = 0;
    auto [stop, error] = std::from_chars(name.data(), name.data() + name.size(), place);
    bool isPlace = error == std::errc() && stop == name.data() + name.size();
    Value key = isPlace ? Value::integer(place) : Value::string(std::string(name));
    value = itemOf(value, key, line, budget);
    path.remove_prefix(std::min(path.size(), name.size() + 1));
  }
  return value;
}

// `args` less its first `count` positional ones, to be passed on.
CallArguments argumentsAfter(const CallArguments &args, size_t count, std::string callee) {
  CallArguments rest{std::move(callee), args.line, {}, {}};
  rest.positional.assign(args.positional.begin() + std::min(count, args.positional.size()),
                         args.positional.end());
  return rest;
}

// select, reject (of items) and selectattr, rejectattr (of an attribute): by a
// test with its arguments, or by truth.
Value selectFilter(const Value &input, bool wanted, bool byAttribute, const CallArguments &args,
                   TemplateBudget &budget) {
  args.expectCount(byAttribute ? 1 : 0, 8);
  size_t testAt = byAttribute ? 1 : 0;
  bool hasTest = args.positional.size() > testAt;
  std::string test = hasTest ? args.stringAt(testAt) : "";
  CallArguments rest = argumentsAfter(args, testAt + 1, "test '" + test + "'");
  ValueList kept;
  for (const Value &item : iterate(input, args.line, budget)) {
    Value tested = byAttribute ? attributePath(item, args.stringAt(0), args.line, budget) : item;
    bool holds = hasTest ? callTest(test, tested, rest, budget) : tested.truthy();
    if (holds == wanted)
      kept.push_back(item);
  }
  return budget.list(std::move(kept), args.line);
}

// map(attribute='a.b', default=...) or map('filter', arguments...).
Value mapFilter(const Value &input, const CallArguments &args, TemplateBudget &budget) {
  const Value *attribute = nullptr, *fallback = nullptr;
  for (const auto &[name, value] : args.named) {
    if (name == "attribute" && value.is(Value::String))
      attribute = &value;
    else if (name == "default")
      fallback = &value;
    else
      templateError(args.line, "filter 'map' with the argument '" + name + "=' is not supported");
  }
  if ((attribute != nullptr) == !args.positional.empty())
    templateError(args.line, "filter 'map' needs a filter's name or attribute=");
  CallArguments rest = argumentsAfter(args, 1, "");
  if (!attribute)
    rest.callee = "filter '" + args.stringAt(0) + "'";
  ValueList results;
  for (const Value &item : iterate(input, args.line, budget)) {
    budget.charge(1, args.line);
    if (!attribute) {
      results.push_back(callFilter(args.stringAt(0), item, rest, budget));
      continue;
    }
    Value found = attributePath(item, attribute->str(), args.line, budget);
    results.push_back(fallback && found.is(Value::Undefined) ? *fallback : found);
  }
  return budget.list(std::move(results), args.line);
}

Value reverse(const Value &input, const CallArguments &args, TemplateBudget &budget) {
  args.expectCount(0, 0);
  if (input.is(Value::String))
    return sliceOf(input, Value(), Value(), Value::integer(-1), args.line, budget);
  ValueList items = iterate(input, args.line, budget);
  std::reverse(items.begin(), items.end());
  return budget.list(std::move(items), args.line);
}

// Python's json.dumps(ensure_ascii=False) with an optional indent.
Value toJson(const Value &input, const CallArguments &args, TemplateBudget &budget) {
  CallArguments plain = args;
  int indent = -1;
  for (const auto &[name, value] : args.named) {
    if (name == "indent" && (value.is(Value::Int) || value.is(Value::None))) {
      if (value.is(Value::Int) && (value.number() < 0 || value.number() > 16))
        templateError(args.line, "filter 'tojson': indent is " + std::to_string(value.number()) +
                                     ", expected 0 to 16");
      indent = value.is(Value::Int) ? int(value.number()) : -1;
    } else if (name != "ensure_ascii" || !value.is(Value::Bool) || value.truthy()) {
      templateError(args.line, "filter 'tojson' with the argument '" + name +
                                   "=' is not supported; supported: indent=, "
                                   "ensure_ascii=false");
    }
  }
  plain.named.clear();
  plain.expectCount(0, 0);
  if (indent >= 0) // spaces in front of each part
    budget.charge(input.size().weight * (1 + indent * input.size().depth / 16), args.line);
  return budget.string(valueToJson(input, indent), args.line);
}

Value toInt(const Value &input, const CallArguments &args) {
  args.expectCount(0, 0);
  if (input.isNumber())
    return Value::integer(input.number());
  int64_t number = 0;
  const std::string &text = asString(input, args);
  const char *end = text.data() + text.size();
  auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || stop != end)
    templateError(args.line, "filter 'int' of '" + text +
                                 "' is not supported; supported: whole "
                                 "decimal numbers");
  return Value::integer(number);
}

// Filters by name; nothing for a name that is none.
std::optional<Value> textFilter(const std::string &name, const Value &input,
                                const CallArguments &args, TemplateBudget &budget) {
  if (name == "trim")
    return stripText(valueToText(input), args, budget);
  if (name == "upper" || name == "lower")
    return changeCase(valueToText(input), name == "upper", args, budget);
  if (name == "replace")
    return replaceText(asString(input, args), args, budget);
  if (name == "tojson")
    return toJson(input, args, budget);
  if (name == "int")
    return toInt(input, args);
  if (name == "string" || name == "safe") {
    args.expectCount(0, 0);
    return budget.string(valueToText(input), args.line);
  }
  return std::nullopt;
}

std::optional<Value> listFilter(const std::string &name, const Value &input,
                                const CallArguments &args, TemplateBudget &budget) {
  if (name == "first" || name == "last")
    return firstOrLast(input, name == "first", args, budget);
  if (name == "join") {
    args.expectCount(0, 1);
    return joinText(input, args.positional.empty() ? "" : args.stringAt(0), args, budget);
  }
  if (name == "list") {
    args.expectCount(0, 0);
    return budget.list(iterate(input, args.line, budget), args.line);
  }
  if (name == "select" || name == "reject")
    return selectFilter(input, name == "select", /*byAttribute=*/false, args, budget);
  if (name == "selectattr" || name == "rejectattr")
    return selectFilter(input, name == "selectattr", /*byAttribute=*/true, args, budget);
  if (name == "map")
    return mapFilter(input, args, budget);
  if (name == "reverse")
    return reverse(input, args, budget);
  if (name == "items" && input.is(Value::Dict)) {
    args.expectCount(0, 0);
    return dictItems(input, args.line, budget);
  }
  return std::nullopt;
}

} // namespace

Value callFilter(const std::string &name, const Value &input, const CallArguments &args,
                 TemplateBudget &budget) {
  if (name == "length" || name == "count") {
    args.expectCount(0, 0);
    return Value::integer(int64_t(lengthOf(input, args)));
  }
  if (name == "default" || name == "d")
    return defaultFilter(input, args);
  std::optional<Value> result = textFilter(name, input, args, budget);
  if (!result)
    result = listFilter(name, input, args, budget);
  if (result)
    return std::move(*result);
  templateError(args.line, "filter '" + name +
                               "' is not supported; supported: trim, length, count, tojson, upper, "
                               "lower, default, first, last, join, string, safe, list, replace, "
                               "int, select, reject, selectattr, rejectattr, map, reverse, items "
                               "(of a dict)");
}

} // namespace moec::rt::text
