#include "frontend/config/Config.h"
#include "frontend/Errors.h"
#include "llvm/ADT/StringExtras.h"
#include <algorithm>
#include <cmath>

using namespace llvm;
using namespace moec::frontend;

ConfigReader::ConfigReader(const Json &json, StringRef file) : ConfigReader(json, file, "") {}

ConfigReader::ConfigReader(const Json &json, StringRef file, std::string prefix)
    : json(json), file(file.str()), prefix(std::move(prefix)) {
  if (!json.is_object())
    faults.push_back(formatv("'{0}' must hold an object, found {1}", file, kindOf(json)).str());
}

const Json *ConfigReader::take(StringRef key) {
  known.insert(key);
  auto it = json.is_object() ? json.find(key.str()) : json.end();
  return it == json.end() ? nullptr : &*it;
}

bool ConfigReader::has(StringRef key) const {
  auto it = json.is_object() ? json.find(key.str()) : json.end();
  return it != json.end() && !it->is_null();
}

void ConfigReader::fault(StringRef key, StringRef text) {
  faults.push_back(formatv("'{0}': key '{1}{2}' {3}", file, prefix, printable(key), text).str());
}

void ConfigReader::mismatch(StringRef key, StringRef expected, const Json &found) {
  bool showKind = found.is_structured() || found.is_null();
  fault(key,
        formatv("must be {0}, found {1}", expected, showKind ? kindOf(found) : shortText(found))
            .str());
}

void ConfigReader::unsupported(StringRef key, StringRef supported) {
  auto it = json.find(key.str());
  fault(key, formatv("has the unsupported value {0}; supported: {1}",
                     it == json.end() ? "(absent)" : shortText(*it), supported)
                 .str());
}

const Json *ConfigReader::require(StringRef key, StringRef expected) {
  const Json *value = take(key);
  if (!value)
    fault(key, formatv("is missing; expected {0}", expected).str());
  return value;
}

//===-- Numbers ----------------------------------------------------------===//

std::optional<int64_t> ConfigReader::intValue(StringRef key, const Json &value, int64_t min,
                                              int64_t max) {
  bool fits = value.is_number_unsigned() ? value.get<uint64_t>() <= static_cast<uint64_t>(INT64_MAX)
                                         : value.is_number_integer();
  if (fits && value.get<int64_t>() >= min && value.get<int64_t>() <= max)
    return value.get<int64_t>();
  mismatch(key, formatv("an integer from {0} to {1}", min, max).str(), value);
  return std::nullopt;
}

int64_t ConfigReader::requiredInt(StringRef key, int64_t min, int64_t max) {
  const Json *value = require(key, formatv("an integer from {0} to {1}", min, max).str());
  return value ? intValue(key, *value, min, max).value_or(min) : min;
}

int64_t ConfigReader::optionalInt(StringRef key, int64_t otherwise, int64_t min, int64_t max) {
  const Json *value = take(key);
  return value ? intValue(key, *value, min, max).value_or(otherwise) : otherwise;
}

std::optional<int64_t> ConfigReader::nullableInt(StringRef key, int64_t min, int64_t max) {
  const Json *value = take(key);
  if (!value || value->is_null())
    return std::nullopt;
  return intValue(key, *value, min, max);
}

std::optional<double> ConfigReader::floatValue(StringRef key, const Json &value, double min,
                                               double max) {
  if (value.is_number()) {
    double number = value.get<double>();
    if (std::isfinite(number) && number >= min && number <= max)
      return number;
  }
  mismatch(key, formatv("a number from {0} to {1}", min, max).str(), value);
  return std::nullopt;
}

double ConfigReader::requiredFloat(StringRef key, double min, double max) {
  const Json *value = require(key, formatv("a number from {0} to {1}", min, max).str());
  return value ? floatValue(key, *value, min, max).value_or(min) : min;
}

double ConfigReader::optionalFloat(StringRef key, double otherwise, double min, double max) {
  const Json *value = take(key);
  return value ? floatValue(key, *value, min, max).value_or(otherwise) : otherwise;
}

//===-- Booleans and strings ---------------------------------------------===//

bool ConfigReader::requiredBool(StringRef key) {
  return require(key, "true or false") ? optionalBool(key, false) : false;
}

