// The values of a chat template: what Python would hold, less floats. Lists and
// dicts never change once made, so copies share them.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace moec::rt::text {

class Value;
using ValueList = std::vector<Value>;
using ValueDict = std::vector<std::pair<std::string, Value>>; // in order

class Value {
public:
  enum Kind { Undefined, None, Bool, Int, String, List, Dict, Namespace };

  Value() : data(NoValue{}) {}
  static Value undefined(std::string name) {
    Value value;
    value.data = Missing{std::move(name)};
    return value;
  }
  static Value none() { return Value(); }
  static Value boolean(bool b) { return with(b); }
  static Value integer(int64_t i) { return with(i); }
  static Value string(std::string text) {
    return with(std::make_shared<const std::string>(std::move(text)));
  }
  // Both throw TextError if nested deeper than 32, too large (see Size), or
  // holding a namespace.
  static Value list(ValueList items);
  static Value dict(ValueDict items);
  static Value newNamespace() { return with(std::make_shared<std::map<std::string, Value>>()); }

  Kind kind() const { return Kind(data.index()); }
  bool is(Kind k) const { return kind() == k; }
  const char *kindName() const;

  // Each only for its kind.
  const std::string &undefinedName() const { return std::get<Missing>(data).name; }
  const std::string &str() const { return *std::get<std::shared_ptr<const std::string>>(data); }
  const ValueList &items() const { return std::get<std::shared_ptr<const ListData>>(data)->items; }
  const ValueDict &entries() const {
    return std::get<std::shared_ptr<const DictData>>(data)->items;
  }
  std::map<std::string, Value> &attributes() const {
    return *std::get<std::shared_ptr<std::map<std::string, Value>>>(data);
  }
  const Value *find(std::string_view key) const; // of a dict; or null

  bool isNumber() const { return is(Bool) || is(Int); }
  int64_t number() const { // True counts as 1
    return is(Bool) ? int64_t(std::get<bool>(data)) : std::get<int64_t>(data);
  }

  bool truthy() const;
  bool equals(const Value &other) const;
  // Extent as a tree. Shared parts count each time: walking a value costs its
  // weight, however few bytes it takes.
  struct Size {
    unsigned depth; // 0 for what holds no values
    size_t weight;  // one a value, and one for each 16 bytes of a string
  };
  Size size() const;

private:
  struct Missing {
    std::string name;
  };
  struct NoValue {};
  struct ListData {
    ValueList items;
    Size size;
  };
  struct DictData {
    ValueDict items;
    Size size;
  };
  template <typename T> static Value with(T content) {
    Value value;
    value.data = std::move(content);
    return value;
  }

  std::variant<Missing, NoValue, bool, int64_t, std::shared_ptr<const std::string>,
               std::shared_ptr<const ListData>, std::shared_ptr<const DictData>,
               std::shared_ptr<std::map<std::string, Value>>>
      data;
};

// Python's str() of a value; throws TextError for lists, dicts, namespaces.
std::string valueToText(const Value &value);
// Python's json.dumps(value, ensure_ascii=False, indent=indent); `indent` below
// 0 means all on one line.
std::string valueToJson(const Value &value, int indent = -1);

} // namespace moec::rt::text
