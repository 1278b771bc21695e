// Makes small bundles by hand: a toy model that runs, and any damaged variant.
#pragma once

#include "runtime/bundle/Assemble.h"
#include "test/runtime/toy/ToyShape.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace moec::rt::test {

using Bytes = std::vector<uint8_t>;

using rt::assemble;
using rt::BundleParts;
using rt::reseal;

enum class ToyWeights { Present, Synthetic, None };

/// The toy model: prefill buckets of 4 and 16 tokens (16 and 8 output rows for
/// the larger), decode buckets of 1, 2 and 4 sequences.
BundleParts toyParts(ToyWeights weights = ToyWeights::Present);

/// The same model for a GPU of architecture `arch`: the images are the bytes
/// of `cubin` and, as its alternative, of `ptx`. toy_head reads `head` through a
/// tensor map, toy_attend its first cache.
BundleParts cudaToyParts(ToyWeights weights = ToyWeights::Present,
                         const std::string &arch = "sm_90a",
                         Bytes cubin = {'c', 'u', 'b', 'i', 'n'}, Bytes ptx = {'p', 't', 'x'});

/// Adds the entry "sample" of toy_sample, for as many rows as decode steps make.
void addSampling(BundleParts &parts);

/// Adds what a package of kernel tests needs: entry "head" (toy_head on up to 2
/// output rows), weights "hidden" [2, TOY_WIDTH], its products "products"
/// [2, TOY_VOCAB], "some" (5 of them) and "indices" (which), and the text file
/// cases.json.
void addCases(BundleParts &parts, const std::string &casesJson);

/// The toy model's weights as `ToyWeights::Present` stores them.
std::vector<float> toyEmbedding();
std::vector<float> toyHead();

/// Logits after the last of `tokens`, computed without any cache.
std::vector<float> toyLogits(std::span<const int32_t> tokens);

void writeFile(const std::string &path, std::span<const uint8_t> bytes);
Bytes readFile(const std::string &path);

/// A file under the test's temporary folder that deletes itself.
class TempFile {
public:
  explicit TempFile(const std::string &suffix);
  TempFile(const std::string &suffix, std::span<const uint8_t> bytes);
  ~TempFile();
  const std::string &path() const { return name; }

private:
  std::string name;
};

} // namespace moec::rt::test
