// The part of a program that does not depend on its sizes: the launches in
// order, where each value lives, and how long.
#pragma once

#include "dialects/plan/PlanDialect.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace moec::passes {

/// Where a value is found, before sizes are known.
struct Place {
  enum Kind { Arena, Weight, Input, Output, Cache };
  Kind kind = Arena;
  /// Number of the arena buffer, input kind, output or cache (layer).
  unsigned index = 0;
  /// The moe.weight, when kind is Weight.
  mlir::StringAttr weight;
  /// Elements from the start of that buffer, when the value is a view.
  int64_t offset = 0;
};

/// A value that lies in the arena from launch `first` to launch `last`.
struct ArenaBuffer {
  mlir::Type type;
  mlir::Attribute rows; // as in kern.kernel
  unsigned first = 0, last = 0;
};

struct PlannedLaunch {
  kern::LaunchOp launch;
  kern::KernelOp kernel;
  unsigned index = 0; // in the program
};

class ProgramPlan {
public:
  /// Plans a function of launches, params and slices. Fails with an error at
  /// whatever cannot be planned.
  static mlir::FailureOr<ProgramPlan> compute(mlir::func::FuncOp function,
                                              const mlir::SymbolTable &symbols);

  /// The place of an argument or a (non-cache) result of a planned launch.
  const Place &getPlace(mlir::Value value) const { return places.find(value)->second; }

  llvm::SmallVector<PlannedLaunch> launches;
  llvm::SmallVector<ArenaBuffer> buffers;

private:
  mlir::LogicalResult placeArguments(mlir::func::FuncOp function);
  mlir::LogicalResult placeOutputs(mlir::func::ReturnOp ret);
  mlir::LogicalResult visit(mlir::Operation &op, const mlir::SymbolTable &symbols);
  mlir::LogicalResult visitLaunch(kern::LaunchOp launch, const mlir::SymbolTable &symbols);
  mlir::LogicalResult visitSlice(moe::SliceOp slice);
  mlir::LogicalResult checkCaches(mlir::func::ReturnOp ret);

  llvm::DenseMap<mlir::Value, Place> places;
  /// Outputs that have a place: those that an argument is, then those returned.
  unsigned numOutputs = 0;
  /// The value that holds the newest state of each cache.
  llvm::SmallVector<mlir::Value> caches;
};

} // namespace moec::passes
