#include "runtime/text/TemplateExprParser.h"

#include <algorithm>
#include <charconv>

namespace moec::rt::text {

namespace {

constexpr int maxDepth = 100;

template <typename... T> std::vector<ExprPtr> exprs(T... items) {
  std::vector<ExprPtr> list;
  (list.push_back(std::move(items)), ...);
  return list;
}

std::string spelled(const TemplateToken &token) {
  switch (token.kind) {
  case TemplateToken::OutputEnd:
    return "'}}'";
  case TemplateToken::BlockEnd:
    return "'%}'";
  case TemplateToken::String:
    return "a string";
  case TemplateToken::End:
    return "the end of the template";
  default:
    return "'" + token.text + "'";
  }
}

} // namespace

TemplateToken TokenCursor::take() {
  TemplateToken token = peek();
  if (at + 1 < tokens.size())
    ++at;
  return token;
}

bool TokenCursor::isOp(std::string_view op) const {
  return peek().kind == TemplateToken::Operator && peek().text == op;
}

bool TokenCursor::isName(std::string_view name) const {
  return peek().kind == TemplateToken::Name && peek().text == name;
}

bool TokenCursor::acceptOp(std::string_view op) {
  bool found = isOp(op);
  if (found)
    take();
  return found;
}

bool TokenCursor::acceptName(std::string_view name) {
  bool found = isName(name);
  if (found)
    take();
  return found;
}

void TokenCursor::expectOp(std::string_view op) {
  if (!acceptOp(op))
    unexpected("'" + std::string(op) + "'");
}

std::string TokenCursor::expectName(const char *what) {
  if (peek().kind != TemplateToken::Name)
    unexpected(what);
  return take().text;
}

void TokenCursor::unexpected(const std::string &expected) const {
  templateError(line(), spelled(peek()) + " where " + expected + " is expected");
}

ExprPtr ExprParser::make(Expr::Kind kind, std::vector<ExprPtr> args, std::string name) {
  auto expr = std::make_unique<Expr>();
  expr->kind = kind;
  expr->line = in.line();
  expr->name = std::move(name);
  expr->args = std::move(args);
  return checked(std::move(expr));
}

// Long chains such as a + b + c ... grow deep without deep parsing, and the
// evaluator walks them by recursion: so the depth of the tree itself counts.
ExprPtr ExprParser::checked(ExprPtr expr) {
  for (const ExprPtr &arg : expr->args)
    if (arg)
      expr->depth = std::max(expr->depth, arg->depth + 1);
  for (const auto &[name, arg] : expr->named)
    expr->depth = std::max(expr->depth, arg->depth + 1);
  if (expr->depth > maxDepth)
    templateError(expr->line, "expression nested deeper than " + std::to_string(maxDepth));
  return expr;
}

ExprPtr ExprParser::parse() {
  if (++nesting > maxDepth)
    templateError(in.line(), "expression nested deeper than " + std::to_string(maxDepth));
  ExprPtr value = parseOr();
  while (in.acceptName("if")) {
    ExprPtr condition = parseOr();
    ExprPtr otherwise = in.acceptName("else") ? parse() : nullptr;
    value = make(Expr::Conditional,
                 exprs(std::move(value), std::move(condition), std::move(otherwise)));
  }
  --nesting;
  return value;
}

ExprPtr ExprParser::parseOr() {
  ExprPtr left = parseAnd();
  while (in.acceptName("or"))
    left = make(Expr::Or, exprs(std::move(left), parseAnd()));
  return left;
}

ExprPtr ExprParser::parseAnd() {
  ExprPtr left = parseNot();
  while (in.acceptName("and"))
    left = make(Expr::And, exprs(std::move(left), parseNot()));
  return left;
}

ExprPtr ExprParser::parseNot() {
  int count = 0;
  while (in.acceptName("not"))
    ++count;
  ExprPtr value = parseCompare();
  for (; count > 0; --count)
    value = make(Expr::Not, exprs(std::move(value)));
  return value;
}

bool ExprParser::parseCompareOp(std::string &op) {
  for (const char *symbol : {"==", "!=", "<=", ">=", "<", ">"})
    if (in.acceptOp(symbol)) {
      op = symbol;
      return true;
    }
  if (in.acceptName("in")) {
    op = "in";
    return true;
  }
  if (in.isName("not") && in.peek(1).kind == TemplateToken::Name && in.peek(1).text == "in") {
    in.take();
    in.take();
    op = "not in";
    return true;
  }
  return false;
}

ExprPtr ExprParser::parseCompare() {
  ExprPtr first = parseSum();
  std::string op;
  if (!parseCompareOp(op))
    return first;
  ExprPtr compare = make(Expr::Compare, exprs(std::move(first)));
  do {
    compare->ops.push_back(op);
    compare->args.push_back(parseSum());
  } while (parseCompareOp(op));
  return checked(std::move(compare));
}

ExprPtr ExprParser::leftAssociative(Rule operand, std::initializer_list<const char *> ops) {
  ExprPtr left = (this->*operand)();
  for (;;) {
    auto op = std::find_if(ops.begin(), ops.end(), [&](const char *op) { return in.isOp(op); });
    if (op == ops.end())
      return left;
    in.take();
    ExprPtr right = (this->*operand)();
    left = make(Expr::Binary, exprs(std::move(left), std::move(right)), *op);
  }
}

ExprPtr ExprParser::parseSum() { return leftAssociative(&ExprParser::parseConcat, {"+", "-"}); }

ExprPtr ExprParser::parseConcat() { return leftAssociative(&ExprParser::parseProduct, {"~"}); }

ExprPtr ExprParser::parseProduct() {
  ExprPtr value = leftAssociative(&ExprParser::parseFactor, {"*", "//", "%"});
  for (const char *op : {"/", "**"})
    if (in.isOp(op))
      templateError(in.line(),
                    std::string("operator '") + op + "' is not supported; numbers are whole");
  return value;
}

ExprPtr ExprParser::parseUnary(bool withFilters) {
  ExprPtr value;
  if (in.acceptOp("-")) {
    if (++nesting > maxDepth)
      templateError(in.line(), "expression nested deeper than " + std::to_string(maxDepth));
    value = make(Expr::Negate, exprs(parseUnary(false)));
    --nesting;
  } else {
    value = parsePostfix(parsePrimary());
  }
  return withFilters ? parseFiltersAndTests(std::move(value)) : std::move(value);
}

ExprPtr ExprParser::parsePrimary() {
  const TemplateToken &token = in.peek();
  if (token.kind == TemplateToken::Name)
    return parseNameOrCall();
  if (token.kind == TemplateToken::String) {
    std::string text;
    while (in.peek().kind == TemplateToken::String) // adjacent ones join
      text += in.take().text;
    ExprPtr literal = make(Expr::Literal);
    literal->literal = Value::string(std::move(text));
    return literal;
  }
  if (token.kind == TemplateToken::Integer) {
    int64_t number = 0;
    const char *end = token.text.data() + token.text.size();
    if (std::from_chars(token.text.data(), end, number).ec != std::errc())
      templateError(token.line, "number " + token.text + " is too large");
    in.take();
    ExprPtr literal = make(Expr::Literal);
    literal->literal = Value::integer(number);
    return literal;
  }
  if (in.acceptOp("("))
    return parseParenthesized();
  if (in.acceptOp("["))
    return parseList();
  if (in.acceptOp("{"))
    return parseDict();
  in.unexpected("a value");
}

ExprPtr ExprParser::parseNameOrCall() {
  std::string name = in.take().text;
  ExprPtr literal = make(Expr::Literal);
  if (name == "none" || name == "None")
    return literal;
  if (name == "true" || name == "True" || name == "false" || name == "False") {
    literal->literal = Value::boolean(name == "true" || name == "True");
    return literal;
  }
  if (!in.acceptOp("("))
    return make(Expr::Name, {}, std::move(name));
  ExprPtr call = make(Expr::Call, {}, std::move(name));
  parseArguments(*call);
  return checked(std::move(call));
}

// A value in parentheses, or a tuple, which is treated as a list.
ExprPtr ExprParser::parseParenthesized() {
  if (in.acceptOp(")"))
    return make(Expr::List);
  ExprPtr value = parse();
  if (in.acceptOp(")"))
    return value;
  ExprPtr tuple = make(Expr::List, exprs(std::move(value)));
  while (in.acceptOp(",") && !in.isOp(")"))
    tuple->args.push_back(parse());
  in.expectOp(")");
  return checked(std::move(tuple));
}

ExprPtr ExprParser::parseList() {
  ExprPtr list = make(Expr::List);
  while (!in.isOp("]")) {
    list->args.push_back(parse());
    if (!in.acceptOp(","))
      break;
  }
  in.expectOp("]");
  return checked(std::move(list));
}

ExprPtr ExprParser::parseDict() {
  ExprPtr dict = make(Expr::Dict);
  while (!in.isOp("}")) {
    dict->args.push_back(parse());
    in.expectOp(":");
    dict->args.push_back(parse());
    if (!in.acceptOp(","))
      break;
  }
  in.expectOp("}");
  return checked(std::move(dict));
}

ExprPtr ExprParser::parsePostfix(ExprPtr value) {
  for (;;) {
    if (in.acceptOp(".")) {
      std::string name = in.expectName("an attribute's name");
      bool isCall = in.acceptOp("(");
      value =
          make(isCall ? Expr::Method : Expr::Attribute, exprs(std::move(value)), std::move(name));
      if (isCall) {
        parseArguments(*value);
        value = checked(std::move(value));
      }
    } else if (in.acceptOp("[")) {
      value = parseSubscript(std::move(value));
    } else if (in.isOp("(")) {
      templateError(in.line(), "a call of something other than a named "
                               "function or method is not supported");
    } else {
      return value;
    }
  }
}

ExprPtr ExprParser::parseSubscript(ExprPtr object) {
  ExprPtr parts[3];
  int part = 0;
  for (; part < 3; ++part) {
    if (!in.isOp(":") && !in.isOp("]"))
      parts[part] = parse();
    if (!in.acceptOp(":"))
      break;
  }
  bool isSlice = part > 0;
  if (!isSlice && !parts[0])
    in.unexpected("an index");
  in.expectOp("]");
  if (!isSlice)
    return make(Expr::Index, exprs(std::move(object), std::move(parts[0])));
  return make(Expr::Slice, exprs(std::move(object), std::move(parts[0]), std::move(parts[1]),
                                 std::move(parts[2])));
}

void ExprParser::parseArguments(Expr &call) {
  while (!in.isOp(")")) {
    if (in.isOp("*") || in.isOp("**"))
      templateError(in.line(), "argument unpacking with '" + in.peek().text + "' is not supported");
    bool isNamed = in.peek().kind == TemplateToken::Name &&
                   in.peek(1).kind == TemplateToken::Operator && in.peek(1).text == "=";
    if (isNamed) {
      std::string name = in.take().text;
      in.take();
      call.named.emplace_back(std::move(name), parse());
    } else {
      call.args.push_back(parse());
    }
    if (!in.acceptOp(","))
      break;
  }
  in.expectOp(")");
}

ExprPtr ExprParser::parseFiltersAndTests(ExprPtr value) {
  for (;;) {
    if (in.acceptOp("|")) {
      std::string name = in.expectName("a filter's name");
      value = make(Expr::Filter, exprs(std::move(value)), std::move(name));
      if (in.acceptOp("(")) {
        parseArguments(*value);
        value = checked(std::move(value));
      }
      value = parsePostfix(std::move(value));
    } else if (in.acceptName("is")) {
      value = parseTest(std::move(value));
    } else {
      return value;
    }
  }
}

// Whether what follows a test's name is its argument without parentheses.
bool ExprParser::atTestArgument() const {
  const TemplateToken &next = in.peek();
  if (next.kind == TemplateToken::Name)
    return next.text != "else" && next.text != "or" && next.text != "and" && next.text != "is" &&
           next.text != "not" && next.text != "in";
  return next.kind == TemplateToken::String || next.kind == TemplateToken::Integer ||
         in.isOp("[") || in.isOp("{");
}

ExprPtr ExprParser::parseTest(ExprPtr value) {
  bool negated = in.acceptName("not");
  std::string name = in.expectName("a test's name");
  value = make(Expr::Test, exprs(std::move(value)), std::move(name));
  if (in.acceptOp("(")) {
    parseArguments(*value);
    value = checked(std::move(value));
  } else if (atTestArgument()) { // "x is divisibleby 3"
    value->args.push_back(parsePostfix(parsePrimary()));
    value = checked(std::move(value));
  }
  return negated ? make(Expr::Not, exprs(std::move(value))) : std::move(value);
}

} // namespace moec::rt::text
