// The layout is that of AMD's "Instinct MI300" and "CDNA4" ISA guides, and of their Matrix
// Instruction Calculator, for one block of 16 x 16: with i = lane % 16 and g = lane / 16, a thread
// holds row i of A and column i of B, of the depth D / 4 neighbours from g * D / 4 on, and of the
// result column i, rows 4 g ... 4 g + 3. Of 32 indices along the depth thread group g loads
// 8 g ... 8 g + 7: for the deep form just its own; two shallow ones take four of them each, in A
// and B alike.
#include "codegen/target/amd/MfmaFragments.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace moec::codegen;

/// One instruction. The last three operands broadcast and permute blocks: not at all.
static Value call(ImplicitLocOpBuilder &b, StringRef name, Value lhs, Value rhs, Value sum) {
  Value none = LLVM::ConstantOp::create(b, b.getI32Type(), b.getI32IntegerAttr(0));
  return LLVM::CallIntrinsicOp::create(b, sum.getType(), b.getStringAttr(name),
                                       ValueRange{lhs, rhs, sum, none, none, none})
      .getResult(0);
}

/// Four of a run's elements, as the instruction's type wants them.
static Value takeFour(ImplicitLocOpBuilder &b, Value run, int64_t first) {
  Value four = vector::ExtractStridedSliceOp::create(b, run, ArrayRef<int64_t>{first},
                                                     ArrayRef<int64_t>{4}, ArrayRef<int64_t>{1});
  return vector::BitCastOp::create(b, VectorType::get({4}, b.getI16Type()), four);
}

static Value multiplyTwice(ImplicitLocOpBuilder &b, ValueRange lhs, ValueRange rhs, Value sum) {
  for (int64_t first : {0, 4})
    sum = call(b, "llvm.amdgcn.mfma.f32.16x16x16bf16.1k", takeFour(b, lhs[0], first),
               takeFour(b, rhs[0], first), sum);
  return sum;
}

static Value multiplyOnce(ImplicitLocOpBuilder &b, ValueRange lhs, ValueRange rhs, Value sum) {
  return call(b, "llvm.amdgcn.mfma.f32.16x16x32.bf16", lhs[0], rhs[0], sum);
}

static constexpr LaneMap::Place kOne[] = {{0, 0}}, kSums[] = {{0, 0}, {1, 0}, {2, 0}, {3, 0}};
static constexpr LaneNumber kWithin{1, 16, 1};

static MatrixFragments makeFragments(decltype(MatrixFragments::multiply) multiply) {
  return {.rows = 16,
          .columns = 16,
          .a = {kWithin, {16, 0, 8}, kOne},
          .b = {kWithin, {16, 0, 8}, kOne},
          .c = {{16, 0, 4}, kWithin, kSums},
          .rowPadding = 8, // sixteen threads read a column of runs
          .multiply = multiply};
}

const MatrixFragments &moec::codegen::getMfmaFragments() {
  static const MatrixFragments fragments = makeFragments(multiplyTwice);
  return fragments;
}

const MatrixFragments &moec::codegen::getDeepMfmaFragments() {
  static const MatrixFragments fragments = makeFragments(multiplyOnce);
  return fragments;
}
