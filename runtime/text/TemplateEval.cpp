#include "runtime/text/TemplateEval.h"
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

} // namespace

std::string TemplateEval::run(const Body &body) {
  runBody(body);
  return std::move(out);
}

void TemplateEval::write(const std::string &text, int line) {
  budget.expectString(out.size() + text.size(), line);
  out += text;
}

void TemplateEval::runBody(const Body &body) {
  for (const Statement &statement : body) {
    budget.charge(1, statement.line);
    switch (statement.kind) {
    case Statement::Text:
      write(statement.text, statement.line);
      break;
    case Statement::Output:
      write(valueToText(eval(*statement.exprs[0])), statement.line);
      break;
    case Statement::If:
      runIf(statement);
      break;
    case Statement::For:
      runFor(statement);
      break;
    case Statement::Set:
    case Statement::SetBlock:
      runSet(statement);
      break;
    }
  }
}

void TemplateEval::runIf(const Statement &statement) {
  size_t branch = 0;
  while (branch < statement.exprs.size() && !eval(*statement.exprs[branch]).truthy())
    ++branch;
  if (branch < statement.bodies.size())
    runBody(statement.bodies[branch]);
}

// The loop variables for one item; several take a list apart.
void TemplateEval::bindLoop(const Statement &statement, const Value &item) {
  const auto &names = statement.names;
  if (names.size() == 1) {
    scopes.back()[names[0]] = item;
    return;
  }
  if (!item.is(Value::List) || item.items().size() != names.size())
    templateError(statement.line, "cannot take " + std::string(item.kindName()) + " apart into " +
                                      std::to_string(names.size()) + " loop variables");
  for (size_t i = 0; i < names.size(); ++i)
    scopes.back()[names[i]] = item.items()[i];
}

void TemplateEval::runFor(const Statement &statement) {
  ValueList items = iterate(eval(*statement.exprs[0]), statement.line, budget);
  if (const Expr *filter = statement.exprs[1].get()) {
    ValueList kept;
    for (const Value &item : items) {
      scopes.emplace_back();
      bindLoop(statement, item);
      if (eval(*filter).truthy())
        kept.push_back(item);
      scopes.pop_back();
    }
    items.swap(kept);
  }
  int64_t count = int64_t(items.size());
  for (int64_t i = 0; i < count; ++i) {
    budget.charge(16, statement.line); // for the loop's own values
    scopes.emplace_back();
    scopes.back()["loop"] = Value::dict(
        {{"index", Value::integer(i + 1)},
         {"index0", Value::integer(i)},
         {"revindex", Value::integer(count - i)},
         {"revindex0", Value::integer(count - i - 1)},
         {"first", Value::boolean(i == 0)},
         {"last", Value::boolean(i + 1 == count)},
         {"length", Value::integer(count)},
         {"previtem", i > 0 ? items[size_t(i) - 1] : Value::undefined("loop.previtem")},
         {"nextitem", i + 1 < count ? items[size_t(i) + 1] : Value::undefined("loop.nextitem")}});
    bindLoop(statement, items[size_t(i)]);
    runBody(statement.bodies[0]);
    scopes.pop_back();
  }
  if (items.empty() && statement.bodies.size() > 1)
    runBody(statement.bodies[1]);
}

void TemplateEval::runSet(const Statement &statement) {
  if (statement.kind == Statement::Set)
    return assign(statement, eval(*statement.exprs[0]));
  std::string outer = std::move(out);
  out.clear();
  scopes.emplace_back();
  runBody(statement.bodies[0]);
  scopes.pop_back();
  out.swap(outer);
  assign(statement, budget.string(std::move(outer), statement.line));
}

void TemplateEval::assign(const Statement &statement, Value value) {
  const std::string &name = statement.names[0];
  if (statement.names.size() == 1) {
    scopes.back()[name] = std::move(value);
    return;
  }
  Value object = lookUp(name);
  if (!object.is(Value::Namespace))
    templateError(statement.line, "'" + name + "' is " + object.kindName() +
                                      ", attributes can be set of a namespace "
                                      "only");
  if (value.is(Value::Namespace))
    templateError(statement.line, "a namespace inside another value is not "
                                  "supported");
  object.attributes()[statement.names[1]] = std::move(value);
}

Value TemplateEval::lookUp(const std::string &name) const {
  for (auto scope = scopes.rbegin(); scope != scopes.rend(); ++scope)
    if (auto found = scope->find(name); found != scope->end())
      return found->second;
  return Value::undefined(name);
}

CallArguments TemplateEval::arguments(const Expr &expr, size_t firstArg, const char *kind) {
  CallArguments args{std::string(kind) + " '" + expr.name + "'", expr.line, {}, {}};
  for (size_t i = firstArg; i < expr.args.size(); ++i)
    args.positional.push_back(eval(*expr.args[i]));
  for (const auto &[name, value] : expr.named)
    args.named.emplace_back(name, eval(*value));
  return args;
}

