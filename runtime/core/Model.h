// An opened bundle, ready to make sessions: its device, its weights where the
// kernels can read them, and what its text files say about stopping.
#pragma once

#include "runtime/device/Device.h"

#include <vector>

namespace moec::rt {

struct ModelOptions {
  unsigned threads = 0;      // 0: one per CPU this process may run on
  bool verifyWeights = true; // check the weights' checksums (reads them all)
  bool describeOnly = false; // no device, no weights: any machine can do it
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

  /// Device address of weight `index`.
  const void *weight(uint32_t index) const { return weights[index]; }
  uint64_t weightBytes() const;

  /// Token ids that end a generation (generation_config.json, else
  /// config.json: "eos_token_id"); may be empty.
  const std::vector<int32_t> &stopTokens() const { return stops; }

private:
  void loadWeights();

  // Order matters: buffers and kernels go before the device, it before the map.
  BundleFile file;
  std::unique_ptr<Device> dev;
  std::vector<DeviceBuffer> filled;
  std::vector<const void *> weights;
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
