#include "runtime/text/TemplateParser.h"
#include "runtime/text/TemplateExprParser.h"

#include <initializer_list>
#include <utility>

namespace moec::rt::text {

namespace {

constexpr int maxBlockNesting = 50;

class Parser {
public:
  explicit Parser(std::string_view source) : in(lexTemplate(source)), expr(in) {}

  Body run() {
    Body body = parseBody({});
    if (in.peek().kind != TemplateToken::End)
      templateError(in.line(), "'" + in.peek(1).text + "' without the block that it ends");
    return body;
  }

private:
  // Statements up to a block tag that begins with one of `ends`, or the end.
  // The "{%" and the name of that tag are not read.
  Body parseBody(std::initializer_list<const char *> ends) {
    if (++nesting > maxBlockNesting)
      templateError(in.line(), "blocks nested deeper than " + std::to_string(maxBlockNesting));
    int openLine = in.line();
    Body body;
    while (!atBodyEnd(body))
      ;
    if (ends.size() && in.peek().kind == TemplateToken::End)
      templateError(openLine, std::string("block has no '") + *(ends.end() - 1) + "'");
    --nesting;
    return body;
  }

  // Reads one statement; true at a tag that can only end a body.
  bool atBodyEnd(Body &body) {
    const TemplateToken &token = in.peek();
    switch (token.kind) {
    case TemplateToken::End:
      return true;
    case TemplateToken::Text:
      body.push_back({Statement::Text, token.line, token.text, {}, {}, {}});
      in.take();
      return false;
    case TemplateToken::OutputBegin: {
      in.take();
      Statement output{Statement::Output, token.line, "", {}, {}, {}};
      output.exprs.push_back(expr.parse());
      if (in.peek().kind != TemplateToken::OutputEnd)
        in.unexpected("'}}'");
      in.take();
      body.push_back(std::move(output));
      return false;
    }
    default:
      return atBlockTag(body);
    }
  }

  bool atBlockTag(Body &body) {
    const std::string &name = in.peek(1).text;
    for (const char *end :
         {"elif", "else", "endif", "endfor", "endset", "endmacro", "endgeneration"})
      if (name == end)
        return true;
    in.take();
    Statement statement{Statement::If, in.line(), "", {}, {}, {}};
    if (in.acceptName("if"))
      parseIf(statement);
    else if (in.acceptName("for"))
      parseFor(statement);
    else if (in.acceptName("set"))
      parseSet(statement);
    else if (in.acceptName("macro"))
      parseMacro(statement);
    else if (in.acceptName("generation"))
      parseGeneration(statement);
    else if (in.isName("break") || in.isName("continue"))
      parseJump(statement);
    else
      templateError(in.line(), "statement '" + in.peek().text +
                                   "' is not supported; supported: if, for, set, macro, "
                                   "break, continue, generation");
    body.push_back(std::move(statement));
    return false;
  }

  void endTag() {
    if (in.peek().kind != TemplateToken::BlockEnd)
      in.unexpected("'%}'");
    in.take();
  }
  // Reads "{% name", which a body stopped at.
  std::string takeBodyEnd() {
    in.take();
    return in.take().text;
  }
  void expectBodyEnd(const char *name) {
    int line = in.line();
    std::string found = takeBodyEnd();
    if (found != name)
      templateError(line, "'" + found + "' where '" + name + "' is expected");
    endTag();
  }

  void parseIf(Statement &statement) {
    statement.exprs.push_back(expr.parse());
    endTag();
    for (;;) {
      statement.bodies.push_back(parseBody({"elif", "else", "endif"}));
      if (in.peek(1).text == "elif") {
        takeBodyEnd();
        statement.exprs.push_back(expr.parse());
        endTag();
      } else if (in.peek(1).text == "else") {
        expectBodyEnd("else");
        statement.bodies.push_back(parseBody({"endif"}));
        return expectBodyEnd("endif");
      } else {
        return expectBodyEnd("endif");
      }
    }
  }

  void parseFor(Statement &statement) {
    statement.kind = Statement::For;
    do
      statement.names.push_back(in.expectName("a loop variable"));
    while (in.acceptOp(","));
    if (!in.acceptName("in"))
      in.unexpected("'in'");
    statement.exprs.push_back(expr.parseIterable());
    statement.exprs.push_back(in.acceptName("if") ? expr.parse() : nullptr);
    if (in.isName("recursive"))
      templateError(in.line(), "'recursive' loops are not supported");
    endTag();
    ++loops;
    statement.bodies.push_back(parseBody({"else", "endfor"}));
    --loops;
    if (in.peek(1).text == "else") {
      expectBodyEnd("else");
      statement.bodies.push_back(parseBody({"endfor"}));
    }
    expectBodyEnd("endfor");
  }

  void parseSet(Statement &statement) {
    statement.kind = Statement::Set;
    statement.names.push_back(in.expectName("a variable"));
    if (in.acceptOp("."))
      statement.names.push_back(in.expectName("an attribute's name"));
    if (in.isOp(","))
      templateError(in.line(), "'set' of several variables is not supported");
    if (in.acceptOp("=")) {
      statement.exprs.push_back(expr.parse());
      return endTag();
    }
    if (in.isOp("|"))
      templateError(in.line(), "'set' block with a filter is not supported");
    statement.kind = Statement::SetBlock;
    endTag();
    parseInner(statement, "endset");
  }

  // The body of a block that no loop around it can be left from.
  void parseInner(Statement &statement, const char *end) {
    int outerLoops = std::exchange(loops, 0);
    statement.bodies.push_back(parseBody({end}));
    loops = outerLoops;
    expectBodyEnd(end);
  }

  void parseMacro(Statement &statement) {
    statement.kind = Statement::Macro;
    if (nesting > 1)
      templateError(in.line(), "a macro inside another block is not supported");
    statement.names.push_back(in.expectName("a macro's name"));
    in.expectOp("(");
    while (!in.isOp(")")) {
      statement.names.push_back(in.expectName("a parameter's name"));
      statement.exprs.push_back(in.acceptOp("=") ? expr.parse() : nullptr);
      if (!in.acceptOp(","))
        break;
    }
    in.expectOp(")");
    endTag();
    parseInner(statement, "endmacro");
  }

  // Marks what the model writes, for training: rendered as it is.
  void parseGeneration(Statement &statement) {
    statement.kind = Statement::Scope;
    endTag();
    parseInner(statement, "endgeneration");
  }

  void parseJump(Statement &statement) {
    std::string name = in.take().text;
    statement.kind = name == "break" ? Statement::Break : Statement::Continue;
    if (loops == 0)
      templateError(in.line(), "'" + name + "' outside of a loop");
    endTag();
  }

  TokenCursor in;
  ExprParser expr;
  int nesting = 0; // of blocks
  int loops = 0;   // that a break or continue could mean
};

} // namespace

Body parseTemplate(std::string_view source) { return Parser(source).run(); }

} // namespace moec::rt::text
