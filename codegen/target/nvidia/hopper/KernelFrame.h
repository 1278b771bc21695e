// A kernel while it is written: the function with the parameters of the kernel ABI
// (docs/contracts.md), its tensor maps, its shared memory, and how it is to be launched.
//
//   llvm.func @symbol(slot 0 .. slot n-1: !llvm.ptr<1>, dims: !llvm.ptr<1>, maps: !llvm.ptr byval
//   ...)
#pragma once

#include "codegen/target/nvidia/hopper/Instructions.h"
#include "codegen/target/nvidia/hopper/TensorMap.h"

#include "mlir/IR/BuiltinOps.h"

namespace moec::hopper {

struct LaunchShape {
  int64_t threads = 0;
  int64_t cluster = 1;
  int64_t minBlocks = 1;    // that must fit on one multiprocessor; bounds the registers
  int64_t maxBlocks = 0;    // of a launch; 0: one a tile
  bool earlyLaunch = false; // may start before the launch before it ends
  bool coResident = false;  // blocks wait for each other: all of them must run at once
};

class KernelFrame {
public:
  /// Starts `@symbol` at the end of `module`; `b` stands in its body.
  KernelFrame(mlir::ModuleOp module, llvm::StringRef symbol, unsigned numSlots,
              const LaunchShape &shape);

  Builder b;

  Global getSlot(unsigned slot);
  /// A run-time size, as kern.dim counts them.
  Int getDim(unsigned dim);
  /// One more parameter.
  Value addTensorMap(TensorMap map);
  /// A place that stays the kernel's; `alignment` up to 1024.
  Shared allocate(int64_t bytes, int64_t alignment = 16);

  /// Ends the function. What the engine would refuse of its maps is an error.
  llvm::Error finish();

  const LaunchShape &getShape() const { return shape; }
  int64_t getSharedBytes() const { return sharedBytes; }
  llvm::ArrayRef<TensorMap> getTensorMaps() const { return maps; }

  /// Of one block's shared memory, what a kernel can have.
  static constexpr int64_t kMaxSharedBytes = 232448;

private:
  std::string symbol;
  unsigned numSlots;
  LaunchShape shape;
  mlir::Operation *function;
  mlir::Block *entry;
  Shared base;
  int64_t sharedBytes = 0;
  llvm::SmallVector<TensorMap, 4> maps;
};

} // namespace moec::hopper
