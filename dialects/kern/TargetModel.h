// The one interface by which passes ask codegen about a target: what can be
// fused with what, and which schedules there are. Passes never see a chip.
#pragma once

#include "dialects/kern/KernDialect.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace moec::kern {

/// Rates of a target for the roofline, per second.
struct TargetRates {
  double bytesPerSecond = 0;    // from main memory
  double flopsPerSecond = 0;    // in the arithmetic of matrix products
  double secondsPerLaunch = 0;  // launch and barrier
  double workers = 1;           // tiles that run at once
  double rowFlopsPerSecond = 0; // of one worker, in row-wise ops on values in its cache
};

/// A schedule and what it is expected to cost, in any unit that compares within one kernel.
struct Candidate {
  ScheduleAttr schedule;
  double cost = 0;
};

class TargetModel {
public:
  virtual ~TargetModel();

  /// The target's name as given on the command line, e.g. "cpu:x86-64-v3".
  virtual llvm::StringRef getName() const = 0;

  virtual TargetRates getRates() const = 0;

  /// The element type of what kernels hand on to each other, and of cached rows, when nobody asks
  /// for another; f32 by default.
  virtual mlir::Type getActivationType(mlir::MLIRContext *context) const;

  /// The most tokens of a prompt that the target wants in one step, when nobody says; more cost
  /// memory for activations, fewer read the weights more often. 256 by default.
  virtual int64_t getPrefillChunk() const;

  /// Why `op` cannot join a group with hero `hero`, or nothing when it can.
  /// `before` is true for the prologue (the op feeds the hero).
  virtual std::optional<std::string> refuseFusion(Hero hero, mlir::Operation *op,
                                                  bool before) const = 0;

  /// Why `op` cannot be computed by the last tile of each row block of a kernel with hero `hero`,
  /// on the rows (at most `rows`) that its tiles have finished, or nothing when it can.
  virtual std::optional<std::string> refuseRowEpilogue(Hero hero, mlir::Operation *op,
                                                       uint64_t rows) const;

  /// Why the tiles of the product `linear` do not normalise its rows (at most `rows`) themselves,
  /// with `norm` in their kernel, or nothing when they do. Both have the types of the finished
  /// kernels.
  virtual std::optional<std::string> refuseNormPrologue(moe::RmsNormOp norm, moe::LinearOp linear,
                                                        uint64_t rows) const;

  /// How many rows of gates, and then as many of what they gate, the target wants in turn in the
  /// weight of `group`, a gated product; 0, the default: all gates first.
  virtual int64_t getInterleaveBlock(GroupOp group) const;

  /// Arguments that `kernel`, which has a schedule, would read before the launch before it has
  /// ended if they are there.
  virtual llvm::SmallVector<int64_t> getEarlyArguments(KernelOp kernel) const;

  /// Whether a launch of `kernel`, which has a schedule, lets the next one begin only when all
  /// launches before it have ended.
  virtual bool holdsBackNext(KernelOp kernel) const;

  /// The schedules that the target considers for a kernel; empty when it cannot compute it.
  virtual llvm::SmallVector<Candidate> getCandidates(KernelOp kernel) const = 0;

  /// The cheapest candidate, the first among equals; null without candidates.
  ScheduleAttr chooseSchedule(KernelOp kernel) const;

  /// Why the schedule that `kernel` carries cannot be computed ("size 'vector' = 7 ..."), or
  /// nothing when it can.
  virtual std::optional<std::string> checkSchedule(KernelOp kernel) const = 0;

  /// The tile count of a scheduled kernel.
  virtual GridAttr getGrid(KernelOp kernel) const = 0;
};

/// For checkSchedule: why `given` is none of `known`, the schedules that a target has for a kernel.
std::optional<std::string> refuseUnknownSchedule(ScheduleAttr given,
                                                 llvm::ArrayRef<ScheduleAttr> known);

/// Makes the target named `name` ("cpu", "cpu:x86-64-v3"), or returns null and an error text.
using TargetFactory =
    std::function<std::unique_ptr<TargetModel>(llvm::StringRef name, std::string &error)>;

/// Registers a factory for names that are `prefix` up to a ':' or the end. A
/// target does this from a DialectRegistry extension of the kern dialect.
void registerTarget(KernDialect &dialect, llvm::StringRef prefix, TargetFactory factory);

/// The target that the module's `kern.target` attribute names; emits an error
/// at `module` and returns null when the attribute is missing or unknown.
const TargetModel *getTarget(mlir::Operation *module);

/// Name of the module attribute that holds the target's name.
inline constexpr llvm::StringLiteral kTargetAttr = "kern.target";

} // namespace moec::kern
