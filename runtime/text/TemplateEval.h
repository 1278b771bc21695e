// Third stage of the chat template: runs the tree over variables. A name is
// looked up from the innermost scope outwards; a macro's body sees its own
// scopes and the outermost one, as in Jinja.
#pragma once

#include "runtime/text/TemplateAst.h"
#include "runtime/text/TemplateBuiltins.h"

#include <string>
#include <unordered_map>

namespace moec::rt::text {

class TemplateEval {
public:
  using Scope = std::unordered_map<std::string, Value>;

  // `now`: seconds since 1970 for strftime_now().
  TemplateEval(Scope globals, int64_t now) : now(now) { scopes.push_back(std::move(globals)); }

  std::string run(const Body &body);

private:
  enum Flow { Next, Break, Continue }; // the last two: of the innermost loop

  Flow runBody(const Body &body);
  Flow runStatement(const Statement &statement);
  Flow runIf(const Statement &statement);
  void runFor(const Statement &statement);
  ValueList loopItems(const Statement &statement);
  void bindLoop(const Statement &statement, const Value &item);
  void runSet(const Statement &statement);
  // What the body writes, in a scope of its own.
  std::string captured(const Body &body);
  void assign(const Statement &statement, Value value);
  void write(const std::string &text, int line);

  Value eval(const Expr &expr);
  Value lookUp(const std::string &name) const;
  Value evalDict(const Expr &expr);
  Value evalIndex(const Expr &expr);
  Value evalBinary(const Expr &expr);
  Value evalSlice(const Expr &expr);
  Value evalCompare(const Expr &expr);
  Value evalTest(const Expr &expr);
  Value evalCall(const Expr &expr);
  Value callMacro(const Statement &macro, const CallArguments &args);
  void bindParameters(const Statement &macro, const CallArguments &args);
  CallArguments arguments(const Expr &expr, size_t firstArg, const char *kind);

  std::vector<Scope> scopes; // innermost last
  size_t firstScope = 1;     // of the running macro; those between 0 and it are hidden
  int macroDepth = 0;
  std::unordered_map<std::string, const Statement *> macros;
  int64_t now;
  TemplateBudget budget;
  std::string out;
};

} // namespace moec::rt::text
