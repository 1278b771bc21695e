// Random tensor bytes, faster than a disk takes them: a pool of normal numbers
// is made once per standard deviation and element type, and a tensor is a
// sequence of slices of it at random places. Which slices is a matter of the
// seed and the tensor's name, so a tensor is the same whatever stands beside
// it.
#pragma once

#include "frontend/safetensors/SafeTensors.h"
#include <map>

namespace moec::models {

class RandomTensors {
public:
  explicit RandomTensors(uint64_t seed);

  using Sink = llvm::function_ref<llvm::Error(llvm::ArrayRef<uint8_t> moreBytes)>;

  /// Passes the bytes of `entry` to `sink`, piece by piece. Magnitudes keep
  /// activations near 1: matrices N(0, 1/K), norms near 1, embeddings N(0,
  /// 1/4), and the standard deviation of FP8 bytes is 448/4.5 with scales to
  /// match.
  llvm::Error fill(const frontend::SafeTensorsWriter::Entry &entry, Sink sink);

private:
  const std::vector<uint8_t> &pool(frontend::DType dtype, float mean, float deviation);
  llvm::Error fillScales(const frontend::SafeTensorsWriter::Entry &entry, Sink sink);

  uint64_t seed;
  std::vector<float> normals;
  std::map<std::tuple<frontend::DType, float, float>, std::vector<uint8_t>> pools;
};

} // namespace moec::models
