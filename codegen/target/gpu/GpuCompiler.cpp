#include "codegen/target/gpu/GpuCompiler.h"

#include "codegen/target/common/OptimizeModule.h"

#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/TargetParser/Triple.h"

using namespace mlir;
using namespace moec::codegen;
using llvm::Expected;

static Expected<std::string> printIr(llvm::Module &module, llvm::TargetMachine &) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  module.print(stream, nullptr);
  return text;
}

Expected<std::string> moec::codegen::emitAssembly(llvm::Module &module,
                                                  llvm::TargetMachine &machine) {
  return generateCode(module, machine, llvm::CodeGenFileType::AssemblyFile);
}

Expected<std::string> GpuCompiler::compile(GpuTiles &tiles, Finish finish) const {
  if (llvm::Error error = lower(tiles))
    return error;
  auto machine = createMachine();
  if (!machine)
    return machine.takeError();
  llvm::LLVMContext context;
  auto module = translateModule(*tiles.module, context, **machine);
  if (!module)
    return module.takeError();
  prepare(**module);
  optimizeModule(**module, **machine);
  return finish(**module, **machine);
}

Expected<std::string> GpuCompiler::emitText(ModuleOp module, GpuStage stage) const {
  auto tiles = buildGpuTiles(module, target);
  if (!tiles)
    return tiles.takeError();
  if (stage == GpuStage::Tile) {
    std::string text;
    llvm::raw_string_ostream(text) << *tiles->module;
    return text;
  }
  return compile(*tiles, stage == GpuStage::Llvm ? printIr : emitAssembly);
}

Expected<std::unique_ptr<llvm::TargetMachine>>
moec::codegen::createGpuMachine(StringRef triple, StringRef chip, StringRef features,
                                std::optional<llvm::Reloc::Model> relocation) {
  llvm::Triple parsed(triple);
  std::string error;
  const llvm::Target *target = llvm::TargetRegistry::lookupTarget(parsed, error);
  if (!target)
    return llvm::createStringError("LLVM has no backend for " + triple.str() + ": " + error);
  return std::unique_ptr<llvm::TargetMachine>(target->createTargetMachine(
      parsed, chip, features, {}, relocation, std::nullopt, llvm::CodeGenOptLevel::Aggressive));
}
