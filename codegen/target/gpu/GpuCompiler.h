// From the tile functions of a GPU's kernels to its code, or to text on the way there.
#pragma once

#include "codegen/target/gpu/GpuTarget.h"

#include "llvm/IR/Module.h"
#include "llvm/Target/TargetMachine.h"

namespace moec::codegen {

/// What `moec compile --emit` prints: tile functions, optimised LLVM IR, assembly.
enum class GpuStage { Tile, Llvm, Assembly };

class GpuCompiler {
public:
  explicit GpuCompiler(const GpuTarget &target) : target(target) {}
  virtual ~GpuCompiler() = default;

  /// What the kernels of `module` are made of at `stage`.
  llvm::Expected<std::string> emitText(mlir::ModuleOp module, GpuStage stage) const;

  using Finish = llvm::function_ref<llvm::Expected<std::string>(llvm::Module &module,
                                                                llvm::TargetMachine &machine)>;
  /// What `finish` makes of the optimised LLVM IR.
  llvm::Expected<std::string> compile(GpuTiles &tiles, Finish finish) const;

protected:
  /// To the LLVM dialect, with entry points around the tile functions.
  virtual llvm::Error lower(GpuTiles &tiles) const = 0;
  virtual llvm::Expected<std::unique_ptr<llvm::TargetMachine>> createMachine() const = 0;
  /// Before it is optimised.
  virtual void prepare(llvm::Module &) const {}

private:
  const GpuTarget &target;
};

/// LLVM's backend for `triple`, which somebody has initialised, with its best optimisation.
llvm::Expected<std::unique_ptr<llvm::TargetMachine>>
createGpuMachine(llvm::StringRef triple, llvm::StringRef chip, llvm::StringRef features,
                 std::optional<llvm::Reloc::Model> relocation);

/// For compile: PTX, or a GPU's assembly.
llvm::Expected<std::string> emitAssembly(llvm::Module &module, llvm::TargetMachine &machine);

} // namespace moec::codegen
