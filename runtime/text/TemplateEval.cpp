#include "runtime/text/TemplateEval.h"
#include "runtime/text/TemplateLexer.h"
#include "runtime/text/TemplateOperators.h"

#include <algorithm>

namespace moec::rt::text {

namespace {

// Bounds the machine's stack: within a macro, expressions nest as deep again.
constexpr int maxMacroDepth = 8;

} // namespace

std::string TemplateEval::run(const Body &body) {
  runBody(body);
  return std::move(out);
}

void TemplateEval::write(const std::string &text, int line) {
  budget.expectString(out.size() + text.size(), line);
  budget.charge(text.size() / 16, line);
  out += text;
}

TemplateEval::Flow TemplateEval::runBody(const Body &body) {
  for (const Statement &statement : body) {
    budget.charge(1, statement.line);
    if (Flow flow = runStatement(statement); flow != Next)
      return flow;
  }
  return Next;
}

TemplateEval::Flow TemplateEval::runStatement(const Statement &statement) {
  switch (statement.kind) {
  case Statement::Text:
    write(statement.text, statement.line);
    break;
  case Statement::Output:
    write(valueToText(eval(*statement.exprs[0])), statement.line);
    break;
  case Statement::If:
    return runIf(statement);
  case Statement::For:
    runFor(statement);
    break;
  case Statement::Set:
  case Statement::SetBlock:
    runSet(statement);
    break;
  case Statement::Macro:
    macros[statement.names[0]] = &statement;
    break;
  case Statement::Scope:
    scopes.emplace_back();
    runBody(statement.bodies[0]);
    scopes.pop_back();
    break;
  case Statement::Break:
    return Break;
  case Statement::Continue:
    return Continue;
  }
  return Next;
}

TemplateEval::Flow TemplateEval::runIf(const Statement &statement) {
  size_t branch = 0;
  while (branch < statement.exprs.size() && !eval(*statement.exprs[branch]).truthy())
    ++branch;
  return branch < statement.bodies.size() ? runBody(statement.bodies[branch]) : Next;
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

ValueList TemplateEval::loopItems(const Statement &statement) {
  ValueList items = iterate(eval(*statement.exprs[0]), statement.line, budget);
  const Expr *filter = statement.exprs[1].get();
  if (!filter)
    return items;
  ValueList kept;
  for (const Value &item : items) {
    scopes.emplace_back();
    bindLoop(statement, item);
    if (eval(*filter).truthy())
      kept.push_back(item);
    scopes.pop_back();
  }
  return kept;
}

void TemplateEval::runFor(const Statement &statement) {
  ValueList items = loopItems(statement);
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
         {"depth", Value::integer(1)}, // of recursive loops
         {"depth0", Value::integer(0)},
         {"previtem", i > 0 ? items[size_t(i) - 1] : Value::undefined("loop.previtem")},
         {"nextitem", i + 1 < count ? items[size_t(i) + 1] : Value::undefined("loop.nextitem")}});
    bindLoop(statement, items[size_t(i)]);
    Flow flow = runBody(statement.bodies[0]);
    scopes.pop_back();
    if (flow == Break)
      break;
  }
  if (items.empty() && statement.bodies.size() > 1)
    runBody(statement.bodies[1]);
}

void TemplateEval::runSet(const Statement &statement) {
  if (statement.kind == Statement::Set)
    return assign(statement, eval(*statement.exprs[0]));
  assign(statement, budget.string(captured(statement.bodies[0]), statement.line));
}

std::string TemplateEval::captured(const Body &body) {
  std::string outer = std::move(out);
  out.clear();
  scopes.emplace_back();
  runBody(body);
  scopes.pop_back();
  out.swap(outer);
  return outer;
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
  for (size_t i = scopes.size(); i > firstScope; --i)
    if (auto found = scopes[i - 1].find(name); found != scopes[i - 1].end())
      return found->second;
  auto found = scopes[0].find(name);
  return found != scopes[0].end() ? found->second : Value::undefined(name);
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
    return attributeOf(arg(0), expr.name, expr.line);
  case Expr::Index:
    return evalIndex(expr);
  case Expr::Slice:
    return evalSlice(expr);
  case Expr::Not:
    return Value::boolean(!arg(0).truthy());
  case Expr::Negate:
    return applyOperator("-", Value::integer(0), arg(0), expr.line, budget);
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
    return evalCall(expr);
  case Expr::Method:
    return callMethod(expr.name, arg(0), arguments(expr, 1, "method"), budget);
  case Expr::Filter:
    return callFilter(expr.name, arg(0), arguments(expr, 1, "filter"), budget);
  case Expr::Test:
    return evalTest(expr);
  }
  return Value();
}

