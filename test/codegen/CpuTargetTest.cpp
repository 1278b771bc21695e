// Names of CPUs, images, and what both refuse.
#include "codegen/target/common/LinkSharedObject.h"
#include "test/codegen/KernelHarness.h"

#include "llvm/AsmParser/Parser.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Object/ELFObjectFile.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include "gtest/gtest.h"

using namespace moec;
using namespace moec::codegen;
using namespace moec::test;

namespace {

constexpr const char *kAdd = R"(
  kern.kernel @add(%x: tensor<?x129xf32>, %y: tensor<?x129xf32>) -> tensor<?x129xf32> attributes {
      hero = #kern.hero<pointwise>,
      rows = [#kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>],
      row_strides = array<i64: 129, 129, 129>} {
    %0 = moe.add %x, %y : tensor<?x129xf32>
    kern.yield %0 : tensor<?x129xf32>
  })";

std::string getError(llvm::StringRef name) {
  auto cpu = findCpu(name);
  return cpu ? "" : llvm::toString(cpu.takeError());
}

TEST(Cpus, LevelsHaveNoFeaturesOfTheirOwn) {
  Cpu cpu = llvm::cantFail(findCpu("cpu:x86-64-v4"));
  EXPECT_EQ(cpu.llvmCpu, "x86-64-v4");
  EXPECT_TRUE(cpu.features.empty());
  EXPECT_EQ(cpu.machine.vectorBytes, 64);
  EXPECT_EQ(llvm::cantFail(findCpu("cpu:x86-64-v3")).machine.vectorBytes, 32);
}

TEST(Cpus, HostIsDescribedByItsFeatures) {
  Cpu cpu = llvm::cantFail(findCpu("cpu"));
  EXPECT_FALSE(cpu.llvmCpu.empty());
  EXPECT_NE(std::find(cpu.features.begin(), cpu.features.end(), "avx2"), cpu.features.end());
  EXPECT_TRUE(std::is_sorted(cpu.features.begin(), cpu.features.end()));
}

TEST(Cpus, UnknownLevelIsRefused) {
  EXPECT_EQ(getError("cpu:x86-64-v9"), "target 'cpu:x86-64-v9': unknown CPU level; known are cpu "
                                       "(this machine), cpu:x86-64-v3, cpu:x86-64-v4");
  EXPECT_NE(getError("cpu:"), "");
  EXPECT_NE(getError("cpux"), "");
}

TEST(Cpus, WeakHostIsRefused) {
  llvm::StringMap<bool> features;
  features["avx"] = true;
  auto cpu = describeHost("cpu", "sandybridge", features);
  ASSERT_FALSE(cpu);
  EXPECT_EQ(
      llvm::toString(cpu.takeError()),
      "target 'cpu': this CPU (sandybridge) lacks avx2; moec needs an x86-64-v3 CPU: name the "
      "level of the machine that will run the bundle (cpu:x86-64-v3)");
}

TEST(Cpus, ModuleWithUnknownTarget) {
  auto context = makeContext();
  EXPECT_THROW(KernelHarness(kAdd, {}, "cpu:x86-64-v2"), std::runtime_error);
}

TEST(Images, AreDeterministicAndNeedLittle) {
  auto context = makeContext();
  auto module = parseModule(kAdd, *context);
  CpuTarget target(llvm::cantFail(findCpu("cpu:x86-64-v3")));
  Image first = llvm::cantFail(emitImage(*module, target));
  Image second = llvm::cantFail(emitImage(*module, target));
  EXPECT_EQ(first.bytes, second.bytes);
  ASSERT_EQ(first.kernels.size(), 1u);
  EXPECT_EQ(first.kernels[0].symbol, "add");
  EXPECT_EQ(first.kernels[0].numArgs, 3u);
  EXPECT_EQ(first.kernels[0].workspaceBytes, 0u);

  auto file = llvm::cantFail(
      llvm::object::ObjectFile::createObjectFile(llvm::MemoryBufferRef(first.bytes, "image")));
  auto &elf = *llvm::cast<llvm::object::ELFObjectFileBase>(file.get());
  std::vector<std::string> names;
  for (auto symbol : elf.getDynamicSymbolIterators())
    names.push_back(llvm::cantFail(symbol.getName()).str());
  EXPECT_EQ(names, std::vector<std::string>{"add"});
}

TEST(Images, TextOfEachStage) {
  auto context = makeContext();
  auto module = parseModule(kAdd, *context);
  CpuTarget target(llvm::cantFail(findCpu("cpu:x86-64-v3")));
  auto contains = [&](Stage stage, llvm::StringRef part) {
    return llvm::StringRef(llvm::cantFail(emitText(*module, target, stage))).contains(part);
  };
  EXPECT_TRUE(contains(Stage::Tile, "func.func private @add.tile"));
  EXPECT_TRUE(contains(Stage::Llvm, "define void @add("));
  EXPECT_TRUE(contains(Stage::Assembly, "vaddps"));
}

TEST(Images, KernelThatNoEmitterTakes) {
  auto context = makeContext();
  auto module = parseModule(R"(
    kern.kernel @k(%x: tensor<?x8xf32>, %w: tensor<8x8xf32>) -> tensor<?x8xf32> attributes {
        hero = #kern.hero<rows>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>],
        row_strides = array<i64: 8, 8, 8>} {
      %0 = moe.linear %x, %w : (tensor<?x8xf32>, tensor<8x8xf32>) -> tensor<?x8xf32>
      kern.yield %0 : tensor<?x8xf32>
    })",
                            *context);
  std::string diagnostics;
  mlir::ScopedDiagnosticHandler handler(context.get(), [&](mlir::Diagnostic &diagnostic) {
    diagnostics += diagnostic.str();
    return mlir::success();
  });
  CpuTarget target(llvm::cantFail(findCpu("cpu:x86-64-v3")));
  auto image = emitImage(*module, target);
  ASSERT_FALSE(image);
  EXPECT_EQ(llvm::toString(image.takeError()), "kernel 'k' cannot be compiled for cpu:x86-64-v3");
  EXPECT_EQ(diagnostics, "'moe.linear' op moe.linear is no row-wise op that kernels compute a row "
                         "at a time");
}

