// The kinds of target that moec compiles for, each with its way from kernels to code.
#pragma once

#include "codegen/bundle/SerializePlan.h"
#include "dialects/kern/TargetModel.h"

#include "mlir/IR/DialectRegistry.h"

namespace moec {

class Backend {
public:
  virtual ~Backend();
  /// What the passes ask.
  virtual const kern::TargetModel &getModel() const = 0;
  /// passes/RowClasses.h; empty: none.
  virtual llvm::ArrayRef<int64_t> getRowClasses() const { return {}; }

  /// Whether bundles choose tokens themselves unless told otherwise: where logits are far from the
  /// host.
  virtual bool samplesTokens() const { return false; }

  /// The code of all kernels of `module`, as the bundle's writer takes it.
  virtual llvm::Expected<bundle::KernelCode> emitCode(mlir::ModuleOp module) const = 0;

  /// The text of one of getStages().
  virtual llvm::Expected<std::string> emitText(mlir::ModuleOp module,
                                               llvm::StringRef stage) const = 0;

  /// Every schedule of a kernel as a package for moec-kernel-test: a case each, named as the
  /// schedule is printed, that of the kernel's text first. `bounds` are the largest sizes that it
  /// is launched with. Empty when there is no choice; fails for targets that cannot be measured so.
  virtual llvm::Expected<std::vector<uint8_t>> packCandidates(llvm::StringRef kernel,
                                                              kern::BoundsAttr bounds) const;

  /// What emitText can print: "llvm", "asm", ...
  virtual llvm::ArrayRef<llvm::StringLiteral> getStages() const = 0;
};

struct BackendOptions {
  std::string ptxas; // empty: as found
};

/// The backend of target `name`; fails with the known names.
llvm::Expected<std::unique_ptr<Backend>> findBackend(llvm::StringRef name,
                                                     const BackendOptions &options);

/// All stages that some backend can print.
llvm::ArrayRef<llvm::StringLiteral> listBackendStages();

/// The target names, each with a line for people.
std::vector<std::pair<std::string, std::string>> listTargets();

/// Makes all targets known to contexts made from `registry`.
void registerTargets(mlir::DialectRegistry &registry);

} // namespace moec