// The operands of these are evaluated left to right.
Value TemplateEval::evalIndex(const Expr &expr) {
  Value object = eval(*expr.args[0]);
  Value index = eval(*expr.args[1]);
  return itemOf(object, index, expr.line, budget);
}

Value TemplateEval::evalBinary(const Expr &expr) {
  Value left = eval(*expr.args[0]);
  Value right = eval(*expr.args[1]);
  return applyOperator(expr.name, left, right, expr.line, budget);
}

Value TemplateEval::evalSlice(const Expr &expr) {
  Value parts[4]; // object, start, stop, step; none for one left out
  for (size_t i = 0; i < 4; ++i)
    if (expr.args[i])
      parts[i] = eval(*expr.args[i]);
  return sliceOf(parts[0], parts[1], parts[2], parts[3], expr.line, budget);
}

Value TemplateEval::evalTest(const Expr &expr) {
  const Expr &tested = *expr.args[0];
  bool isFunction =
      tested.kind == Expr::Name && (isTemplateFunction(tested.name) || macros.count(tested.name));
  if (isFunction && (expr.name == "defined" || expr.name == "undefined"))
    return Value::boolean(expr.name == "defined");
  Value input = eval(tested);
  return Value::boolean(callTest(expr.name, input, arguments(expr, 1, "test"), budget));
}

Value TemplateEval::evalCall(const Expr &expr) {
  if (auto macro = macros.find(expr.name); macro != macros.end())
    return callMacro(*macro->second, arguments(expr, 0, "macro"));
  return callFunction(expr.name, arguments(expr, 0, "function"), budget, now);
}

Value TemplateEval::callMacro(const Statement &macro, const CallArguments &args) {
  if (++macroDepth > maxMacroDepth)
    templateError(args.line, args.callee + " is called " + std::to_string(macroDepth) +
                                 " levels deep, at most " + std::to_string(maxMacroDepth) +
                                 " are supported");
  size_t callerScope = firstScope;
  firstScope = scopes.size();
  scopes.emplace_back();
  bindParameters(macro, args);
  std::string text = captured(macro.bodies[0]);
  scopes.pop_back();
  firstScope = callerScope;
  --macroDepth;
  return budget.string(std::move(text), args.line);
}

void TemplateEval::bindParameters(const Statement &macro, const CallArguments &args) {
  size_t count = macro.exprs.size();
  if (args.positional.size() > count)
    templateError(args.line, args.callee + " takes " + std::to_string(count) +
                                 " arguments, found " + std::to_string(args.positional.size()));
  auto parameters = macro.names.begin() + 1;
  for (const auto &[name, value] : args.named)
    if (std::find(parameters + args.positional.size(), macro.names.end(), name) ==
        macro.names.end())
      templateError(args.line, args.callee + " has no parameter '" + name + "' left to set");
  for (size_t i = 0; i < count; ++i) {
    const std::string &name = parameters[i];
    auto named = std::find_if(args.named.begin(), args.named.end(),
                              [&](const auto &one) { return one.first == name; });
    Value value = Value::undefined(name);
    if (i < args.positional.size())
      value = args.positional[i];
    else if (named != args.named.end())
      value = named->second;
    else if (macro.exprs[i])
      value = eval(*macro.exprs[i]);
    scopes.back()[name] = std::move(value);
  }
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

Value TemplateEval::evalCompare(const Expr &expr) {
  Value left = eval(*expr.args[0]);
  for (size_t i = 0; i < expr.ops.size(); ++i) {
    Value right = eval(*expr.args[i + 1]);
    if (!compareValues(expr.ops[i], left, right, expr.line, budget))
      return Value::boolean(false);
    left = std::move(right);
  }
  return Value::boolean(true);
}

} // namespace moec::rt::text
