// Checked reading of untrusted JSON: a view of one value that knows its path,
// so that every complaint names file, key, what was found and what is expected.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace moec::rt::text {

using Json = nlohmann::json;

// Parses `text`; refuses what is no JSON or nests deeper than 64 levels.
Json parseJson(std::string_view text, const std::string &file);

class JsonView {
public:
  JsonView(const Json &value, std::string path) : json(&value), where(std::move(path)) {}

  const std::string &path() const { return where; }
  const Json &raw() const { return *json; }
  bool isNull() const { return json->is_null(); }

  bool has(const char *key) const; // an object with this key, not null
  JsonView at(const char *key) const;
  JsonView at(size_t index) const;
  size_t size() const { return json->size(); }

  void requireObject() const;
  void requireArray() const;
  const std::string &asString() const;
  bool asBool() const;
  int64_t asInt() const;

  bool boolOr(const char *key, bool fallback) const;
  std::string stringOr(const char *key, const char *fallback) const;

  // Throws "<path> is <value>; supported: <supported>".
  [[noreturn]] void unsupported(const std::string &supported) const;
  // Refuses any value of `key` but a missing one, null, or `only`.
  void allowOnly(const char *key, const Json &only) const;

private:
  [[noreturn]] void wrongType(const char *expected) const;

  const Json *json;
  std::string where;
};

// The spelling of a special token in tokenizer_config.json: a string, or an
// object with "content"; empty if it names none.
std::string specialTokenName(const JsonView &config, const char *key);

} // namespace moec::rt::text
