// Third stage of the chat template: runs the tree over variables.
#pragma once

#include "runtime/text/TemplateAst.h"
#include "runtime/text/TemplateBuiltins.h"

#include <string>
#include <unordered_map>

namespace moec::rt::text {

class TemplateEval {
public:
  using Scope = std::unordered_map<std::string, Value>;

  explicit TemplateEval(Scope globals) { scopes.push_back(std::move(globals)); }

  std::string run(const Body &body);

private:
  void runBody(const Body &body);
  void runIf(const Statement &statement);
  void runFor(const Statement &statement);
  void bindLoop(const Statement &statement, const Value &item);
  void runSet(const Statement &statement);
  void assign(const Statement &statement, Value value);
  void write(const std::string &text, int line);

  Value eval(const Expr &expr);
  Value lookUp(const std::string &name) const;
  Value evalDict(const Expr &expr);
  Value evalAttribute(const Value &object, const std::string &name, int line);
  Value evalIndex(const Value &object, const Value &index, int line);
  Value evalSlice(const Expr &expr);
  Value evalBinary(const Expr &expr);
  Value evalArithmetic(const std::string &op, const Value &left, const Value &right, int line);
  Value evalCompare(const Expr &expr);
  bool compare(const std::string &op, const Value &left, const Value &right, int line);
  bool contains(const Value &container, const Value &item, int line);
  CallArguments arguments(const Expr &expr, size_t firstArg, const char *kind);

  std::vector<Scope> scopes; // innermost last
  TemplateBudget budget;
  std::string out;
};

} // namespace moec::rt::text
