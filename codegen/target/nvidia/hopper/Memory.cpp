#include "codegen/target/nvidia/hopper/Memory.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace moec::hopper;

namespace moec::hopper {

static constexpr unsigned kShared = 3; // address space

static Value offset(Builder &b, Value pointer, LLVM::GEPArg bytes) {
  return LLVM::GEPOp::create(b, pointer.getType(), b.getI8Type(), pointer,
                             ArrayRef<LLVM::GEPArg>{bytes});
}

/// The value of a constant that fits a GEP's own operand.
static std::optional<int32_t> getConstant(const Int &x) {
  llvm::APInt constant;
  if (!matchPattern(x.value, m_ConstantInt(&constant)) ||
      !constant.isSignedIntN(LLVM::kGEPConstantBitWidth))
    return std::nullopt;
  return static_cast<int32_t>(constant.getSExtValue());
}

Shared Shared::operator+(const Int &bytes) const {
  if (auto constant = getConstant(bytes))
    return *constant ? Shared{b, offset(*b, pointer, *constant)} : *this;
  return {b, offset(*b, pointer, bytes.value)};
}

Int Shared::getAddress() const {
  return Int(*b, LLVM::PtrToIntOp::create(*b, b->getI32Type(), pointer).getResult());
}

Shared Shared::at(const Int &address) {
  auto type = LLVM::LLVMPointerType::get(address.b->getContext(), kShared);
  return {address.b, LLVM::IntToPtrOp::create(*address.b, type, address.value).getResult()};
}

Global Global::operator+(const Int &bytes) const {
  if (auto constant = getConstant(bytes))
    return *constant ? Global{b, offset(*b, pointer, *constant)} : *this;
  return {b, offset(*b, pointer, toWide(bytes))};
}

Global Global::at(const Int &index, int64_t bytes) const {
  Value size = LLVM::ConstantOp::create(*b, b->getI64Type(), b->getI64IntegerAttr(bytes));
  return {b, offset(*b, pointer, LLVM::MulOp::create(*b, toWide(index), size).getResult())};
}

Value load(const Shared &from, Type type, unsigned alignment) {
  return LLVM::LoadOp::create(*from.b, type, from.pointer, alignment);
}

Value load(const Global &from, Type type, unsigned alignment, bool constant) {
  return LLVM::LoadOp::create(*from.b, type, from.pointer, alignment, /*isVolatile=*/false,
                              /*isNonTemporal=*/false, /*isInvariant=*/constant);
}

void store(Value value, const Shared &to, unsigned alignment) {
  LLVM::StoreOp::create(*to.b, value, to.pointer, alignment);
}

void store(Value value, const Global &to, unsigned alignment) {
  LLVM::StoreOp::create(*to.b, value, to.pointer, alignment);
}

//===----------------------------------------------------------------------===//
// Aggregates
//===----------------------------------------------------------------------===//

Value makeUndefined(Builder &b, Type type) { return LLVM::UndefOp::create(b, type); }

Value makeStruct(Builder &b, ValueRange members) {
  auto type = LLVM::LLVMStructType::getLiteral(b.getContext(), llvm::to_vector(members.getTypes()));
  Value result = makeUndefined(b, type);
  for (auto [i, member] : llvm::enumerate(members))
    result = LLVM::InsertValueOp::create(b, result, member, static_cast<int64_t>(i));
  return result;
}

Values getMembers(Builder &b, Value structure) {
  Values members;
  for (unsigned i :
       llvm::seq<unsigned>(0, cast<LLVM::LLVMStructType>(structure.getType()).getBody().size()))
    members.push_back(LLVM::ExtractValueOp::create(b, structure, static_cast<int64_t>(i)));
  return members;
}

static Value makeIndex(Builder &b, int64_t i) {
  return LLVM::ConstantOp::create(b, b.getI32Type(), b.getI32IntegerAttr(i));
}

Value makeVector(Builder &b, ValueRange values) {
  auto type = VectorType::get(values.size(), values.front().getType());
  Value vector = makeUndefined(b, type);
  for (auto [i, value] : llvm::enumerate(values))
    vector = LLVM::InsertElementOp::create(b, vector, value, makeIndex(b, i));
  return vector;
}

Values getElements(Builder &b, Value vector) {
  Values elements;
  for (int64_t i : llvm::seq(cast<VectorType>(vector.getType()).getNumElements()))
    elements.push_back(LLVM::ExtractElementOp::create(b, vector, makeIndex(b, i)));
  return elements;
}

Values inlineAsm(Builder &b, llvm::StringRef text, llvm::StringRef constraints, ValueRange operands,
                 TypeRange results, bool hasSideEffects) {
  SmallVector<Type, 1> type;
  if (results.size() == 1)
    type.push_back(results.front());
  else if (!results.empty())
    type.push_back(LLVM::LLVMStructType::getLiteral(b.getContext(), llvm::to_vector(results)));
  auto assembly = LLVM::InlineAsmOp::create(
      b, type, operands, text, constraints, hasSideEffects, /*is_align_stack=*/false,
      LLVM::TailCallKind::None, LLVM::AsmDialectAttr::get(b.getContext(), LLVM::AsmDialect::AD_ATT),
      /*operand_attrs=*/ArrayAttr());
  if (results.size() < 2)
    return Values(assembly->getResults());
  return getMembers(b, assembly.getResult(0));
}

} // namespace moec::hopper
