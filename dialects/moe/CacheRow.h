// How a row of a cache lies in memory.
#pragma once

#include "dialects/moe/MoeDialect.h"

namespace moec::moe {

/// A row of elements of one type, or a quantized row: the codes of its first columns, an f32 scale
/// for each block of these (the last may be shorter), a power of 2, then its other columns as bf16.
/// With 512 codes, blocks of 128 and 64 columns behind them a row has 512 + 16 + 128 = 656 bytes.
struct CacheRow {
  int64_t codes = 0; // columns that are quantized; 0: none
  int64_t block = 0; // of them that share a scale
  int64_t tail = 0;  // columns behind them
  int64_t bytes = 0; // of the row

  bool isQuantized() const { return codes != 0; }
  int64_t getScales() const { return (codes + block - 1) / block; }
  /// Bytes from the start of a quantized row.
  int64_t getScalesOffset() const { return codes; }
  int64_t getTailOffset() const { return codes + 4 * getScales(); }
};

CacheRow getCacheRow(CacheType type);

/// The element type of a cache whose first `codes` columns are E4M3 with a scale for each 128.
QTensorType getQuantizedCacheElement(mlir::MLIRContext *context, int64_t codes);

} // namespace moec::moe
