// The layout is that of the PTX ISA, "Matrix Fragments for mma.m16n8k16 with floating point type".
// With g = lane / 4 and t = lane % 4, the four registers of A hold k = 2t, 2t + 1 of rows g and
// g + 8, then k = 2t + 8, 2t + 9 of both; the two of B the same k of row g; C has columns 2t,
// 2t + 1 of rows g and g + 8. Of 32 indices along the depth thread t loads 8t ... 8t + 7: the first
// product takes the first four of them for its k, the second the others, in A and B alike.
#include "codegen/target/nvidia/MmaFragments.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace moec::codegen;

/// A run as four registers of two bf16.
static std::array<Value, 4> getWords(ImplicitLocOpBuilder &b, Value run) {
  Value words = vector::BitCastOp::create(b, VectorType::get({4}, b.getI32Type()), run);
  std::array<Value, 4> list;
  for (int64_t i = 0; i < 4; ++i)
    list[i] = vector::ExtractOp::create(b, words, i);
  return list;
}

static Value multiply(ImplicitLocOpBuilder &b, ValueRange lhs, ValueRange rhs, Value sum) {
  auto upper = getWords(b, lhs[0]), lower = getWords(b, lhs[1]), weight = getWords(b, rhs[0]);
  SmallVector<Type> four(4, b.getF32Type());
  auto result = LLVM::LLVMStructType::getLiteral(b.getContext(), four);
  SmallVector<Value> sums;
  for (int64_t i = 0; i < 4; ++i)
    sums.push_back(vector::ExtractOp::create(b, sum, i));
  for (unsigned step = 0; step < 2; ++step) {
    unsigned first = 2 * step, second = first + 1;
    SmallVector<Value> operands{upper[first],  lower[first],  upper[second],
                                lower[second], weight[first], weight[second]};
    operands.append(sums);
    Value made = LLVM::CallIntrinsicOp::create(
                     b, result, b.getStringAttr("llvm.nvvm.mma.m16n8k16.row.col.bf16"), operands)
                     .getResult(0);
    for (int64_t i = 0; i < 4; ++i)
      sums[i] = LLVM::ExtractValueOp::create(b, made, i);
  }
  return vector::FromElementsOp::create(b, cast<VectorType>(sum.getType()), sums);
}

const MatrixFragments &moec::codegen::getMmaFragments() {
  static constexpr LaneMap::Place kTwoRows[] = {{0, 0}, {8, 0}}, kOne[] = {{0, 0}},
                                  kSums[] = {{0, 0}, {0, 1}, {8, 0}, {8, 1}};
  static constexpr LaneNumber kGroup{4, 0, 1};
  static const MatrixFragments fragments{
      .rows = 16,
      .columns = 8,
      .a = {kGroup, {1, 4, 8}, kTwoRows},
      .b = {kGroup, {1, 4, 8}, kOne},
      .c = {kGroup, {1, 4, 2}, kSums},
      .rowPadding = 32, // eight threads read two rows: 64 of 128 bytes each
      .multiply = multiply};
  return fragments;
}
