// What becomes of a finished tile: each lane has its sums in registers (a Fragment), and an
// epilogue takes them to the kernel's results.
#pragma once

#include "codegen/target/nvidia/hopper/KernelFrame.h"
#include "codegen/target/nvidia/hopper/MatmulTile.h"
#include "codegen/target/nvidia/hopper/PartMaximum.h"
#include "codegen/target/nvidia/hopper/StagedStore.h"

#include <optional>

namespace moec::hopper {

/// A lane's sums of a tile. Row wave v, half h: row `row` + 64 v + 8 h; block j, element e: column
/// `column` + 8 j + 2 * (lane % 4) + e.
struct Fragment {
  Int row;        // of the lane: its first
  Int column;     // of the tile: its first
  Int limit;      // rows there are
  Int firstRow;   // of the warp, wave 0: lane 0's
  Int warp, lane; // the warp among those that compute
  Int turn;       // the warp's tiles before this one
  MatmulTile tile;
  Values sums;

  Value get(int64_t rowWave, int64_t columnWave, int64_t block, int64_t half,
            int64_t element) const {
    int64_t wave = rowWave * tile.columnWaves + columnWave;
    return sums[wave * tile.columns / 2 + 4 * block + 2 * half + element];
  }
};

/// What the ops behind a product come to; all matrices have `columns` columns.
struct EpilogueSpec {
  enum class Element { Float32, BFloat16 };
  struct Matrix {
    unsigned slot;
    Element element;
    int64_t rowBytes;
  };
  struct Vector {
    unsigned slot;
    Element element;
  };
  struct Quantized {
    unsigned codes, scales;        // slots
    int64_t codeBytes, scaleBytes; // of a row
  };

  int64_t columns = 0;
  std::optional<Vector> bias; // added to the product, which is not gated
  bool gated = false;         // silu(first wave) * second wave
  bool rounded = false;       // to bf16, before it is quantized
  llvm::SmallVector<Matrix, 1> addends;
  llvm::SmallVector<Matrix, 1> stores;
  std::optional<Quantized> quantized; // E4M3 with a scale per 128 columns: max(amax, 1e-4) / 448
};

class TileEpilogue {
public:
  /// Before the roles divide: maps and shared memory. `rows`: those of the results at the bounds.
  TileEpilogue(KernelFrame &frame, const EpilogueSpec &spec, const MatmulTile &tile, Extent rows);
  /// By one thread, then fenceBarrierInit and a barrier of the cluster.
  void init() const;

  void emit(const Fragment &fragment) const;
  /// Two neighbouring results at [row, column], both inside: `sums` are those of each column wave.
  /// Nothing is quantized.
  void emitPair(const Int &row, const Int &column, llvm::ArrayRef<std::array<Value, 2>> sums) const;
  /// The same, quantized: the block has one row of a tile, and its first warp all of its columns, a
  /// power of two of lanes one behind the other. Nothing is stored where not `exists`.
  void emitQuantized(const Int &row, const Int &column, llvm::ArrayRef<std::array<Value, 2>> sums,
                     const Bool &exists) const;
  /// By all lanes, when all tiles are done.
  void finish(const Int &lane) const;
  /// Maps to prefetch.
  llvm::ArrayRef<Value> getMaps() const { return maps; }

private:
  using Pair = std::array<Value, 2>;
  Pair compute(const Int &row, const Int &column, llvm::ArrayRef<Pair> sums) const;
  Pair compute(const Fragment &fragment, const Int &row, int64_t rowWave, int64_t block,
               int64_t half) const;
  /// f32.
  Pair loadPair(const Global &line, EpilogueSpec::Element element, const Int &column,
                bool constant) const;
  void storePair(const Int &row, const Int &column, const Pair &pair) const;
  void emitRow(const Fragment &fragment, int64_t rowWave, int64_t half, llvm::ArrayRef<Pair> row,
               Value largest) const;
  Value findLargest(llvm::ArrayRef<Pair> values) const;
  void storeFloats(const Fragment &fragment, const EpilogueSpec::Matrix &to, const Int &row,
                   llvm::ArrayRef<Pair> values) const;
  void storeHalves(const Fragment &fragment, const EpilogueSpec::Matrix &to, const Int &row,
                   llvm::ArrayRef<Pair> values) const;
  void storeQuantized(const Fragment &fragment, const Int &row, llvm::ArrayRef<Pair> values,
                      Value largest) const;
  void storeStaged(const Fragment &fragment, int64_t rowWave,
                   llvm::ArrayRef<llvm::SmallVector<Pair>> halves) const;

  KernelFrame *frame;
  EpilogueSpec spec;
  std::optional<StagedStore> staged;
  std::optional<PartMaximum> maximum; // over a quantization block's parts
  Values maps;
};

} // namespace moec::hopper
