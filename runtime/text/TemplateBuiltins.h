// What a chat template can call: filters, tests, methods of strings and dicts,
// and global functions. Unknown ones are refused by name.
#pragma once

#include "runtime/text/TemplateValue.h"

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace moec::rt::text {

// Bounds what a hostile template can cost: each evaluated node is one unit,
// each 16 bytes of a made string another.
class TemplateBudget {
public:
  static constexpr size_t maxUnits = 10000000;
  static constexpr size_t maxStringBytes = 64 << 20;

  void charge(size_t units, int line);
  // A string result; charges for its length and bounds it.
  Value string(std::string text, int line);
  // A list result; charges for its items.
  Value list(ValueList items, int line);
  // Refuses, before it is made, a string that string() would refuse.
  void expectString(size_t bytes, int line);

private:
  size_t used = 0;
};

struct CallArguments {
  std::string callee; // as shown in messages: "filter 'trim'"
  int line;
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> named;

  // Throws unless between `least` and `most` positional ones and no named.
  void expectCount(size_t least, size_t most) const;
  const std::string &stringAt(size_t index) const;
  int64_t intAt(size_t index) const;
};

Value callFilter(const std::string &name, const Value &input, const CallArguments &args,
                 TemplateBudget &budget);
bool callTest(const std::string &name, const Value &input, const CallArguments &args,
              TemplateBudget &budget);
Value callMethod(const std::string &name, const Value &object, const CallArguments &args,
                 TemplateBudget &budget);
// `now`: seconds since 1970.
Value callFunction(const std::string &name, const CallArguments &args, TemplateBudget &budget,
                   int64_t now);
// Whether `name` is a function, for "name is defined".
bool isTemplateFunction(const std::string &name);
// Whether Python's dict has a method of this name.
bool isDictMethod(const std::string &name);
// The [key, value] pairs of a dict.
Value dictItems(const Value &dict, int line, TemplateBudget &budget);

// The characters of a string, the items of a list, the keys of a dict; nothing
// for undefined. Throws for what cannot be looped over.
ValueList iterate(const Value &value, int line, TemplateBudget &budget);

} // namespace moec::rt::text
