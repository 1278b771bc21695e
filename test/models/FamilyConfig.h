// The config of a golden with keys changed, and what its family says of it.
#pragma once

#include "models/Models.h"
#include "test/frontend/TestFiles.h"

namespace moec::models::test {

using frontend::test::hasPart;

class FamilyConfig {
public:
  /// The config.json of test/golden/Inputs/<name>.
  explicit FamilyConfig(const std::string &name) {
    std::string path = frontend::test::golden(name + "/config.json");
    json = frontend::test::valueOf(
        frontend::parseJson(frontend::test::valueOf(frontend::readTextFile(path, 1 << 20)), path));
  }

  frontend::Json json;

  llvm::Expected<frontend::Decoder> describe() const {
    auto checkpoint = frontend::Checkpoint::fromConfig(json, "config.json");
    return checkpoint ? describeModel(**checkpoint) : checkpoint.takeError();
  }
  std::string error() const { return frontend::test::errorOf(describe()); }

  /// The error with one key changed.
  std::string with(const char *key, frontend::Json value) const {
    FamilyConfig changed = *this;
    changed.json[key] = std::move(value);
    return changed.error();
  }
  /// The error with one key of the rope's scaling changed.
  std::string withRope(const char *key, frontend::Json value) const {
    frontend::Json rope = json["rope_scaling"];
    rope[key] = std::move(value);
    return with("rope_scaling", rope);
  }

  /// Expects an error that names the key for each of them, when it is not there.
  void expectRequired(std::initializer_list<const char *> keys) const {
    for (const char *key : keys) {
      FamilyConfig changed = *this;
      changed.json.erase(key);
      EXPECT_HAS(changed.error(), "'config.json': key '" + std::string(key) + "' is missing");
    }
  }
};

template <typename Attention>
const Attention &attentionOf(const frontend::Decoder &decoder, size_t layer = 0) {
  return std::get<Attention>(decoder.layers[layer].attention);
}

/// Null when the layer is dense.
inline const frontend::Experts *expertsOf(const frontend::Decoder &decoder, size_t layer) {
  return std::get_if<frontend::Experts>(&decoder.layers[layer].feedForward);
}

} // namespace moec::models::test
