// The expressions of a chat template, by recursive descent in Jinja's order of
// precedence.
#pragma once

#include "runtime/text/TemplateAst.h"
#include "runtime/text/TemplateLexer.h"

#include <algorithm>
#include <initializer_list>
#include <string_view>

namespace moec::rt::text {

// Reads along the tokens; shared by expressions and statements.
class TokenCursor {
public:
  explicit TokenCursor(std::vector<TemplateToken> tokens) : tokens(std::move(tokens)) {}

  const TemplateToken &peek(size_t ahead = 0) const {
    return tokens[std::min(at + ahead, tokens.size() - 1)];
  }
  TemplateToken take();
  bool isOp(std::string_view op) const;
  bool isName(std::string_view name) const;
  bool acceptOp(std::string_view op);
  bool acceptName(std::string_view name);
  void expectOp(std::string_view op);
  std::string expectName(const char *what);
  [[noreturn]] void unexpected(const std::string &expected) const;
  int line() const { return peek().line; }

private:
  std::vector<TemplateToken> tokens;
  size_t at = 0;
};

class ExprParser {
public:
  explicit ExprParser(TokenCursor &cursor) : in(cursor) {}

  ExprPtr parse(); // with "a if b else c"
  ExprPtr parseOr();
  // What follows "for x in": commas make no list, "if" is the loop's filter.
  ExprPtr parseIterable() { return parseOr(); }

private:
  using Rule = ExprPtr (ExprParser::*)();
  ExprPtr leftAssociative(Rule operand, std::initializer_list<const char *> ops);
  ExprPtr parseAnd();
  ExprPtr parseNot();
  ExprPtr parseCompare();
  bool parseCompareOp(std::string &op);
  ExprPtr parseSum();
  ExprPtr parseConcat();
  ExprPtr parseProduct();
  ExprPtr parseUnary(bool withFilters);
  ExprPtr parseFactor() { return parseUnary(true); }
  ExprPtr parsePrimary();
  ExprPtr parseNameOrCall();
  ExprPtr parseParenthesized();
  ExprPtr parseList();
  ExprPtr parseDict();
  ExprPtr parsePostfix(ExprPtr value);
  ExprPtr parseSubscript(ExprPtr object);
  ExprPtr parseFiltersAndTests(ExprPtr value);
  ExprPtr parseTest(ExprPtr value);
  bool atTestArgument() const;
  void parseArguments(Expr &call);

  ExprPtr make(Expr::Kind kind, std::vector<ExprPtr> args = {}, std::string name = "");
  ExprPtr checked(ExprPtr expr);

  TokenCursor &in;
  int nesting = 0;
};

} // namespace moec::rt::text
