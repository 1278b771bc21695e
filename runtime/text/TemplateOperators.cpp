#include "runtime/text/TemplateOperators.h"
#include "runtime/text/TemplateLexer.h"
#include "runtime/text/Utf8.h"

#include <algorithm>
#include <optional>

namespace moec::rt::text {

namespace {

constexpr int64_t absent = INT64_MIN; // a bound left out of a slice

// Python's slice bounds, applied to `count` items.
std::vector<size_t> sliceIndices(int64_t start, int64_t stop, int64_t step, int64_t count) {
  auto clamp = [&](int64_t i, int64_t fallback) {
    if (i == absent)
      return fallback;
    i = i < 0 ? std::max<int64_t>(i + count, -1) : i;
    return step > 0 ? std::clamp<int64_t>(i, 0, count) : std::clamp<int64_t>(i, -1, count - 1);
  };
  int64_t from = clamp(start, step > 0 ? 0 : count - 1);
  int64_t to = clamp(stop, step > 0 ? count : -1);
  step = std::clamp<int64_t>(step, -count - 1, count + 1);
  std::vector<size_t> indices;
  for (int64_t i = from; step > 0 ? i < to : i > to; i += step)
    indices.push_back(size_t(i));
  return indices;
}

// The bytes of each character of a string.
std::vector<std::string_view> characters(std::string_view text) {
  std::vector<std::string_view> parts;
  for (size_t length; !text.empty(); text.remove_prefix(length)) {
    length = utf8Step(text).length;
    parts.push_back(text.substr(0, length));
  }
  return parts;
}

// A Python index as one of [0, count), or nothing.
std::optional<size_t> placeOf(int64_t index, size_t count) {
  int64_t at = index < 0 ? index + int64_t(count) : index;
  if (at < 0 || at >= int64_t(count))
    return std::nullopt;
  return size_t(at);
}

Value arithmetic(const std::string &op, const Value &left, const Value &right, int line) {
  if (!left.isNumber() || !right.isNumber()) {
    auto shown = [](const Value &value) {
      return value.is(Value::Undefined) ? "undefined '" + value.undefinedName() + "'"
                                        : std::string(value.kindName());
    };
    templateError(line, "cannot apply '" + op + "' to " + shown(left) + " and " + shown(right));
  }
  int64_t a = left.number(), b = right.number(), result = 0;
  bool overflow = false;
  if (op == "+") {
    overflow = __builtin_add_overflow(a, b, &result);
  } else if (op == "-") {
    overflow = __builtin_sub_overflow(a, b, &result);
  } else if (op == "*") {
    overflow = __builtin_mul_overflow(a, b, &result);
  } else if (b == 0) {
    templateError(line, "division by zero");
  } else if (b == -1) {
    overflow = op == "//" && __builtin_sub_overflow(int64_t(0), a, &result);
  } else { // Python rounds down
    int64_t quotient = a / b, rest = a % b;
    bool adjust = rest != 0 && (rest < 0) != (b < 0);
    result = op == "//" ? quotient - adjust : rest + (adjust ? b : 0);
  }
  if (overflow)
    templateError(line, "number too large");
  return Value::integer(result);
}

bool contains(const Value &container, const Value &item, int line, TemplateBudget &budget) {
  if (container.is(Value::String) && item.is(Value::String)) {
    budget.charge(container.str().size() / 16, line);
    return container.str().find(item.str()) != std::string::npos;
  }
  if (container.is(Value::Dict))
    return item.is(Value::String) && container.find(item.str());
  if (container.is(Value::List)) {
    budget.charge(container.size().weight, line);
    return std::any_of(container.items().begin(), container.items().end(),
                       [&](const Value &one) { return one.equals(item); });
  }
  if (container.is(Value::Undefined))
    return false;
  templateError(line,
                std::string("cannot look for ") + item.kindName() + " in " + container.kindName());
}

} // namespace

Value attributeOf(const Value &object, const std::string &name, int line) {
  if (object.is(Value::Undefined))
    templateError(line, "'" + object.undefinedName() + "' is undefined and has no '" + name + "'");
  if (object.is(Value::Dict)) {
    if (isDictMethod(name)) // Python gives the method
      templateError(line, "'" + name + "' of a dict without a call is not supported; write ['" +
                              name + "'] for the item of that name");
    if (const Value *found = object.find(name))
      return *found;
  } else if (object.is(Value::Namespace)) {
    auto found = object.attributes().find(name);
    if (found != object.attributes().end())
      return found->second;
  }
  return Value::undefined(name);
}

Value itemOf(const Value &object, const Value &index, int line, TemplateBudget &budget) {
  if (object.is(Value::Undefined))
    return attributeOf(object, valueToText(index), line);
  if (object.is(Value::Dict) && index.is(Value::String)) {
    const Value *found = object.find(index.str());
    return found ? *found : Value::undefined(index.str());
  }
  if (index.is(Value::String))
    return attributeOf(object, index.str(), line);
  bool indexable = object.is(Value::List) || object.is(Value::String);
  if (!indexable || !index.isNumber())
    templateError(line,
                  std::string("cannot index ") + object.kindName() + " by " + index.kindName());
  if (object.is(Value::List)) {
    const ValueList &items = object.items();
    if (auto at = placeOf(index.number(), items.size()))
      return items[*at];
  } else {
    budget.charge(object.str().size() / 8, line);
    std::vector<std::string_view> parts = characters(object.str());
    if (auto at = placeOf(index.number(), parts.size()))
      return Value::string(std::string(parts[*at]));
  }
  return Value::undefined("item " + std::to_string(index.number()));
}

Value sliceOf(const Value &object, const Value &start, const Value &stop, const Value &step,
              int line, TemplateBudget &budget) {
  auto bound = [&](const Value &value) {
    if (value.is(Value::None))
      return absent;
    if (!value.isNumber())
      templateError(line,
                    std::string("a slice's bound is ") + value.kindName() + ", expected a number");
    return value.number();
  };
  int64_t from = bound(start), to = bound(stop), by = bound(step);
  if (by == absent)
    by = 1;
  if (by == 0)
    templateError(line, "slice with step 0");
  if (!object.is(Value::List) && !object.is(Value::String))
    templateError(line, std::string("cannot take a slice of ") + object.kindName());
  budget.charge(object.size().weight, line);
  if (object.is(Value::List)) {
    const ValueList &items = object.items();
    ValueList taken;
    for (size_t i : sliceIndices(from, to, by, int64_t(items.size())))
      taken.push_back(items[i]);
    return budget.list(std::move(taken), line);
  }
  std::vector<std::string_view> parts = characters(object.str());
  std::string text;
  for (size_t i : sliceIndices(from, to, by, int64_t(parts.size())))
    text += parts[i];
  return budget.string(std::move(text), line);
}

Value applyOperator(const std::string &op, const Value &left, const Value &right, int line,
                    TemplateBudget &budget) {
  if (op == "~") {
    std::string text = valueToText(left);
    text += valueToText(right);
    return budget.string(std::move(text), line);
  }
  if (op == "+" && left.is(Value::String) && right.is(Value::String)) {
    budget.expectString(left.str().size() + right.str().size(), line);
    return budget.string(left.str() + right.str(), line);
  }
  if (op == "+" && left.is(Value::List) && right.is(Value::List)) {
    ValueList items = iterate(left, line, budget);
    items.insert(items.end(), right.items().begin(), right.items().end());
    return budget.list(std::move(items), line);
  }
  return arithmetic(op, left, right, line);
}

bool compareValues(const std::string &op, const Value &left, const Value &right, int line,
                   TemplateBudget &budget) {
  if (op == "in" || op == "not in")
    return contains(right, left, line, budget) == (op == "in");
  budget.charge(std::min(left.size().weight, right.size().weight), line);
  if (op == "==" || op == "!=")
    return left.equals(right) == (op == "==");
  int order = 0;
  if (left.isNumber() && right.isNumber())
    order = left.number() < right.number() ? -1 : left.number() > right.number();
  else if (left.is(Value::String) && right.is(Value::String))
    order = left.str().compare(right.str()); // bytes: code point order
  else
    templateError(line, "cannot compare " + std::string(left.kindName()) + " and " +
                            right.kindName() + " by '" + op + "'");
  if (op == "<")
    return order < 0;
  if (op == ">")
    return order > 0;
  return op == "<=" ? order <= 0 : order >= 0;
}

} // namespace moec::rt::text
