#include "codegen/target/gpu/WrapKernel.h"

using namespace mlir;
using namespace moec;
using namespace moec::codegen;

static constexpr llvm::StringLiteral kWorkspace = "moec_workspace";

/// The block's shared memory: as long as the launch says, the same for all kernels, or `bytes` of
/// the kernel `owner`'s own.
static LLVM::GlobalOp getWorkspace(ModuleOp module, unsigned space, StringRef owner = {},
                                   uint64_t bytes = 0) {
  std::string name = kWorkspace.str();
  if (!owner.empty())
    name += ("." + owner).str();
  if (auto global = module.lookupSymbol<LLVM::GlobalOp>(name))
    return global;
  OpBuilder b = OpBuilder::atBlockBegin(module.getBody());
  auto type = LLVM::LLVMArrayType::get(b.getI8Type(), bytes);
  auto linkage = owner.empty() ? LLVM::Linkage::External : LLVM::Linkage::Internal;
  return LLVM::GlobalOp::create(b, module.getLoc(), type, /*isConstant=*/false, linkage, name,
                                Attribute(), /*alignment=*/1024, space);
}

Value moec::codegen::callIntrinsic(ImplicitLocOpBuilder &b, StringRef name) {
  return LLVM::CallIntrinsicOp::create(b, b.getI32Type(), b.getStringAttr(name), ValueRange{})
      .getResult(0);
}

namespace {

/// Builds the entry point.
struct Wrapper {
  ImplicitLocOpBuilder b;
  LLVM::LLVMFuncOp function;
  SmallVector<Value> dims;
  SmallVector<Value> operands; // of the tile function

  Value constant(int64_t value) {
    return LLVM::ConstantOp::create(b, b.getI64Type(), b.getI64IntegerAttr(value));
  }
  Value extend(Value value) { return LLVM::ZExtOp::create(b, b.getI64Type(), value); }
  /// The address of a buffer in the space that tile functions take for granted.
  Value getAddress(unsigned argument) {
    Value address = function.getArgument(argument);
    auto pointer = LLVM::LLVMPointerType::get(b.getContext());
    if (address.getType() == pointer)
      return address;
    return LLVM::AddrSpaceCastOp::create(b, pointer, address);
  }
  Value scale(unsigned dim, int64_t by) {
    return by == 1 ? dims[dim] : LLVM::MulOp::create(b, dims[dim], constant(by)).getResult();
  }

  void loadDims(Value address) {
    for (unsigned dim = 0; dim < TileFunction::kNumDims; ++dim) {
      Value place = LLVM::GEPOp::create(b, address.getType(), b.getI64Type(), address,
                                        ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(dim)});
      dims.push_back(LLVM::LoadOp::create(b, b.getI64Type(), place));
    }
  }

  /// The memref at `address`, exploded as the conversion of func to LLVM does.
  void pushMemRef(MemRefType type, Value address, ArrayRef<Value> sizes) {
    operands.append({address, address, constant(0)});
    operands.append(sizes.begin(), sizes.end());
    for (auto [axis, stride] : llvm::enumerate(type.getStridesAndOffset().first))
      operands.push_back(ShapedType::isDynamic(stride) ? sizes[axis + 1] : constant(stride));
  }

  void pushSlot(const Slot &slot, Value address) {
    SmallVector<Value> sizes;
    for (auto [axis, size] : llvm::enumerate(slot.type.getShape())) {
      auto rows = dyn_cast<kern::RowsAttr>(slot.rows);
      if (axis == 0 && rows)
        sizes.push_back(scale(static_cast<unsigned>(rows.getDim()), rows.getMultiplier()));
      else if (!ShapedType::isDynamic(size))
        sizes.push_back(constant(size));
      else // columns of a block table; the rows of a cache, which nobody asks for
        sizes.push_back(axis ? dims[TileFunction::kPages] : constant(0));
    }
    pushMemRef(slot.type, address, sizes);
  }

