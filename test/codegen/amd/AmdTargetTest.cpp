// What needs no GPU of the way to AMD's: chips, occupancy, metadata, and the refusal of what cannot
// be emitted.
#include "codegen/target/amd/EmitCodeObject.h"
#include "test/codegen/KernelHarness.h"

#include "gtest/gtest.h"

using namespace moec;
using namespace moec::test;

namespace {

TEST(AmdTarget, UnknownChipsAreNamed) {
  auto chip = codegen::findAmdChip("gfx1100");
  EXPECT_EQ(llvm::toString(chip.takeError()),
            "target 'gfx1100': unknown chip; known are gfx942, gfx950");
}

TEST(AmdTarget, CountsGroupsOfAComputeUnit) {
  const codegen::AmdChip &chip = **codegen::findAmdChip("gfx942");
  EXPECT_EQ(chip.countGroups(64, 32, 0), 32u);        // 8 wavefronts on each of 4 SIMDs
  EXPECT_EQ(chip.countGroups(256, 32, 0), 8u);        // a group takes 4 of them
  EXPECT_EQ(chip.countGroups(256, 128, 0), 4u);       // 512 registers / 128
  EXPECT_EQ(chip.countGroups(256, 129, 0), 3u);       // in eights
  EXPECT_EQ(chip.countGroups(256, 32, 20 << 10), 3u); // 64 KiB / 20
  EXPECT_EQ((*codegen::findAmdChip("gfx950"))->countGroups(256, 32, 20 << 10), 8u);
}

TEST(AmdTarget, WhatIsNoCodeObjectIsRefused) {
  auto report = codegen::readCodeObject("no object");
  EXPECT_FALSE(report);
  llvm::consumeError(report.takeError());
}

/// A norm of rows of `columns`.
std::string norm(const std::string &name, const std::string &columns) {
  return replaceAll(replaceAll(R"(
    kern.kernel @NAME(%x: tensor<?xCOLSxf32>, %w: tensor<COLSxf32>) -> tensor<?xCOLSxf32>
        attributes {hero = #kern.hero<rows>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>],
        row_strides = array<i64: COLS, 0, COLS>} {
      %0 = moe.add %x, %x : tensor<?xCOLSxf32>
      %1 = moe.rms_norm %0, %w {epsilon = 1.0e-6} : (tensor<?xCOLSxf32>, tensor<COLSxf32>) -> tensor<?xCOLSxf32>
      kern.yield %1 : tensor<?xCOLSxf32>
    })",
                               "NAME", name),
                    "COLS", columns);
}

struct Compiled {
  std::unique_ptr<mlir::MLIRContext> context = makeContext();
  mlir::OwningOpRef<mlir::ModuleOp> module;
  codegen::AmdTarget target;

  Compiled(const std::string &text, llvm::StringRef chip)
      : module(parseModule(text, *context)), target(**codegen::findAmdChip(chip)) {
    for (auto kernel : module->getOps<kern::KernelOp>())
      kernel.setScheduleAttr(target.chooseSchedule(kernel));
  }
};

TEST(AmdTarget, ReadsTheCodeObjectsMetadata) {
  Compiled compiled(norm("narrow", "4096"), "gfx942");
  auto image = codegen::emitCodeObject(*compiled.module, compiled.target);
  ASSERT_TRUE(bool(image)) << llvm::toString(image.takeError());
  ASSERT_EQ(image->kernels.size(), 1u);
  const codegen::AmdKernel &kernel = image->kernels[0];
  EXPECT_EQ(kernel.symbol, "narrow");
  EXPECT_GT(kernel.report.vectorRegisters, 0u);
  EXPECT_GT(kernel.report.scalarRegisters, 0u);
  EXPECT_GE(kernel.report.sharedBytes, 2u * 4); // a sum of each wavefront
  EXPECT_EQ(kernel.report.scratchBytes, 0u);
  EXPECT_GT(kernel.groupsPerUnit, 0u);
}

TEST(AmdTarget, RefusesAllThatCannotBeEmittedAtOnce) {
  Compiled compiled(norm("wide", "40960") + norm("narrow", "512"), "gfx942");
  auto image = codegen::emitCodeObject(*compiled.module, compiled.target);
  EXPECT_EQ(llvm::toString(image.takeError()),
            "1 of 2 kernels cannot be emitted for gfx942:\n"
            "  'wide' (rows, ): a tile needs 163968 bytes of shared memory, a block has 65536");
}

} // namespace
