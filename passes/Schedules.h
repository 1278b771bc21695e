// Schedules that were measured, on their way to assign-schedules.
#pragma once

#include "dialects/kern/KernDialect.h"

namespace moec::passes {

/// Module attribute: {kernel's symbol = {fingerprint = "...", schedule = #kern.schedule<...>},
/// ...}. assign-schedules takes these for the kernels they name, and removes it.
inline constexpr llvm::StringLiteral kSchedulesAttr = "kern.schedules";

/// 16 hexadecimal digits that differ when two kernels do, whatever their names and schedules.
std::string getFingerprint(kern::KernelOp kernel);

} // namespace moec::passes
