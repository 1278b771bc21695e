// Tile functions, LLVM dialect, LLVM IR, O3, object, shared object.
#include "codegen/target/cpu/EmitImage.h"

#include "codegen/kernels/Emitter.h"
#include "codegen/target/common/LinkSharedObject.h"
#include "codegen/target/common/OptimizeModule.h"
#include "codegen/target/cpu/Lower.h"
#include "codegen/target/cpu/WrapTiles.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/TargetParser/Triple.h"

using namespace mlir;
using namespace moec;
using namespace moec::codegen;
using llvm::createStringError;
using llvm::Expected;

//===----------------------------------------------------------------------===//
// MLIR
//===----------------------------------------------------------------------===//

/// The tile functions of all kernels, in a module of their own.
static Expected<OwningOpRef<ModuleOp>> buildTiles(ModuleOp module, const CpuTarget &target,
                                                  Image &image) {
  MLIRContext *context = module.getContext();
  context->loadDialect<arith::ArithDialect, func::FuncDialect, math::MathDialect,
                       memref::MemRefDialect, scf::SCFDialect, vector::VectorDialect>();
  OwningOpRef<ModuleOp> tiles = ModuleOp::create(UnknownLoc::get(context));
  for (auto kernel : module.getOps<kern::KernelOp>()) {
    std::string symbol = kernel.getSymName().str();
    const KernelEmitter *emitter = findHostEmitter(kernel.getHero());
    if (!emitter)
      return createStringError("kernel '%s': the host has no kernels with hero %s", symbol.c_str(),
                               kern::stringifyHero(kernel.getHero()).str().c_str());
    TileFunction tile(kernel, *tiles, target.getMachine());
    if (failed(emitter->emit(tile)))
      return createStringError("kernel '%s' cannot be compiled for %s", symbol.c_str(),
                               target.getName().str().c_str());
    tile.finish();
    uint64_t workspace =
        tile.function->getAttrOfType<IntegerAttr>(TileFunction::kWorkspaceAttr).getInt();
    image.kernels.push_back({symbol, workspace, static_cast<unsigned>(getSlots(kernel).size())});
  }
  return tiles;
}

static llvm::Error lowerTiles(ModuleOp module, ModuleOp tiles) {
  if (failed(lowerToLLVM(tiles)))
    return createStringError("the tile functions cannot be lowered to LLVM");
  for (auto kernel : module.getOps<kern::KernelOp>())
    wrapTile(kernel, tiles);
  return llvm::Error::success();
}

//===----------------------------------------------------------------------===//
// LLVM
//===----------------------------------------------------------------------===//

static Expected<std::unique_ptr<llvm::TargetMachine>> createMachine(const Cpu &cpu) {
  LLVMInitializeX86TargetInfo();
  LLVMInitializeX86Target();
  LLVMInitializeX86TargetMC();
  LLVMInitializeX86AsmPrinter();
  llvm::Triple triple("x86_64-unknown-linux-gnu");
  std::string error;
  const llvm::Target *target = llvm::TargetRegistry::lookupTarget(triple, error);
  if (!target)
    return createStringError("LLVM has no x86-64 target: " + error);
  std::string features;
  for (const std::string &feature : cpu.features)
    features += (features.empty() ? "+" : ",+") + feature;
  return std::unique_ptr<llvm::TargetMachine>(
      target->createTargetMachine(triple, cpu.llvmCpu, features, {}, llvm::Reloc::PIC_,
                                  std::nullopt, llvm::CodeGenOptLevel::Aggressive));
}

/// Lets every function use the machine's instructions and its widest registers.
static void setFunctionAttributes(llvm::Module &module, const llvm::TargetMachine &machine,
                                  int64_t vectorBytes) {
  std::string bits = std::to_string(vectorBytes * 8);
  for (llvm::Function &function : module) {
    if (function.isDeclaration())
      continue;
    function.addFnAttr("target-cpu", machine.getTargetCPU());
    function.addFnAttr("target-features", machine.getTargetFeatureString());
    function.addFnAttr("prefer-vector-width", bits);
    function.addFnAttr("min-legal-vector-width", bits);
    function.addFnAttr(llvm::Attribute::NoUnwind);
  }
}

/// Translates the lowered `tiles` and optimises them.
static Expected<std::unique_ptr<llvm::Module>> translate(ModuleOp tiles, llvm::LLVMContext &context,
                                                         llvm::TargetMachine &machine,
                                                         const CpuTarget &target) {
  auto module = translateModule(tiles, context, machine);
  if (!module)
    return module.takeError();
  setFunctionAttributes(**module, machine, target.getMachine().vectorBytes);
  optimizeModule(**module, machine);
  return module;
}

//===----------------------------------------------------------------------===//
// Entry points
//===----------------------------------------------------------------------===//

/// Everything up to optimised LLVM IR, then `finish`.
template <typename Finish>
static Expected<std::string> compile(ModuleOp module, ModuleOp tiles, const CpuTarget &target,
                                     Finish finish) {
  if (llvm::Error error = lowerTiles(module, tiles))
    return error;
  auto machine = createMachine(target.getCpu());
  if (!machine)
    return machine.takeError();
  llvm::LLVMContext context;
  auto translated = translate(tiles, context, **machine, target);
  if (!translated)
    return translated.takeError();
  return finish(**translated, **machine);
}

Expected<Image> moec::codegen::emitImage(ModuleOp module, const CpuTarget &target) {
  Image image;
  auto tiles = buildTiles(module, target, image);
  if (!tiles)
    return tiles.takeError();
  auto object = compile(module, **tiles, target, [](llvm::Module &m, llvm::TargetMachine &machine) {
    return generateCode(m, machine, llvm::CodeGenFileType::ObjectFile);
  });
  if (!object)
    return object.takeError();
  // What compilers take for granted of the C library.
  auto linked = linkSharedObject(*object, {"memcpy", "memmove", "memset"});
  if (!linked)
    return linked.takeError();
  image.bytes = std::move(*linked);
  return image;
}

template <typename T> static std::string print(T &printable) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  printable.print(stream, nullptr);
  return text;
}

Expected<std::string> moec::codegen::emitText(ModuleOp module, const CpuTarget &target,
                                              Stage stage) {
  Image image;
  auto tiles = buildTiles(module, target, image);
  if (!tiles)
    return tiles.takeError();
  if (stage == Stage::Tile) {
    std::string text;
    llvm::raw_string_ostream stream(text);
    (*tiles)->print(stream);
    return text;
  }
  return compile(module, **tiles, target,
                 [&](llvm::Module &m, llvm::TargetMachine &machine) -> Expected<std::string> {
                   if (stage == Stage::Llvm)
                     return print(m);
                   return generateCode(m, machine, llvm::CodeGenFileType::AssemblyFile);
                 });
}