  /// factor * min(cap, ceildiv(dim * multiplier, divisor))
  Value countTiles(kern::GridAttr grid) {
    Value count = scale(static_cast<unsigned>(grid.getDim()), grid.getMultiplier());
    if (grid.getDivisor() != 1) {
      count = LLVM::AddOp::create(b, count, constant(grid.getDivisor() - 1));
      count = LLVM::UDivOp::create(b, count, constant(grid.getDivisor()));
    }
    if (grid.getCap())
      count = LLVM::UMinOp::create(b, count, constant(grid.getCap()));
    return LLVM::MulOp::create(b, count, constant(grid.getFactor()));
  }
};

} // namespace

/// Inputs of a launch overlap nothing that it writes. Results are left unmarked: other threads of
/// the block write them too, and barriers must order that.
static void markInputs(kern::KernelOp kernel, ArrayRef<Slot> slots, LLVM::LLVMFuncOp function,
                       llvm::function_ref<unsigned(unsigned slot)> getArgument) {
  for (auto [index, slot] : llvm::enumerate(slots)) {
    if (slot.value >= kernel.getNumArguments() ||
        isa<moe::CacheType>(kernel.getArgumentTypes()[slot.value]))
      continue;
    auto unit = UnitAttr::get(function.getContext());
    function.setArgAttr(getArgument(index), LLVM::LLVMDialect::getNoAliasAttrName(), unit);
    function.setArgAttr(getArgument(index), LLVM::LLVMDialect::getReadonlyAttrName(), unit);
  }
}

LLVM::LLVMFuncOp moec::codegen::wrapKernel(const GpuKernel &kernel, kern::GridAttr grid,
                                           ModuleOp module, const KernelIntrinsics &intrinsics) {
  MLIRContext *context = module.getContext();
  std::string symbol = const_cast<GpuKernel &>(kernel).kernel.getSymName().str();
  auto tile = module.lookupSymbol<LLVM::LLVMFuncOp>(symbol + ".tile");
  tile.setLinkage(LLVM::Linkage::Internal);
  tile.setAlwaysInline(true);
  SmallVector<Slot> slots = getSlots(kernel.kernel);

  ImplicitLocOpBuilder b(UnknownLoc::get(context), context);
  b.setInsertionPointToEnd(module.getBody());
  Type pointer = LLVM::LLVMPointerType::get(context, intrinsics.bufferSpace);
  SmallVector<Type> inputs(slots.size() + 1, pointer);
  auto type = LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(context), inputs);
  Wrapper w{b, LLVM::LLVMFuncOp::create(b, symbol, type), {}, {}};
  w.function.setCConv(intrinsics.convention);
  markInputs(kernel.kernel, slots, w.function, [](unsigned slot) { return slot; });

  Block *entry = w.function.addEntryBlock(w.b);
  Block *body = w.function.addBlock(), *exit = w.function.addBlock();

  w.b.setInsertionPointToStart(entry);
  if (kernel.launch.earlyLaunch)
    intrinsics.letNextBegin(w.b);
  w.loadDims(w.function.getArgument(slots.size()));
  for (auto [i, slot] : llvm::enumerate(slots))
    w.pushSlot(slot, w.getAddress(i));
  w.operands.append(w.dims);
  Value index = w.extend(intrinsics.blockIndex(w.b));
  w.operands.push_back(index);
  LLVM::GlobalOp global =
      intrinsics.hasSizedMemory
          ? getWorkspace(module, kernel.workspaceSpace, symbol, kernel.launch.sharedBytes)
          : getWorkspace(module, kernel.workspaceSpace);
  w.pushMemRef(MemRefType::get({ShapedType::kDynamic}, w.b.getI8Type()),
               LLVM::AddressOfOp::create(w.b, global), w.constant(0));
  Value tiles = w.countTiles(grid);
  // Every block waits, with or without a tile: a launch that ends has then seen the end of all
  // before it, and who waits for it need not look further back.
  if (kernel.launch.earlyLaunch)
    intrinsics.waitForEarlier(w.b);
  Value more = LLVM::ICmpOp::create(w.b, LLVM::ICmpPredicate::ult, index, tiles);
  LLVM::CondBrOp::create(w.b, more, body, exit);
  w.b.setInsertionPointToStart(body);
  LLVM::CallOp::create(w.b, tile, w.operands);
  LLVM::BrOp::create(w.b, exit);
  w.b.setInsertionPointToStart(exit);
  LLVM::ReturnOp::create(w.b, ValueRange{});
  return w.function;
}
