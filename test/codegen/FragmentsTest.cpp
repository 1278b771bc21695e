// The fragments that targets supply, against the layouts that the makers document: the product of
// what threads hold is the product of the matrices, for every thread and every register.
#include "codegen/target/amd/MfmaFragments.h"
#include "codegen/target/nvidia/MmaFragments.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "gtest/gtest.h"

#include <map>
#include <set>

using namespace mlir;
using namespace moec::codegen;

namespace {

constexpr int64_t kDepth = MatrixFragments::kDepth, kRun = MatrixFragments::kRun;

/// Where an instruction's element `i` of thread `lane` belongs, as documented.
struct Documented {
  int64_t lanes, depth;                                           // of the instruction
  std::function<LaneMap::Place(int64_t lane, int64_t i)> a, b, c; // b: (column, depth)
};

// PTX ISA, "Matrix Fragments for mma.m16n8k16 with floating point type".
const Documented kMma{32, 16,
                      [](int64_t lane, int64_t i) -> LaneMap::Place {
                        int64_t group = lane >> 2, thread = lane % 4;
                        bool isUpper = i < 2 || (i >= 4 && i < 6);
                        return {isUpper ? group : group + 8,
                                thread * 2 + (i & 1) + (i < 4 ? 0 : 8)};
                      },
                      [](int64_t lane, int64_t i) -> LaneMap::Place {
                        return {lane >> 2, lane % 4 * 2 + (i & 1) + (i < 2 ? 0 : 8)};
                      },
                      [](int64_t lane, int64_t i) -> LaneMap::Place {
                        return {(lane >> 2) + (i < 2 ? 0 : 8), lane % 4 * 2 + (i & 1)};
                      }};

/// AMD's ISA guides, dense 16 x 16 layouts; `each` neighbours of the depth in a thread.
Documented makeMfma(int64_t each) {
  auto operand = [each](int64_t lane, int64_t i) -> LaneMap::Place {
    return {lane % 16, lane / 16 * each + i};
  };
  auto result = [](int64_t lane, int64_t i) -> LaneMap::Place {
    return {lane / 16 * 4 + i, lane % 16};
  };
  return {64, 4 * each, operand, operand, result};
}

/// A run of an operand, and elements of it in order.
struct Elements {
  unsigned run = 0;
  std::vector<int64_t> at;
};

/// What a register of an instruction is made of: elements of the function's arguments.
Elements trace(Value value) {
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    Elements all{argument.getArgNumber(), {}};
    for (int64_t i = 0; i < kRun; ++i)
      all.at.push_back(i);
    return all;
  }
  if (auto cast = value.getDefiningOp<vector::BitCastOp>())
    return trace(cast.getSource());
  if (auto slice = value.getDefiningOp<vector::ExtractStridedSliceOp>()) {
    Elements from = trace(slice.getSource());
    int64_t first = llvm::cast<IntegerAttr>(slice.getOffsets()[0]).getInt();
    int64_t count = llvm::cast<IntegerAttr>(slice.getSizes()[0]).getInt();
    return {from.run, {from.at.begin() + first, from.at.begin() + first + count}};
  }
  auto extract = value.getDefiningOp<vector::ExtractOp>(); // a pair of bf16
  Elements from = trace(extract.getSource());
  int64_t pair = extract.getStaticPosition()[0];
  return {from.run, {from.at[2 * pair], from.at[2 * pair + 1]}};
}

/// The elements of `registers` one after the other, as (item of the fragment, element of its run).
std::vector<LaneMap::Place> traceAll(ValueRange registers, unsigned firstRun) {
  std::vector<LaneMap::Place> all;
  for (Value value : registers) {
    Elements elements = trace(value);
    for (int64_t at : elements.at)
      all.push_back({elements.run - firstRun, at});
  }
  return all;
}

struct FragmentsTest : testing::Test {
  FragmentsTest() {
    context.loadDialect<arith::ArithDialect, func::FuncDialect, LLVM::LLVMDialect,
                        vector::VectorDialect>();
  }

