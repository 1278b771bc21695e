// The file between `moec tune` and `moec compile --schedules`: JSON, a line a kernel.
//
//   {"format": 1, "compiler": "moec 0.1.0", "target": "sm_90a", "kernels": [
//    {"kernel": "matmul_288x256_f8", "fingerprint": "91c3...", "microseconds": 3.1,
//     "chosen_microseconds": 3.4, "schedule": {"rows": 16, "steps": 1}}
//   ]}
#pragma once

#include "mlir/IR/BuiltinAttributes.h"
#include "llvm/Support/Error.h"

#include <string>
#include <vector>

namespace moec {

struct TunedKernel {
  std::string kernel, fingerprint; // its symbol; passes/Schedules.h
  double microseconds = 0;         // of `schedule`
  double chosenMicroseconds = 0;   // of the compiler's own choice
  std::vector<std::pair<std::string, int64_t>> schedule;
};

struct ScheduleFile {
  std::string target;
  std::vector<TunedKernel> kernels;
};

/// Fails unless the file is of this compiler and for `target`; a bad line is named by its kernel.
llvm::Expected<ScheduleFile> readScheduleFile(llvm::StringRef path, llvm::StringRef target);

/// All of it or nothing: under another name first.
llvm::Error writeScheduleFile(llvm::StringRef path, const ScheduleFile &file);

/// As assign-schedules takes it.
mlir::DictionaryAttr makeAttribute(const ScheduleFile &file, mlir::MLIRContext *context);

} // namespace moec