Value TemplateEval::eval(const Expr &expr) {
  budget.charge(1, expr.line);
  auto arg = [&](size_t i) { return eval(*expr.args[i]); };
  switch (expr.kind) {
  case Expr::Literal:
    return expr.literal;
  case Expr::Name:
    return lookUp(expr.name);
  case Expr::List: {
    ValueList items;
    for (const ExprPtr &item : expr.args)
      items.push_back(eval(*item));
    return Value::list(std::move(items));
  }
  case Expr::Dict:
    return evalDict(expr);
  case Expr::Attribute:
    return evalAttribute(arg(0), expr.name, expr.line);
  case Expr::Index:
    return evalIndex(arg(0), arg(1), expr.line);
  case Expr::Slice:
    return evalSlice(expr);
  case Expr::Not:
    return Value::boolean(!arg(0).truthy());
  case Expr::Negate:
    return evalArithmetic("-", Value::integer(0), arg(0), expr.line);
  case Expr::Binary:
    return evalBinary(expr);
  case Expr::Compare:
    return evalCompare(expr);
  case Expr::And: {
    Value left = arg(0);
    return left.truthy() ? arg(1) : left;
  }
  case Expr::Or: {
    Value left = arg(0);
    return left.truthy() ? left : arg(1);
  }
  case Expr::Conditional:
    if (arg(1).truthy())
      return arg(0);
    return expr.args[2] ? arg(2) : Value::undefined("the missing else");
  case Expr::Call:
    return callFunction(expr.name, arguments(expr, 0, "function"), budget);
  case Expr::Method:
    return callMethod(expr.name, arg(0), arguments(expr, 1, "method"), budget);
  case Expr::Filter:
    return callFilter(expr.name, arg(0), arguments(expr, 1, "filter"), budget);
  case Expr::Test: {
    const Expr &tested = *expr.args[0];
    if (tested.kind == Expr::Name && isTemplateFunction(tested.name) &&
        (expr.name == "defined" || expr.name == "undefined"))
      return Value::boolean(expr.name == "defined");
    return Value::boolean(callTest(expr.name, arg(0), expr.line));
  }
  }
  return Value();
}

Value TemplateEval::evalDict(const Expr &expr) {
  ValueDict entries;
  for (size_t i = 0; i < expr.args.size(); i += 2) {
    Value key = eval(*expr.args[i]);
    if (!key.is(Value::String))
      templateError(expr.line,
                    std::string("a dict's key is ") + key.kindName() + ", expected a string");
    Value value = eval(*expr.args[i + 1]);
    auto same = std::find_if(entries.begin(), entries.end(),
                             [&](auto &entry) { return entry.first == key.str(); });
    if (same != entries.end())
      same->second = std::move(value);
    else
      entries.emplace_back(key.str(), std::move(value));
  }
  return Value::dict(std::move(entries));
}

Value TemplateEval::evalAttribute(const Value &object, const std::string &name, int line) {
  if (object.is(Value::Undefined))
    templateError(line, "'" + object.undefinedName() + "' is undefined and has no '" + name + "'");
  if (object.is(Value::Dict)) {
    if (const Value *found = object.find(name))
      return *found;
  } else if (object.is(Value::Namespace)) {
    auto found = object.attributes().find(name);
    if (found != object.attributes().end())
      return found->second;
  }
  return Value::undefined(name);
}

Value TemplateEval::evalIndex(const Value &object, const Value &index, int line) {
  if (index.is(Value::String))
    return evalAttribute(object, index.str(), line);
  if (object.is(Value::Undefined))
    return evalAttribute(object, valueToText(index), line);
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

Value TemplateEval::evalSlice(const Expr &expr) {
  Value object = eval(*expr.args[0]);
  auto bound = [&](size_t i) {
    if (!expr.args[i])
      return absent;
    Value value = eval(*expr.args[i]);
    if (value.is(Value::None))
      return absent;
    if (!value.isNumber())
      templateError(expr.line,
                    std::string("a slice's bound is ") + value.kindName() + ", expected a number");
    return value.number();
  };
  int64_t start = bound(1), stop = bound(2), step = bound(3);
  if (step == absent)
    step = 1;
  if (step == 0)
    templateError(expr.line, "slice with step 0");
  if (!object.is(Value::List) && !object.is(Value::String))
    templateError(expr.line, std::string("cannot take a slice of ") + object.kindName());
  budget.charge(object.size().weight, expr.line);
  if (object.is(Value::List)) {
    const ValueList &items = object.items();
    ValueList taken;
    for (size_t i : sliceIndices(start, stop, step, int64_t(items.size())))
      taken.push_back(items[i]);
    return budget.list(std::move(taken), expr.line);
  }
  std::vector<std::string_view> parts = characters(object.str());
  std::string text;
  for (size_t i : sliceIndices(start, stop, step, int64_t(parts.size())))
    text += parts[i];
  return budget.string(std::move(text), expr.line);
}

Value TemplateEval::evalBinary(const Expr &expr) {
  Value left = eval(*expr.args[0]), right = eval(*expr.args[1]);
  if (expr.name == "~") {
    std::string text = valueToText(left);
    text += valueToText(right);
    return budget.string(std::move(text), expr.line);
  }
  if (expr.name == "+" && left.is(Value::String) && right.is(Value::String)) {
    budget.expectString(left.str().size() + right.str().size(), expr.line);
    return budget.string(left.str() + right.str(), expr.line);
  }
  if (expr.name == "+" && left.is(Value::List) && right.is(Value::List)) {
    ValueList items = iterate(left, expr.line, budget);
    items.insert(items.end(), right.items().begin(), right.items().end());
    return budget.list(std::move(items), expr.line);
  }
  return evalArithmetic(expr.name, left, right, expr.line);
}

Value TemplateEval::evalArithmetic(const std::string &op, const Value &left, const Value &right,
                                   int line) {
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

Value TemplateEval::evalCompare(const Expr &expr) {
  Value left = eval(*expr.args[0]);
  for (size_t i = 0; i < expr.ops.size(); ++i) {
    Value right = eval(*expr.args[i + 1]);
    if (!compare(expr.ops[i], left, right, expr.line))
      return Value::boolean(false);
    left = std::move(right);
  }
  return Value::boolean(true);
}

bool TemplateEval::contains(const Value &container, const Value &item, int line) {
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

bool TemplateEval::compare(const std::string &op, const Value &left, const Value &right, int line) {
  if (op == "in" || op == "not in")
    return contains(right, left, line) == (op == "in");
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
