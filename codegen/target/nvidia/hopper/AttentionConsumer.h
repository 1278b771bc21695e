// What a warpgroup of an attention kernel computes of a tile: 64 query rows over blocks of 64 rows
// of keys and values that others bring into two rings.
//
//   scores = queries * keys^T             queries stay in registers
//   weights, factors = softmax(scores)    (SoftmaxRows)
//   sums = sums * factors + weights * values
//
// with the next block's scores and this block's weighted sum in flight beside the softmax. A tile's
// rows are tokens, then the heads that share a key.
#pragma once

#include "codegen/target/nvidia/hopper/AttentionWork.h"
#include "codegen/target/nvidia/hopper/MbarrierRing.h"
#include "codegen/target/nvidia/hopper/SoftmaxRows.h"
#include "codegen/target/nvidia/hopper/WgmmaScores.h"
#include "codegen/target/nvidia/hopper/WgmmaValues.h"

#include <optional>
#include <string>

namespace moec::hopper {

struct AttentionProblem {
  // Slots. q [tokens, heads * keyColumns], result [tokens, heads * valueColumns], both bf16.
  unsigned q = 0, cache = 0, positions = 0, sequences = 0, blockTable = 0, result = 0;
  unsigned counters = 0, scratch = 0; // of split contexts
  int64_t heads = 0, keyValueHeads = 0;
  int64_t keyColumns = 0, valueColumns = 0; // of a head
  int64_t page = 0;                         // cached rows
  int64_t qStride = 0, resultStride = 0;    // elements
  double scale = 0;

  int64_t getGroup() const { return heads / keyValueHeads; }
  /// Elements of a cached row: the keys of all key-value heads, then the values.
  int64_t getCacheColumns() const { return keyValueHeads * (keyColumns + valueColumns); }
  /// Why it cannot be computed here.
  std::optional<std::string> refuse() const;
};

class AttentionConsumer {
public:
  /// `takesTurns`: two warpgroups start their products one after the other.
  AttentionConsumer(KernelFrame &frame, const AttentionProblem &problem, bool takesTurns,
                    const MbarrierRing &keys, const MbarrierRing &values);

  using Finish = llvm::function_ref<void(mlir::ValueRange sums, const SoftmaxRows::State &state)>;

  /// Before the first tile, by all warpgroups that compute.
  void begin();
  /// The blocks of `item`, from the position `carried` of both rings on; returns the one behind.
  /// `finish` gets the unnormalised sums.
  Values consume(const AttentionItem &item, mlir::ValueRange carried, Finish finish);
  /// Within `finish`: the quotients, as the result's rows.
  void store(const AttentionItem &item, mlir::ValueRange sums, const SoftmaxRows::State &state);
  /// Where a row of the tile has its result.
  Global getResult(const AttentionItem &item, const Int &row, const Int &column);
  /// Rows of the tile that `consume` is at.
  const Int &getNumRows() const { return numRows; }

private:
  using Position = MbarrierRing::Position;
  using State = SoftmaxRows::State;

  void loadRows(const AttentionItem &item);
  Values loadQueries(const AttentionItem &item);
  Values startScores(mlir::ValueRange queries, const Position &position);
  Values startValues(mlir::ValueRange weights, const Position &position, mlir::ValueRange sums);
  SoftmaxRows::Step weigh(const AttentionItem &item, const Int &block, mlir::ValueRange scores,
                          const State &state);
  void zeroTail(const AttentionItem &item, const Position &position);
  void takeTurn(bool mine);

  KernelFrame &frame;
  AttentionProblem problem;
  bool takesTurns;
  Builder &b;
  const MbarrierRing &keys, &values;
  WgmmaScores scoresOf;
  WgmmaValues sumsOf;
  SoftmaxRows softmax;
  Int thread, lane, warp, warpgroup;
  // Of the tile that is computed, for the lane's two rows (row 0's where there is none).
  std::array<Int, 2> rows, limits;
  Int numRows;
};

} // namespace moec::hopper
