// A verified, memory-mapped bundle.
#pragma once

#include "runtime/bundle/Verify.h"

#include <span>
#include <string>
#include <string_view>

namespace moec::rt {

/// Owns the mapping; everything it hands out lives as long as it does.
class BundleFile {
public:
  /// `path` is a .moeb file, or a folder that holds rank-0.moeb. Throws Error.
  explicit BundleFile(const std::string &path, const VerifyOptions &options = {});
  ~BundleFile();
  BundleFile(const BundleFile &) = delete;
  BundleFile &operator=(const BundleFile &) = delete;

  const std::string &path() const { return filePath; }
  const fb::Manifest &manifest() const { return *root; }
  uint64_t fileBytes() const { return bytes.size(); }

  /// The bytes of segment `index`.
  std::span<const uint8_t> segment(uint32_t index) const;

  /// A carried text file such as "tokenizer.json"; empty when absent.
  std::string_view textFile(std::string_view name) const;

  /// The entry called `name`; null when absent ("prefill" and "decode" are
  /// there).
  const fb::Entry *entry(std::string_view name) const;

private:
  std::string filePath;
  std::span<const uint8_t> bytes;
  const fb::Manifest *root = nullptr;
};

} // namespace moec::rt
