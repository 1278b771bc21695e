#include "runtime/text/TemplateBuiltins.h"
#include "runtime/text/TemplateLexer.h"
#include "runtime/text/TemplateOperators.h"

#include <optional>

namespace moec::rt::text {

namespace {

// Tests of what a value is; nothing for a name that is none.
std::optional<bool> kindTest(const std::string &name, const Value &input) {
  if (name == "defined" || name == "undefined")
    return input.is(Value::Undefined) == (name == "undefined");
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
  if (name == "float")
    return false;
  if (name == "true" || name == "false")
    return input.is(Value::Bool) && input.truthy() == (name == "true");
  if (name == "sequence" || name == "iterable")
    return input.is(Value::String) || input.is(Value::List) || input.is(Value::Dict) ||
           input.is(Value::Undefined);
  if ((name == "odd" || name == "even") && input.isNumber())
    return (input.number() % 2 != 0) == (name == "odd");
  return std::nullopt;
}

// The operator that a test with one argument stands for, or null.
const char *operatorOfTest(const std::string &name) {
  static constexpr std::pair<const char *, const char *> operators[] = {
      {"eq", "=="}, {"equalto", "=="}, {"ne", "!="}, {"in", "in"},
      {"lt", "<"},  {"le", "<="},      {"gt", ">"},  {"ge", ">="},
  };
  for (auto [test, op] : operators)
    if (name == test)
      return op;
  return nullptr;
}

// Python's `is`, which is sure only of what there is one of.
bool isSame(const Value &a, const Value &b, const CallArguments &args) {
  auto isSingle = [](const Value &v) { return v.is(Value::None) || v.is(Value::Bool); };
  if (!isSingle(a) && !isSingle(b))
    templateError(args.line, args.callee + " of " + a.kindName() + " and " + b.kindName() +
                                 " is not supported; supported: with none, true or false");
  return a.kind() == b.kind() && a.equals(b);
}

} // namespace

bool callTest(const std::string &name, const Value &input, const CallArguments &args,
              TemplateBudget &budget) {
  if (auto result = kindTest(name, input)) {
    args.expectCount(0, 0);
    return *result;
  }
  if (const char *op = operatorOfTest(name)) {
    args.expectCount(1, 1);
    return compareValues(op, input, args.positional[0], args.line, budget);
  }
  if (name == "sameas") {
    args.expectCount(1, 1);
    return isSame(input, args.positional[0], args);
  }
  if (name == "divisibleby" && input.isNumber()) {
    args.expectCount(1, 1);
    Value rest = applyOperator("%", input, args.positional[0], args.line, budget);
    return rest.number() == 0;
  }
  templateError(args.line, "test '" + name + "' of " + input.kindName() +
                               " is not supported; supported: defined, undefined, none, string, "
                               "mapping, boolean, integer, number, float, true, false, sequence, "
                               "iterable, eq, equalto, ne, lt, le, gt, ge, in, sameas, and of "
                               "numbers odd, even, divisibleby");
}

} // namespace moec::rt::text
