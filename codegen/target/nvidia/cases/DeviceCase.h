// A scheduled kernel as a case for the device: what it takes, and how exact it must be.
#pragma once

#include "codegen/target/nvidia/cases/Package.h"
#include "dialects/reference/RandomInputs.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace moec::cases {

/// Relative L2 error that a result of this element type may have.
double getTolerance(kern::KernelOp kernel, mlir::Type element);

/// Whether sums of products become codes. Where sums differ in their last bits a code, or the scale
/// of a row of bf16, is now and then a step off, which is much where few codes are large; most of
/// all where matrix units truncate sums (Hopper's: to 13 bits below their largest product of E4M3).
bool quantizesSums(kern::KernelOp kernel);

/// The deviation of numbers that make sense for a buffer of this element type: scales are small,
/// codes use E4M3's range. Where a kernel quantizes sums of them, codes and bf16 are small integers
/// times 2^-9 and 2^-7 instead, whose sums are exact on any unit, so that its codes must be the
/// reference's.
float getFill(kern::KernelOp kernel, mlir::Type element, bool isScale);

rt::fb::Grid toGrid(kern::GridAttr grid);

/// A type or an attribute as it is printed.
std::string toText(mlir::Type type);
std::string toText(mlir::Attribute attribute);
std::string toText(mlir::Operation *op);

/// Buffers and run-time sizes of a kernel whose inputs the device fills; integers and rope tables,
/// which must make sense together, have contents.
struct DeviceCase {
  std::vector<PackageSlot> slots;
  std::array<int64_t, 5> dims;
};
llvm::Expected<DeviceCase> makeDeviceCase(kern::KernelOp kernel, reference::InputDims dims);

/// A function that launches `kernel` at these bounds, which the target's choice of a schedule and
/// the costs are for.
mlir::func::FuncOp addCaller(kern::KernelOp kernel, kern::BoundsAttr bounds);

/// What the kernel must move and compute at these bounds.
struct CaseCost {
  uint64_t bytes = 0, flops = 0;
};
CaseCost getCost(kern::KernelOp kernel, kern::BoundsAttr bounds);

} // namespace moec::cases
