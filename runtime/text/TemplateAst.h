// The tree of a parsed chat template.
#pragma once

#include "runtime/text/TemplateValue.h"

#include <memory>
#include <string>
#include <vector>

namespace moec::rt::text {

struct Expr;
using ExprPtr = std::unique_ptr<Expr>;

struct Expr {
  enum Kind {
    Literal,     // literal
    Name,        // name
    List,        // args
    Dict,        // keys and values in turns in args
    Attribute,   // args[0].name
    Index,       // args[0][args[1]]
    Slice,       // args[0][args[1]:args[2]:args[3]], absent ones null
    Not,         // args[0]
    Negate,      // args[0]
    Binary,      // args[0] <name> args[1]: + - * // % ~
    Compare,     // args[0] ops[0] args[1] ops[1] args[2] ...
    And,         // args[0], args[1]
    Or,          // args[0], args[1]
    Conditional, // args: value, condition, otherwise (may be null)
    Call,        // name(args, named)
    Method,      // args[0].name(args[1]..., named)
    Filter,      // args[0] | name(args[1]..., named)
    Test         // args[0] is name(args[1]...)
  };
  Kind kind;
  int line;
  std::string name;
  Value literal;
  std::vector<ExprPtr> args;
  std::vector<std::pair<std::string, ExprPtr>> named;
  std::vector<std::string> ops;
  int depth = 1;
};

struct Statement;
using Body = std::vector<Statement>;

struct Statement {
  enum Kind {
    Text,     // text
    Output,   // exprs[0]
    If,       // exprs[i] guards bodies[i]; one more body is the else
    For,      // names in exprs[0] (if exprs[1], may be null): bodies[0],
              // else bodies[1]
    Set,      // names[0](.names[1]) = exprs[0]
    SetBlock, // names[0](.names[1]) = what bodies[0] writes
    Macro,    // names[0](names[1]=exprs[0], ...), defaults may be null: bodies[0]
    Scope,    // bodies[0], whose variables end with it
    Break,
    Continue
  };
  Kind kind;
  int line;
  std::string text;
  std::vector<std::string> names;
  std::vector<ExprPtr> exprs;
  std::vector<Body> bodies;
};

} // namespace moec::rt::text
