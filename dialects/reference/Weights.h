// Where weights come from: a provider gives checkpoint tensors (leaves), and a
// weight's recipe assembles them.
#pragma once

#include "dialects/moe/Recipe.h"
#include "dialects/reference/Value.h"

#include "llvm/ADT/DenseMap.h"

namespace moec::reference {

/// The elements of a checkpoint tensor, row-major: values, or codes as the
/// values that they stand for.
struct LeafData {
  std::vector<double> values;
  std::vector<double> scales; // of a quantized leaf
};

class WeightProvider {
public:
  virtual ~WeightProvider() = default;
  /// The data of a leaf; it must have as many elements as the leaf's type says.
  virtual llvm::Expected<LeafData> load(const moe::Leaf &leaf) = 0;
};

class Random;

/// Random codes and scales of a static type; values are of the given deviation.
LeafData drawQuantized(moe::QTensorType type, double deviation, Random &random);

/// Weights of no model, of sensible size: matrices of deviation 1/sqrt(columns),
/// vectors about 1, but about 0 when they are called bias. A leaf's values depend on
/// its name, its type and the seed only.
class RandomWeights : public WeightProvider {
public:
  explicit RandomWeights(uint64_t seed) : seed(seed) {}
  llvm::Expected<LeafData> load(const moe::Leaf &leaf) override;

private:
  uint64_t seed;
};

/// Assembled weights, kept by recipe and type.
class WeightStore {
public:
  explicit WeightStore(WeightProvider &provider) : provider(provider) {}
  llvm::Expected<ValuePtr> get(moe::WeightOp weight);

private:
  llvm::Expected<Value> assemble(moe::WeightOp weight);

  WeightProvider &provider;
  llvm::DenseMap<std::pair<mlir::Attribute, mlir::Type>, ValuePtr> kept;
};

} // namespace moec::reference
