// What needs no GPU of the way to one: reports, chips, and the refusal of what cannot be emitted.
#include "codegen/target/gpu/AlignAccesses.h"
#include "codegen/target/nvidia/EmitKernels.h"
#include "test/codegen/KernelHarness.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "gtest/gtest.h"

using namespace moec;
using namespace moec::test;

namespace {

TEST(NvidiaTarget, ReadsTheAssemblersReports) {
  auto reports = codegen::readReports(
      "ptxas info    : 0 bytes gmem\n"
      "ptxas info    : Compiling entry function 'first' for 'sm_90a'\n"
      "ptxas info    : Function properties for first\n"
      "    40 bytes stack frame, 24 bytes spill stores, 28 bytes spill loads\n"
      "ptxas info    : Used 168 registers, used 1 barriers, 40 bytes cumulative stack size\n"
      "ptxas info    : Compiling entry function 'second' for 'sm_90a'\n"
      "ptxas info    : Function properties for second\n"
      "    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads\n"
      "ptxas info    : Used 32 registers, used 0 barriers\n");
  EXPECT_EQ(reports.size(), 2u);
  EXPECT_EQ(reports["first"].registers, 168u);
  EXPECT_EQ(reports["first"].stackBytes, 40u);
  EXPECT_EQ(reports["first"].spillBytes, 24u);
  EXPECT_EQ(reports["second"].registers, 32u);
  EXPECT_EQ(reports["second"].spillBytes, 0u);
}

TEST(NvidiaTarget, UnknownChipsAreNamed) {
  auto chip = codegen::findChip("sm_61");
  EXPECT_EQ(llvm::toString(chip.takeError()),
            "target 'sm_61': unknown chip; known are sm_80, sm_89, sm_90a, sm_100a, sm_120a");
}

/// A sum, a norm and a quantization of rows of `columns`.
std::string rows(const std::string &name, const std::string &columns) {
  return replaceAll(replaceAll(R"(
    kern.kernel @NAME(%x: tensor<?xCOLSxf32>, %w: tensor<COLSxf32>) -> !moe.qtensor<?xCOLSxf8E4M3FN, block = [1, 128], scale = f32>
        attributes {hero = #kern.hero<rows>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>],
        row_strides = array<i64: COLS, 0, COLS>} {
      %0 = moe.add %x, %x : tensor<?xCOLSxf32>
      %1 = moe.rms_norm %0, %w {epsilon = 1.0e-6} : (tensor<?xCOLSxf32>, tensor<COLSxf32>) -> tensor<?xCOLSxf32>
      %2 = moe.quantize %1 : (tensor<?xCOLSxf32>) -> !moe.qtensor<?xCOLSxf8E4M3FN, block = [1, 128], scale = f32>
      kern.yield %2 : !moe.qtensor<?xCOLSxf8E4M3FN, block = [1, 128], scale = f32>
    })",
                               "NAME", name),
                    "COLS", columns);
}

TEST(NvidiaTarget, RefusesAllThatCannotBeEmittedAtOnce) {
  auto context = makeContext();
  auto module =
      parseModule(rows("wide", "40960") + rows("narrow", "512") + rows("wider", "81920"), *context);
  codegen::NvidiaTarget target(**codegen::findChip("sm_90a"));
  for (auto kernel : module->getOps<kern::KernelOp>())
    kernel.setScheduleAttr(target.chooseSchedule(kernel));
  auto tiles = codegen::buildGpuTiles(*module, target);
  std::string error = llvm::toString(tiles.takeError());
  EXPECT_EQ(error,
            "2 of 3 kernels cannot be emitted for sm_90a:\n"
            "  'wide' (rows, ): a tile needs 327808 bytes of shared memory, a block has 232448\n"
            "  'wider' (rows, ): a tile needs 655488 bytes of shared memory, a block has "
            "232448");
}

TEST(AlignAccesses, KnowsStridesStepsAndViews) {
  auto context = makeContext();
  context->loadDialect<mlir::arith::ArithDialect, mlir::memref::MemRefDialect,
                       mlir::scf::SCFDialect, mlir::vector::VectorDialect>();
  auto module = parseModule(R"(
    func.func @f(%wide: memref<?x512xf32>, %odd: memref<?x71xf32>, %view: memref<?x512xf32>, %w: memref<?xi8>, %i: index) {
      %zero = arith.constant 0 : index
      %four = arith.constant 4 : index
      %six = arith.constant 6 : index
      %end = arith.constant 512 : index
      %shift = arith.constant 320 : index
      %own = memref.view %w[%shift][] : memref<?xi8> to memref<512xf32>
      scf.for %column = %zero to %end step %four {
        %0 = vector.load %wide[%i, %column] : memref<?x512xf32>, vector<4xf32>
        %1 = vector.load %odd[%i, %column] : memref<?x71xf32>, vector<4xf32>
        %2 = vector.load %view[%i, %column] : memref<?x512xf32>, vector<4xf32>
        %3 = arith.addi %column, %six : index
        %4 = vector.load %wide[%i, %3] : memref<?x512xf32>, vector<4xf32>
        vector.store %4, %own[%column] : memref<512xf32>, vector<4xf32>
      }
      return
    })",
                            *context);
  auto function = *module->getOps<mlir::func::FuncOp>().begin();
  codegen::alignAccesses(function, {16, 16, 8});
  std::vector<uint64_t> alignments;
  function.walk([&](mlir::Operation *op) {
    if (auto load = llvm::dyn_cast<mlir::vector::LoadOp>(op))
      alignments.push_back(load.getAlignment().value_or(0));
    else if (auto store = llvm::dyn_cast<mlir::vector::StoreOp>(op))
      alignments.push_back(store.getAlignment().value_or(0));
  });
  // An odd row stride leaves single elements, which need no saying.
  EXPECT_EQ(alignments, (std::vector<uint64_t>{16, 0, 8, 8, 16}));
}

} // namespace
