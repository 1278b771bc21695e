#include "codegen/bundle/Provenance.h"

#include "frontend/Errors.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

#include <xxhash.h>

using namespace llvm;
using namespace moec::bundle;
using namespace moec::frontend;

std::string moec::bundle::hashText(ArrayRef<uint8_t> bytes) {
  XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  return formatv("xxh3-128:{0:x-16}{1:x-16}", hash.high64, hash.low64);
}

static std::string hashOf(StringRef text) {
  return moec::bundle::hashText(arrayRefFromStringRef<uint8_t>(text));
}

static Expected<std::string> describeWeights(StringRef path) {
  auto file = MappedFile::open(path);
  if (!file)
    return file.takeError();
  ArrayRef<uint8_t> bytes = (*file)->bytes();
  if (bytes.size() < 8)
    return makeError("'{0}' was cut short while it was read", path);
  uint64_t headerBytes = support::endian::read64le(bytes.data());
  ArrayRef<uint8_t> header =
      bytes.take_front(std::min<uint64_t>(bytes.size() - 8, headerBytes) + 8);
  return formatv("header {0}, {1} bytes", hashText(header), bytes.size()).str();
}

Expected<KeyValues> moec::bundle::listTextFiles(const Checkpoint &checkpoint) {
  std::string config = checkpoint.config().dump(2) + "\n";
  if (sys::fs::exists(checkpoint.configPath())) {
    auto text = readTextFile(checkpoint.configPath(), /*limit=*/4 << 20);
    if (!text)
      return text.takeError();
    config = std::move(*text);
  }
  KeyValues files = {{"config.json", std::move(config)}};
  auto add = [&](const char *name, const std::optional<std::string> &text) {
    if (text)
      files.emplace_back(name, *text);
  };
  add("generation_config.json", checkpoint.generationConfig());
  add("tokenizer.json", checkpoint.tokenizer());
  add("tokenizer_config.json", checkpoint.tokenizerConfig());
  add("chat_template.jinja", checkpoint.chatTemplate());
  return files;
}

Expected<KeyValues> moec::bundle::describeSources(const Checkpoint &checkpoint) {
  auto texts = listTextFiles(checkpoint);
  if (!texts)
    return texts.takeError();
  KeyValues sources;
  for (const auto &[name, text] : *texts)
    sources.emplace_back(name, hashOf(text));
  for (const auto &shard : checkpoint.shards()) {
    auto description = describeWeights(shard->path());
    if (!description)
      return description.takeError();
    sources.emplace_back(sys::path::filename(shard->path()).str(), *description);
  }
  return sources;
}
