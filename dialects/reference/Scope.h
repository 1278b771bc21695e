// The values that are known while a body is interpreted, and the meaning of
// each op. One function an op, overloaded on its class: its operands are looked
// up in the scope, its results returned in order.
#pragma once

#include "dialects/moe/MoeSamplingOps.h"
#include "dialects/reference/Value.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/FormatVariadic.h"

namespace moec::reference {

/// An error at an op: its name, the place in the model when known, the text.
llvm::Error makeError(mlir::Operation *op, const llvm::Twine &text);

/// Fails unless 0 <= index < size; `what` names the index.
llvm::Error checkIndex(mlir::Operation *op, llvm::StringRef what, int64_t index, int64_t size);

class Scope {
public:
  void set(mlir::Value name, ValuePtr value) { values[name] = std::move(value); }
  ValuePtr get(mlir::Value name) const { return values.lookup(name); }

  const Ints &ints(mlir::Value name) const { return std::get<Ints>(*get(name)); }
  const Quantized &quantized(mlir::Value name) const { return std::get<Quantized>(*get(name)); }
  const Cache &cache(mlir::Value name) const { return std::get<Cache>(*get(name)); }
  /// A float tensor, or what a quantized one stands for.
  const Tensor &tensor(mlir::Value name);

private:
  llvm::DenseMap<mlir::Value, ValuePtr> values;
  llvm::DenseMap<mlir::Value, std::shared_ptr<const Tensor>> dequantized;
};

/// Fails unless the values, which `op` reads row by row, have as many rows.
llvm::Error checkSameRows(mlir::Operation *op, const Scope &in, mlir::ValueRange values);

using Results = llvm::Expected<std::vector<Value>>;

/// A result list of these values.
template <typename... T> std::vector<Value> results(T &&...values) {
  std::vector<Value> list;
  (list.push_back(std::forward<T>(values)), ...);
  return list;
}

// Rows.cpp
Results evaluate(moe::EmbeddingOp op, Scope &in);
Results evaluate(moe::GatherRowsOp op, Scope &in);
Results evaluate(moe::AddOp op, Scope &in);
Results evaluate(moe::RmsNormOp op, Scope &in);
Results evaluate(moe::SwigluOp op, Scope &in);
Results evaluate(moe::SliceOp op, Scope &in);
Results evaluate(moe::DeinterleaveOp op, Scope &in);
Results evaluate(moe::ConcatOp op, Scope &in);
Results evaluate(moe::RopeOp op, Scope &in);
/// silu(gate) * up
double swiglu(double gate, double up);

// Quantization.cpp
Results evaluate(moe::QuantizeOp op, Scope &in);
Results evaluate(moe::DequantizeOp op, Scope &in);
/// Codes and scale of x[0 .. size), as moe.quantize makes them.
double quantizeBlock(const double *x, int64_t size, mlir::Type scaleType, double *codes);
/// The same for columns of a cached row: the scale is the next power of 2.
double quantizeCacheBlock(const double *x, int64_t size, double *codes);

// Linear.cpp
Results evaluate(moe::LinearOp op, Scope &in);
Results evaluate(moe::HeadLinearOp op, Scope &in);
/// The sum of x[i] * y[i].
double dot(const double *x, const double *y, int64_t size);

// Attention.cpp
Results evaluate(moe::CacheAppendOp op, Scope &in);
/// A row as a cache of this type holds it.
void roundCacheRow(moe::CacheType type, double *row);
Results evaluate(moe::AttentionOp op, Scope &in);
Results evaluate(moe::MlaAttentionOp op, Scope &in);
Results evaluate(moe::LatentAttentionOp op, Scope &in);

// Routing.cpp
Results evaluate(moe::GateOp op, Scope &in);
Results evaluate(moe::ExpertsOp op, Scope &in);
Results evaluate(moe::PermuteOp op, Scope &in);
Results evaluate(moe::GroupedLinearOp op, Scope &in);
Results evaluate(moe::CombineOp op, Scope &in);

// Sampling.cpp
Results evaluate(moe::ChunkMaximaOp op, Scope &in);
Results evaluate(moe::ChunkMassesOp op, Scope &in);
Results evaluate(moe::SampleOp op, Scope &in);
/// What moe.chunk_maxima and moe.chunk_masses make of logits [R, V] and sampling [R, 4].
Tensor getChunkMaxima(const Tensor &logits, int64_t chunk);
Ints getChunkMasses(const Tensor &logits, const Ints &sampling, int64_t chunk);

} // namespace moec::reference
