#include "runtime/text/JsonView.h"
#include "runtime/text/TextError.h"

namespace moec::rt::text {

namespace {

constexpr int maxNesting = 64;

// Scanned before parsing, so that a hostile file costs no memory per level.
void checkNesting(std::string_view text, const std::string &file) {
  int depth = 0;
  bool inString = false;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (inString) {
      if (c == '\\')
        ++i;
      else if (c == '"')
        inString = false;
    } else if (c == '"') {
      inString = true;
    } else if (c == '[' || c == '{') {
      if (++depth > maxNesting)
        throw TextError(file + ": nested deeper than " + std::to_string(maxNesting) +
                        " levels at byte " + std::to_string(i));
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
}

// A value as shown in messages: JSON, cut to a readable length.
std::string shown(const Json &value) {
  if (value.is_object())
    return "an object";
  if (value.is_array())
    return "an array of " + std::to_string(value.size());
  std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  return text.size() > 120 ? text.substr(0, 117) + "..." : text;
}

} // namespace

Json parseJson(std::string_view text, const std::string &file) {
  checkNesting(text, file);
  try {
    return Json::parse(text.begin(), text.end());
  } catch (const Json::exception &error) {
    throw TextError(file + ": not valid JSON: " + error.what());
  }
}

void JsonView::wrongType(const char *expected) const {
  throw TextError(where + " is " + shown(*json) + ", expected " + expected);
}

void JsonView::unsupported(const std::string &supported) const {
  throw TextError(where + " is " + shown(*json) +
                  ", which is not supported; supported: " + supported);
}

bool JsonView::has(const char *key) const {
  if (!json->is_object())
    return false;
  auto it = json->find(key);
  return it != json->end() && !it->is_null();
}

JsonView JsonView::at(const char *key) const {
  requireObject();
  auto it = json->find(key);
  if (it == json->end())
    throw TextError(where + " has no key '" + key + "'");
  return {*it, where + "." + key};
}

JsonView JsonView::at(size_t index) const {
  requireArray();
  return {json->at(index), where + "[" + std::to_string(index) + "]"};
}

void JsonView::requireObject() const {
  if (!json->is_object())
    wrongType("an object");
}

void JsonView::requireArray() const {
  if (!json->is_array())
    wrongType("an array");
}

const std::string &JsonView::asString() const {
  if (!json->is_string())
    wrongType("a string");
  return json->get_ref<const std::string &>();
}

bool JsonView::asBool() const {
  if (!json->is_boolean())
    wrongType("true or false");
  return json->get<bool>();
}

int64_t JsonView::asInt() const {
  if (!json->is_number_integer())
    wrongType("an integer");
  if (json->is_number_unsigned() && json->get<uint64_t>() > static_cast<uint64_t>(INT64_MAX))
    wrongType("an integer of 64 bits");
  return json->get<int64_t>();
}

bool JsonView::boolOr(const char *key, bool fallback) const {
  return has(key) ? at(key).asBool() : fallback;
}

std::string JsonView::stringOr(const char *key, const char *fallback) const {
  return has(key) ? at(key).asString() : fallback;
}

void JsonView::allowOnly(const char *key, const Json &only) const {
  if (has(key) && at(key).raw() != only)
    at(key).unsupported("null or " + only.dump());
}

std::string specialTokenName(const JsonView &config, const char *key) {
  if (!config.has(key))
    return "";
  JsonView value = config.at(key);
  return value.raw().is_object() ? value.at("content").asString() : value.asString();
}

} // namespace moec::rt::text