/// The object file of some LLVM IR.
std::string assemble(const char *text) {
  llvm::InitializeNativeTarget();
  llvm::InitializeNativeTargetAsmPrinter();
  llvm::LLVMContext context;
  llvm::SMDiagnostic diagnostic;
  auto module = llvm::parseAssemblyString(text, diagnostic, context);
  llvm::Triple triple("x86_64-unknown-linux-gnu");
  std::string error;
  std::unique_ptr<llvm::TargetMachine> machine(
      llvm::TargetRegistry::lookupTarget(triple, error)
          ->createTargetMachine(triple, "x86-64-v3", "", {}, llvm::Reloc::PIC_));
  module->setTargetTriple(triple);
  module->setDataLayout(machine->createDataLayout());
  llvm::SmallString<0> object;
  llvm::raw_svector_ostream stream(object);
  llvm::legacy::PassManager passes;
  machine->addPassesToEmitFile(passes, stream, nullptr, llvm::CodeGenFileType::ObjectFile);
  passes.run(*module);
  return object.str().str();
}

TEST(Linking, CallOfALibraryIsRefused) {
  auto linked = linkSharedObject(assemble("declare float @expf(float)\n"
                                          "define float @f(float %x) {\n"
                                          "  %y = call float @expf(float %x)\n"
                                          "  ret float %y\n"
                                          "}\n"));
  ASSERT_FALSE(linked);
  EXPECT_EQ(
      llvm::toString(linked.takeError()),
      "kernels call 'expf', which no library of the serving machine promises; expand it where "
      "codegen/target lowers tile functions");
}

TEST(Linking, DamagedObjectIsRefused) {
  auto linked = linkSharedObject("no object");
  ASSERT_FALSE(linked);
  llvm::consumeError(linked.takeError());
}

} // namespace