bool ConfigReader::optionalBool(StringRef key, bool otherwise) {
  const Json *value = take(key);
  if (!value)
    return otherwise;
  if (value->is_boolean())
    return value->get<bool>();
  mismatch(key, "true or false", *value);
  return otherwise;
}

std::string ConfigReader::requiredString(StringRef key) {
  return require(key, "a string") ? optionalString(key, "") : "";
}

std::string ConfigReader::optionalString(StringRef key, StringRef otherwise) {
  const Json *value = take(key);
  if (!value)
    return otherwise.str();
  if (value->is_string())
    return value->get<std::string>();
  mismatch(key, "a string", *value);
  return otherwise.str();
}

std::string ConfigReader::oneOf(StringRef key, const Json *value, ArrayRef<StringRef> supported) {
  if (!value)
    return supported.front().str();
  if (!value->is_string()) {
    mismatch(key, "a string", *value);
  } else {
    std::string text = value->get<std::string>();
    if (is_contained(supported, StringRef(text)))
      return text;
    unsupported(key, join(supported, ", "));
  }
  return supported.front().str();
}

std::string ConfigReader::requiredOneOf(StringRef key, ArrayRef<StringRef> supported) {
  return oneOf(key, require(key, "one of: " + join(supported, ", ")), supported);
}

std::string ConfigReader::optionalOneOf(StringRef key, ArrayRef<StringRef> supported) {
  return oneOf(key, take(key), supported);
}

//===-- Lists and objects ------------------------------------------------===//

std::vector<int64_t> ConfigReader::requiredIntList(StringRef key, size_t length, int64_t min,
                                                   int64_t max) {
  std::vector<int64_t> list(length, min);
  std::string expected = formatv("a list of {0} integers from {1} to {2}", length, min, max).str();
  const Json *value = require(key, expected);
  if (!value)
    return list;
  if (!value->is_array() || value->size() != length) {
    fault(key, formatv("must be {0}, found {1}", expected, shortText(*value)).str());
    return list;
  }
  for (size_t i = 0; i < length; ++i)
    list[i] = intValue(key, (*value)[i], min, max).value_or(min);
  return list;
}

std::vector<int64_t> ConfigReader::optionalIntOrList(StringRef key, int64_t min, int64_t max) {
  const Json *value = take(key);
  std::vector<int64_t> list;
  if (!value || value->is_null())
    return list;
  if (!value->is_array()) {
    if (auto number = intValue(key, *value, min, max))
      list.push_back(*number);
    return list;
  }
  for (const Json &element : *value)
    if (auto number = intValue(key, element, min, max))
      list.push_back(*number);
  return list;
}

void ConfigReader::optionalListOf(StringRef key, StringRef only) {
  const Json *value = take(key);
  if (!value || value->is_null())
    return;
  if (!value->is_array())
    return mismatch(key, "a list of strings", *value);
  for (const Json &element : *value)
    if (!element.is_string() || element.get_ref<const std::string &>() != only)
      return unsupported(key, formatv("only \"{0}\"", only).str());
}

ConfigReader *ConfigReader::optionalObject(StringRef key) {
  const Json *value = take(key);
  if (!value || value->is_null())
    return nullptr;
  if (!value->is_object()) {
    mismatch(key, "an object", *value);
    return nullptr;
  }
  children.push_back(
      std::unique_ptr<ConfigReader>(new ConfigReader(*value, file, prefix + key.str() + ".")));
  return children.back().get();
}

//===-- The end ----------------------------------------------------------===//

void ConfigReader::harmless(ArrayRef<StringRef> keys) {
  for (StringRef key : keys)
    known.insert(key);
}

void ConfigReader::collect(std::vector<std::string> &all) {
  if (json.is_object())
    for (const auto &[key, value] : json.items())
      if (!known.contains(key))
        faults.push_back(formatv("'{0}': unknown config key '{1}{2}' (value {3}) may change "
                                 "what the model computes; it is not supported",
                                 file, prefix, printable(key), shortText(value))
                             .str());
  all.insert(all.end(), faults.begin(), faults.end());
  for (auto &child : children)
    child->collect(all);
}

Error ConfigReader::finish() {
  std::vector<std::string> all;
  collect(all);
  if (all.empty())
    return Error::success();
  return createStringError(inconvertibleErrorCode(), join(all, "\n"));
}
