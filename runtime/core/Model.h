// An opened bundle, ready to make sessions: its device, its weights where the
// kernels can read them, and what its text files say about stopping.
#pragma once

#include "runtime/device/Device.h"

#include <mutex>
#include <vector>

namespace moec::rt {

struct ModelOptions {
  DeviceOptions device = {};
  bool verifyWeights = true;  // check the weights' checksums (reads them all)
  bool describeOnly = false;  // no device, no weights: any machine can do it
  LoadProgress progress = {}; // called while weights are loaded
};

/// Safe to share between sessions on several threads.
class Model {
public:
  /// `path` is a .moeb file or a folder with rank-0.moeb. Throws Error.
  explicit Model(const std::string &path, const ModelOptions &options = {});

  const BundleFile &bundle() const { return file; }
  const fb::Manifest &manifest() const { return file.manifest(); }
  uint32_t vocabSize() const { return manifest().vocab_size(); }
  uint32_t maxContext() const { return manifest().max_context(); }

  /// Throws Error(Argument) when the model was opened to be described only.
  Device &device() const;

  /// Loads the weights, the first time. `needs` is what the caller allocates
  /// next: weights and needs must fit together, or nothing is loaded and
  /// Error(Capacity) names them all.
  void loadWeights(std::vector<MemoryNeed> needs = {}) const;
  /// Device address and size of weight `index`, once they are loaded.
  BufferView weight(uint32_t index) const {
    return {weights[index], manifest().weights()->Get(index)->bytes()};
  }
  uint64_t weightBytes() const;

  /// Token ids that end a generation (generation_config.json, else
  /// config.json: "eos_token_id"); may be empty.
  const std::vector<int32_t> &stopTokens() const { return stops; }

private:
  // Order matters: the device goes before the map.
  BundleFile file;
  std::unique_ptr<Device> dev;
  LoadProgress progress;
  mutable std::mutex loading;
  mutable std::vector<void *> weights; // empty until they are loaded
  std::vector<int32_t> stops;
};

/// A JSON object with what a bundle is and holds: model, target, sizes,
/// entries, numerics, provenance.
std::string describeJson(const BundleFile &bundle);

/// "eos_token_id" of a config text: a number or a list of numbers.
/// Throws Error(Bundle) for anything else or an id outside the vocabulary.
std::vector<int32_t> parseStopTokens(std::string_view configJson, const std::string &where,
                                     uint32_t vocab);

} // namespace moec::rt