  /// The instructions of one product of `fragments`; runs of A, then of B, are the arguments.
  SmallVector<LLVM::CallIntrinsicOp> emit(const MatrixFragments &fragments) {
    module = ModuleOp::create(UnknownLoc::get(&context));
    ImplicitLocOpBuilder b(module->getLoc(), &context);
    b.setInsertionPointToEnd(module->getBody());
    size_t numA = fragments.a.items.size(), numB = fragments.b.items.size();
    SmallVector<Type> types(numA + numB, VectorType::get({kRun}, b.getBF16Type()));
    types.push_back(VectorType::get({int64_t(fragments.c.items.size())}, b.getF32Type()));
    auto function = func::FuncOp::create(b, "f", b.getFunctionType(types, {}));
    b.setInsertionPointToEnd(function.addEntryBlock());
    ValueRange arguments = function.getArguments();
    fragments.multiply(b, arguments.take_front(numA), arguments.slice(numA, numB),
                       arguments.back());
    return llvm::to_vector(function.getOps<LLVM::CallIntrinsicOp>());
  }

  /// Checks one instruction; adds to `depths` which indices along the depth it multiplies.
  void check(const MatrixFragments &fragments, const Documented &documented,
             const std::vector<LaneMap::Place> &a, const std::vector<LaneMap::Place> &b,
             std::multiset<int64_t> &depths) {
    // From what the instruction takes for its depth to that of the matrices; from its rows
    // likewise.
    std::map<int64_t, std::set<int64_t>> depthOf, rowOf, columnOf;
    for (int64_t lane = 0; lane < documented.lanes; ++lane) {
      for (size_t i = 0; i < a.size(); ++i) {
        auto [row, depth] = documented.a(lane, i);
        auto [realRow, realDepth] = fragments.a.at(lane, a[i][0]);
        rowOf[row].insert(realRow);
        depthOf[depth].insert(realDepth + a[i][1]);
      }
      for (size_t i = 0; i < b.size(); ++i) {
        auto [column, depth] = documented.b(lane, i);
        auto [realColumn, realDepth] = fragments.b.at(lane, b[i][0]);
        columnOf[column].insert(realColumn);
        depthOf[depth].insert(realDepth + b[i][1]);
      }
      for (size_t i = 0; i < fragments.c.items.size(); ++i)
        EXPECT_EQ(fragments.c.at(lane, i), documented.c(lane, i)) << lane << ", " << i;
    }
    EXPECT_EQ(depthOf.size(), size_t(documented.depth));
    EXPECT_EQ(rowOf.size(), size_t(fragments.rows));
    EXPECT_EQ(columnOf.size(), size_t(fragments.columns));
    for (auto &[row, real] : rowOf)
      EXPECT_EQ(real, std::set<int64_t>{row});
    for (auto &[column, real] : columnOf)
      EXPECT_EQ(real, std::set<int64_t>{column});
    for (auto &[depth, real] : depthOf) {
      EXPECT_EQ(real.size(), 1u) << "A and B disagree at " << depth;
      depths.insert(*real.begin());
    }
  }

  void check(const MatrixFragments &fragments, const Documented &documented, unsigned registersOfA,
             unsigned registersOfB) {
    std::multiset<int64_t> depths, all;
    unsigned numA = fragments.a.items.size();
    for (LLVM::CallIntrinsicOp call : emit(fragments)) {
      auto a = traceAll(call.getArgs().take_front(registersOfA), 0);
      auto b = traceAll(call.getArgs().slice(registersOfA, registersOfB), numA);
      check(fragments, documented, a, b, depths);
    }
    for (int64_t i = 0; i < kDepth; ++i)
      all.insert(i);
    EXPECT_EQ(depths, all); // each once
  }

  MLIRContext context;
  OwningOpRef<ModuleOp> module;
};

TEST_F(FragmentsTest, Mma) { check(getMmaFragments(), kMma, 4, 2); }
TEST_F(FragmentsTest, Mfma) { check(getMfmaFragments(), makeMfma(4), 1, 1); }
TEST_F(FragmentsTest, DeepMfma) { check(getDeepMfmaFragments(), makeMfma(8), 1, 1); }

} // namespace
