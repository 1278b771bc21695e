#include "runtime/text/TemplateValue.h"
#include "runtime/text/TextError.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace moec::rt::text {

namespace {

constexpr unsigned maxValueDepth = 32;

constexpr size_t maxValueWeight = 8000000;

void addPart(Value::Size &whole, const Value &part) {
  if (part.is(Value::Namespace))
    throw TextError("chat template: a namespace inside another value is not "
                    "supported");
  whole.depth = std::max(whole.depth, part.size().depth + 1);
  whole.weight += part.size().weight;
  if (whole.depth > maxValueDepth)
    throw TextError("chat template: values nested deeper than " + std::to_string(maxValueDepth));
  if (whole.weight > maxValueWeight)
    throw TextError("chat template: a list or dict larger than " + std::to_string(maxValueWeight) +
                    " units");
}

} // namespace

Value Value::list(ValueList items) {
  Size size{1, 1};
  for (const Value &item : items)
    addPart(size, item);
  return with(std::make_shared<const ListData>(ListData{std::move(items), size}));
}

Value Value::dict(ValueDict items) {
  Size size{1, 1};
  for (const auto &[key, item] : items) {
    size.weight += key.size() / 16;
    addPart(size, item);
  }
  return with(std::make_shared<const DictData>(DictData{std::move(items), size}));
}

const char *Value::kindName() const {
  static constexpr const char *names[] = {"undefined", "none",   "a boolean", "a number",
                                          "a string",  "a list", "a dict",    "a namespace"};
  return names[kind()];
}

Value::Size Value::size() const {
  if (auto list = std::get_if<std::shared_ptr<const ListData>>(&data))
    return (*list)->size;
  if (auto dict = std::get_if<std::shared_ptr<const DictData>>(&data))
    return (*dict)->size;
  return {0, is(String) ? 1 + str().size() / 16 : 1};
}

const Value *Value::find(std::string_view key) const {
  for (const auto &[name, value] : entries())
    if (name == key)
      return &value;
  return nullptr;
}

bool Value::truthy() const {
  switch (kind()) {
  case Undefined:
  case None:
    return false;
  case Bool:
  case Int:
    return number() != 0;
  case String:
    return !str().empty();
  case List:
    return !items().empty();
  case Dict:
    return !entries().empty();
  case Namespace:
    return true;
  }
  return false;
}

bool Value::equals(const Value &other) const {
  if (isNumber() && other.isNumber())
    return number() == other.number();
  if (kind() != other.kind())
    return false;
  switch (kind()) {
  case String:
    return str() == other.str();
  case List:
    return std::equal(items().begin(), items().end(), other.items().begin(), other.items().end(),
                      [](const Value &a, const Value &b) { return a.equals(b); });
  case Dict:
    if (entries().size() != other.entries().size())
      return false;
    for (const auto &[key, value] : entries()) {
      const Value *same = other.find(key);
      if (!same || !value.equals(*same))
        return false;
    }
    return true;
  case Namespace:
    return &attributes() == &other.attributes();
  default:
    return true; // undefined, none
  }
}

std::string valueToText(const Value &value) {
  switch (value.kind()) {
  case Value::Undefined:
    return "";
  case Value::None:
    return "None";
  case Value::Bool:
    return value.number() ? "True" : "False";
  case Value::Int:
    return std::to_string(value.number());
  case Value::String:
    return value.str();
  default:
    throw TextError(std::string("chat template: ") + value.kindName() +
                    " as text is not supported; use the filter tojson");
  }
}

namespace {

// `depth`: lists and dicts around this value.
void writeJson(const Value &value, int indent, int depth, std::string &out) {
  auto quoted = [](const std::string &text) {
    return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  };
  auto newLine = [&](int level) {
    if (indent >= 0)
      out.append("\n").append(size_t(indent) * size_t(level), ' ');
  };
  // Opens, separates and closes the parts of a list or dict.
  auto parts = [&](char open, char close, const auto &items, auto writePart) {
    out += open;
    bool first = true;
    for (const auto &item : items) {
      if (!first)
        out += indent >= 0 ? "," : ", ";
      first = false;
      newLine(depth + 1);
      writePart(item);
    }
    if (!first)
      newLine(depth);
    out += close;
  };
  switch (value.kind()) {
  case Value::None:
    out += "null";
    break;
  case Value::Bool:
    out += value.number() ? "true" : "false";
    break;
  case Value::Int:
    out += std::to_string(value.number());
    break;
  case Value::String:
    out += quoted(value.str());
    break;
  case Value::List:
    parts('[', ']', value.items(),
          [&](const Value &item) { writeJson(item, indent, depth + 1, out); });
    break;
  case Value::Dict:
    parts('{', '}', value.entries(), [&](const auto &entry) {
      out += quoted(entry.first) + ": ";
      writeJson(entry.second, indent, depth + 1, out);
    });
    break;
  default:
    throw TextError(std::string("chat template: ") + value.kindName() +
                    " as JSON is not supported");
  }
}

} // namespace

std::string valueToJson(const Value &value, int indent) {
  std::string out;
  writeJson(value, indent, 0, out);
  return out;
}

} // namespace moec::rt::text
