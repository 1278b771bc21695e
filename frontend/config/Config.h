// Checked access to a config.json object. A family asks for its keys, each with
// its type and range; every fault is noted, none stops the reading, and
// `finish` returns them all. Keys that nobody asked for and that the family did
// not list as harmless are faults too: a key that is not understood may change
// what the model computes.
//
//   ConfigReader config(json, "config.json");
//   int64_t hidden = config.requiredInt("hidden_size", 1, 1 << 20);
//   auto rank = config.nullableInt("q_lora_rank", 1, 1 << 20);
//   config.harmless({"use_cache", "torch_dtype"});
//   if (Error error = config.finish()) ...
#pragma once

#include "frontend/Json.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringSet.h"
#include <memory>
#include <optional>
#include <vector>

namespace moec::frontend {

class ConfigReader {
public:
  /// `json` must outlive the reader; `file` names it in messages.
  ConfigReader(const Json &json, llvm::StringRef file);

  bool has(llvm::StringRef key) const; // there and not null

  /// Bounds are inclusive. After a fault the returned value is within them, so
  /// that reading can go on.
  int64_t requiredInt(llvm::StringRef key, int64_t min, int64_t max);
  int64_t optionalInt(llvm::StringRef key, int64_t otherwise, int64_t min, int64_t max);
  /// Absent and null mean nothing.
  std::optional<int64_t> nullableInt(llvm::StringRef key, int64_t min, int64_t max);
  double requiredFloat(llvm::StringRef key, double min, double max);
  double optionalFloat(llvm::StringRef key, double otherwise, double min, double max);
  bool requiredBool(llvm::StringRef key);
  bool optionalBool(llvm::StringRef key, bool otherwise);
  std::string requiredString(llvm::StringRef key);
  std::string optionalString(llvm::StringRef key, llvm::StringRef otherwise);
  /// A string out of `supported`; absent means `supported[0]` unless required.
  std::string requiredOneOf(llvm::StringRef key, llvm::ArrayRef<llvm::StringRef> supported);
  std::string optionalOneOf(llvm::StringRef key, llvm::ArrayRef<llvm::StringRef> supported);
  std::vector<int64_t> requiredIntList(llvm::StringRef key, size_t length, int64_t min,
                                       int64_t max);
  /// Token ids come as one number or as a list; absent and null are empty.
  std::vector<int64_t> optionalIntOrList(llvm::StringRef key, int64_t min, int64_t max);
  /// A list of strings that must all be `only`; absent and null are empty.
  void optionalListOf(llvm::StringRef key, llvm::StringRef only);
  /// A nested object; null when absent or null. Lives as long as this reader
  /// and is finished with it.
  ConfigReader *optionalObject(llvm::StringRef key);

  /// Keys that may be there and do not change what is computed.
  void harmless(llvm::ArrayRef<llvm::StringRef> keys);

  /// Notes that `key` holds a value that is understood but not supported.
  void unsupported(llvm::StringRef key, llvm::StringRef supported);
  /// Notes a fault that concerns `key`, e.g. a contradiction with another.
  void fault(llvm::StringRef key, llvm::StringRef text);

  /// All faults of this object and its nested ones, one a line.
  llvm::Error finish();

private:
  ConfigReader(const Json &json, llvm::StringRef file, std::string prefix);
  const Json *take(llvm::StringRef key); // marks it read; null when absent
  const Json *require(llvm::StringRef key, llvm::StringRef expected);
  void mismatch(llvm::StringRef key, llvm::StringRef expected, const Json &found);
  std::optional<int64_t> intValue(llvm::StringRef key, const Json &value, int64_t min, int64_t max);
  std::optional<double> floatValue(llvm::StringRef key, const Json &value, double min, double max);
  std::string oneOf(llvm::StringRef key, const Json *value,
                    llvm::ArrayRef<llvm::StringRef> supported);
  void collect(std::vector<std::string> &all);

  const Json &json;
  std::string file;
  std::string prefix; // "rope_scaling." inside that object
  llvm::StringSet<> known;
  std::vector<std::string> faults;
  std::vector<std::unique_ptr<ConfigReader>> children;
};

} // namespace moec::frontend
