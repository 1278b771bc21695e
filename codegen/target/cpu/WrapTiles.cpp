// The C functions of the kernel ABI (docs/contracts.md) around lowered tile functions.
#include "codegen/target/cpu/WrapTiles.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

using namespace mlir;
using namespace moec;
using namespace moec::codegen;

namespace {

/// Builds `void symbol(void *const *args, const int64_t *dims, int64_t tile, void *workspace)`.
struct Wrapper {
  ImplicitLocOpBuilder b;
  LLVM::LLVMFuncOp function;
  SmallVector<Value> operands; // of the tile function

  Value constant(int64_t value) {
    return LLVM::ConstantOp::create(b, b.getI64Type(), b.getI64IntegerAttr(value));
  }
  Value loadElement(Value base, Type type, int64_t index) {
    Value address = LLVM::GEPOp::create(b, base.getType(), type, base,
                                        ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(index)});
    return LLVM::LoadOp::create(b, type, address);
  }
  Value loadDim(unsigned dim) { return loadElement(function.getArgument(1), b.getI64Type(), dim); }

  /// The memref at `address`, exploded as the conversion of func to LLVM does.
  void pushMemRef(MemRefType type, Value address, ArrayRef<Value> sizes) {
    operands.append({address, address, constant(0)});
    operands.append(sizes.begin(), sizes.end());
    for (auto [axis, stride] : llvm::enumerate(type.getStridesAndOffset().first))
      operands.push_back(ShapedType::isDynamic(stride) ? sizes[axis + 1] : constant(stride));
  }

  void pushSlot(const Slot &slot, unsigned index) {
    Value address =
        loadElement(function.getArgument(0), LLVM::LLVMPointerType::get(b.getContext()), index);
    SmallVector<Value> sizes;
    for (auto [axis, size] : llvm::enumerate(slot.type.getShape())) {
      auto rows = dyn_cast<kern::RowsAttr>(slot.rows);
      if (axis == 0 && rows)
        sizes.push_back(LLVM::MulOp::create(b, loadDim(static_cast<unsigned>(rows.getDim())),
                                            constant(rows.getMultiplier())));
      else if (!ShapedType::isDynamic(size))
        sizes.push_back(constant(size));
      else // columns of a block table; the rows of a cache, which nobody asks for
        sizes.push_back(axis ? loadDim(TileFunction::kPages) : constant(0));
    }
    pushMemRef(slot.type, address, sizes);
  }
};

} // namespace

/// Distinct buffers of one launch never overlap, so each base pointer is noalias; but not what
/// other tiles write while this one, having counted them, reads it.
static void markTile(kern::KernelOp kernel, LLVM::LLVMFuncOp tile, ArrayRef<Slot> slots) {
  bool shares = kernel.getNumCounters() || kernel.getScratchBytes();
  unsigned numPrivate = shares ? kernel.getNumArguments() : ~0u;
  tile.setLinkage(LLVM::Linkage::Internal);
  tile.setAlwaysInline(true);
  unsigned argument = 0;
  for (const Slot &slot : slots) {
    if (slot.value < numPrivate)
      tile.setArgAttr(argument + 1, LLVM::LLVMDialect::getNoAliasAttrName(),
                      UnitAttr::get(tile.getContext()));
    argument += 3 + 2 * slot.type.getRank();
  }
}

void moec::codegen::wrapTile(kern::KernelOp kernel, ModuleOp module) {
  std::string symbol = kernel.getSymName().str();
  auto tile = module.lookupSymbol<LLVM::LLVMFuncOp>(symbol + ".tile");
  SmallVector<Slot> slots = getSlots(kernel);
  markTile(kernel, tile, slots);

  ImplicitLocOpBuilder b(UnknownLoc::get(module.getContext()), module.getContext());
  b.setInsertionPointToEnd(module.getBody());
  Type pointer = LLVM::LLVMPointerType::get(b.getContext());
  auto type = LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(b.getContext()),
                                          {pointer, pointer, b.getI64Type(), pointer});
  Wrapper wrapper{b, LLVM::LLVMFuncOp::create(b, symbol, type), {}};
  wrapper.b.setInsertionPointToStart(wrapper.function.addEntryBlock(wrapper.b));
  for (auto [index, slot] : llvm::enumerate(slots))
    wrapper.pushSlot(slot, index);
  for (unsigned dim = 0; dim < TileFunction::kNumDims; ++dim)
    wrapper.operands.push_back(wrapper.loadDim(dim));
  wrapper.operands.push_back(wrapper.function.getArgument(2));
  wrapper.pushMemRef(MemRefType::get({ShapedType::kDynamic}, b.getI8Type()),
                     wrapper.function.getArgument(3), wrapper.constant(0));
  LLVM::CallOp::create(wrapper.b, tile, wrapper.operands);
  LLVM::ReturnOp::create(wrapper.b, ValueRange{});
}
