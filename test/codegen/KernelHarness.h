// Runs one kern.kernel as a bundle would: text to machine code, loaded from
// memory, every tile once and in random order, on buffers with guards around them and
// with outputs and workspace poisoned.
#pragma once

#include "codegen/kernels/TileFunction.h"
#include "codegen/target/cpu/EmitImage.h"
#include "dialects/reference/RandomInputs.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"

#include <map>
#include <memory>
#include <random>

namespace moec::test {

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
  /// The same by row-major index.
  void setFlat(int64_t index, double value) { set(index / numColumns, index % numColumns, value); }
  double atFlat(int64_t index) const { return at(index / numColumns, index % numColumns); }
  int64_t size() const { return numRows * numColumns; }

  /// The raw bits of an element.
  uint32_t bits(int64_t row, int64_t column) const;
  void setBits(int64_t row, int64_t column, uint32_t bits);

  void poison();
  /// With memory of its own.
  SlotMemory clone() const;
  /// False when bytes outside of the elements' span were written.
  bool guardsIntact() const;

  void *data() { return base; }
  /// From the first element to the last, what lies between rows included.
  llvm::ArrayRef<uint8_t> bytes() const { return {base, size_t(span)}; }
  mlir::MemRefType type;

private:
  uint8_t *element(int64_t row, int64_t column) const;
  int64_t numRows, numColumns, stride, elementBytes, span;
  std::shared_ptr<uint8_t[]> memory;
  uint8_t *base;
};

class KernelHarness {
public:
  /// Compiles the first kern.kernel of `text`, scheduled by the target unless it is
  /// already. For other targets than "cpu..." nothing is compiled, and run() cannot be called.
  /// Arguments are random and make sense together (dialects/reference/RandomInputs.h);
  /// rope tables are real ones. Throws std::runtime_error with the diagnostics when that fails.
  KernelHarness(llvm::StringRef text, reference::InputDims dims = {},
                llvm::StringRef target = "cpu", uint64_t seed = 1);
  ~KernelHarness();

  /// New random arguments of these sizes; the code stays.
  void setDims(reference::InputDims dims, uint64_t seed = 1);

  /// Values by their index in the kernel's signature; part 1 of a quantized tensor
  /// is its scales. A cache that the kernel updates is an argument only.
  SlotMemory &argument(unsigned index, unsigned part = 0);
  SlotMemory &result(unsigned index, unsigned part = 0);

  /// Runs all tiles; throws when a guard was overwritten.
  void run();

  /// Runs the kernel and the reference interpreter on the same arguments (as they are
  /// in memory now). For each result: |result - reference| / |reference| (L2, NaN when an element
  /// is), of what codes and scales stand for; for integers the number of elements that differ.
  std::vector<double> compare();

  /// What the reference interpreter makes of the arguments as they are in memory now: the contents
  /// of each slot that the kernel writes, by slot.
  std::map<unsigned, SlotMemory> interpretSlots();

  kern::KernelOp getKernel() { return kernel; }
  kern::GridAttr getGrid() const { return grid; }
  std::vector<SlotMemory> &getSlots() { return slots; }
  /// Whether the kernel writes all of a slot, and reads none of it.
  bool isOutput(unsigned slot) const;
  /// Whether a slot holds a result, or a part of one, or a cache that the kernel updates.
  bool isWritten(unsigned slot);
  /// Whether a slot holds the kernel's counters.
  bool isCounters(size_t slot);
  /// The run-time sizes in the ABI's order.
  std::array<int64_t, 5> getDims() const;
  const codegen::Image &getImage() const { return image; }

private:
  void compile(llvm::StringRef target);
  reference::Values readArguments();
  std::vector<reference::Value> interpret();
  reference::Value read(unsigned value, mlir::Type type);
  void write(unsigned value, const reference::Value &contents);
  /// The signature's value that result `index` is written to: the cache that it updates, or itself.
  unsigned getWritten(unsigned index);
  int64_t getDim(kern::Dim dim) const;
  int64_t countTiles() const;
  void poisonResults();

  std::unique_ptr<mlir::MLIRContext> context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  kern::KernelOp kernel;
  kern::GridAttr grid;
  codegen::Image image;
  reference::InputDims dims;
  int64_t pages = 1; // columns of the block table
  std::vector<SlotMemory> slots;
  std::vector<std::pair<unsigned, unsigned>> slotOf; // by slot: value index, part
  std::mt19937 random;
  void *library = nullptr;
};

/// The diagnostics of compiling `text`, a kern.kernel that must be refused; empty when it is not.
std::string getFailure(llvm::StringRef text, reference::InputDims dims = {});

/// `text` with every `from` replaced by `to`.
std::string replaceAll(std::string text, const std::string &from, const std::string &to);

/// The module that `text` is; throws std::runtime_error with the diagnostics.
mlir::OwningOpRef<mlir::ModuleOp> parseModule(llvm::StringRef text, mlir::MLIRContext &context);
/// A context with all dialects that kernels are written in, and the cpu target.
std::unique_ptr<mlir::MLIRContext> makeContext();

} // namespace moec::test
