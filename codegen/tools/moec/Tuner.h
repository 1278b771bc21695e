// Measures every schedule of a bundle's kernels and keeps the fastest.
#pragma once

#include "codegen/tools/moec/Backend.h"
#include "codegen/tools/moec/ScheduleFile.h"
#include "runtime/bundle/BundleFile.h"

namespace moec {

struct TuneOptions {
  std::string bundle, output, filter, kernelTest, ptxas;
  std::string pack;     // a folder that only gets the packages
  std::string measured; // the folder of what moec-kernel-test --json printed of them
};

class Tuner {
public:
  /// Fails for a bundle that is none, or of a target that is not known.
  static llvm::Expected<std::unique_ptr<Tuner>> create(const TuneOptions &options);

  /// Kernel by kernel: options.output is whole after each.
  llvm::Error run();

private:
  /// A kernel of the bundle, and the largest sizes that a program launches it with.
  struct Kernel {
    std::string symbol, text;
    kern::BoundsAttr bounds;
  };

  Tuner(const TuneOptions &options, std::unique_ptr<Backend> backend);
  llvm::Error readKernels();
  llvm::Error tune(const Kernel &kernel);
  /// Where the kernel's package lies; empty when it has only one schedule.
  llvm::Expected<std::string> pack(const Kernel &kernel);
  /// Of the cases in `report`, which came from the file or program `from`.
  llvm::Error keepFastest(const Kernel &kernel, llvm::StringRef report, llvm::StringRef from);

  const TuneOptions &options;
  std::unique_ptr<Backend> backend;
  rt::BundleFile bundle;
  mlir::MLIRContext context;
  std::vector<Kernel> kernels;
  ScheduleFile file;
};

} // namespace moec
