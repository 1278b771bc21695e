// Runs one kern.kernel as a bundle would: text to machine code, loaded from
// memory, every tile once and in random order, on buffers with guards around them and
// with outputs and workspace poisoned.
#pragma once

#include "codegen/kernels/TileFunction.h"
#include "codegen/target/cpu/EmitImage.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"

#include <memory>
#include <random>

namespace moec::test {

/// What `dims` holds, and the rows of each cache.
struct Sizes {
  int64_t tokens = 1, sequences = 1, outputRows = 1, pages = 1, cacheRows = 0;
};

/// The memory of one ABI slot. Elements are addressed by row (the product of
/// all axes but the last) and column; `at` and `set` convert to and from double exactly where
/// the type can hold it.
class SlotMemory {
public:
  SlotMemory(mlir::MemRefType type, int64_t leading, int64_t pages);

  int64_t rows() const { return numRows; }
  int64_t columns() const { return numColumns; }
  double at(int64_t row, int64_t column = 0) const;
  void set(int64_t row, int64_t column, double value);
  /// An element of a one-dimensional slot.
  void setFlat(int64_t index, double value) { set(index / numColumns, index % numColumns, value); }
  double atFlat(int64_t index) const { return at(index / numColumns, index % numColumns); }
  int64_t size() const { return numRows * numColumns; }

  /// The raw bits of an element.
  uint32_t bits(int64_t row, int64_t column) const;
  void setBits(int64_t row, int64_t column, uint32_t bits);

  /// Random values: floats in (-1, 1), FP8 codes but NaN. i32 elements become 0.
  void fill(std::mt19937 &random);
  void poison();
  /// False when bytes outside of the elements' span were written.
  bool guardsIntact() const;

  void *data() { return base; }
  mlir::MemRefType type;

private:
  uint8_t *element(int64_t row, int64_t column) const;
  int64_t numRows, numColumns, stride, elementBytes, span;
  std::shared_ptr<uint8_t[]> memory;
  uint8_t *base;
};

class KernelHarness {
public:
  /// Compiles the only kern.kernel of `text`, scheduled by the target unless it is
  /// already; arguments are random. Throws std::runtime_error with the diagnostics when that fails.
  KernelHarness(llvm::StringRef text, Sizes sizes, llvm::StringRef target = "cpu",
                unsigned seed = 1);
  ~KernelHarness();

  /// Values by their index in the kernel's signature; part 1 of a quantized tensor is its scales.
  SlotMemory &argument(unsigned index, unsigned part = 0);
  SlotMemory &result(unsigned index, unsigned part = 0);

  /// Runs all tiles; throws when a guard was overwritten.
  void run();

  /// |result - expected| / |expected| over all elements (L2), NaN when an element is.
  static double relativeError(const SlotMemory &result, llvm::ArrayRef<double> expected);

  kern::KernelOp getKernel() { return kernel; }
  const codegen::Image &getImage() const { return image; }
  Sizes sizes;

private:
  int64_t getDim(kern::Dim dim) const;
  int64_t countTiles() const;

  std::unique_ptr<mlir::MLIRContext> context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  kern::KernelOp kernel;
  kern::GridAttr grid;
  codegen::Image image;
  std::vector<SlotMemory> slots;
  std::vector<std::pair<unsigned, unsigned>> slotOf; // by slot: value index, part
  std::mt19937 random;
  void *library = nullptr;
};

/// The module that `text` is; throws std::runtime_error with the diagnostics.
mlir::OwningOpRef<mlir::ModuleOp> parseModule(llvm::StringRef text, mlir::MLIRContext &context);
/// A context with all dialects that kernels are written in, and the cpu target.
std::unique_ptr<mlir::MLIRContext> makeContext();

} // namespace moec::test
