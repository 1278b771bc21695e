// Signatures of tile functions: kernel values to memrefs, in the ABI's order.
#include "codegen/kernels/TileFunction.h"

#include "codegen/kernels/Vectors.h"
#include "dialects/moe/CacheRow.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace moec;
using namespace moec::codegen;

//===----------------------------------------------------------------------===//
// Slots
//===----------------------------------------------------------------------===//

/// The memref of a tensor whose rows lie `rowStride` elements apart (0: contiguous).
static MemRefType getMemRefType(RankedTensorType tensor, int64_t rowStride) {
  ArrayRef<int64_t> shape = tensor.getShape();
  auto strided = [&](ArrayRef<int64_t> strides) {
    auto layout = StridedLayoutAttr::get(tensor.getContext(), /*offset=*/0, strides);
    return MemRefType::get(shape, tensor.getElementType(), layout);
  };
  if (shape.size() == 2 && ShapedType::isDynamic(shape[1]))
    return strided({ShapedType::kDynamic, 1});
  if (shape.size() == 2 && rowStride && rowStride != shape[1])
    return strided({rowStride, 1});
  if (shape.size() == 1 && rowStride > 1)
    return strided({rowStride});
  return MemRefType::get(shape, tensor.getElementType());
}

SmallVector<MemRefType, 2> TileFunction::getSlotTypes(Type type, int64_t rowStride) {
  if (auto quantized = dyn_cast<moe::QTensorType>(type))
    return {getMemRefType(quantized.getCodesType(), rowStride),
            getMemRefType(quantized.getScalesType(), 0)};
  if (auto cache = dyn_cast<moe::CacheType>(type); cache && moe::getCacheRow(cache).isQuantized())
    return {MemRefType::get({ShapedType::kDynamic, moe::getCacheRow(cache).bytes},
                            IntegerType::get(type.getContext(), 8))};
  if (auto cache = dyn_cast<moe::CacheType>(type))
    return {MemRefType::get({ShapedType::kDynamic, cache.getWidth()}, cache.getElementType())};
  return {getMemRefType(cast<RankedTensorType>(type), rowStride)};
}

SmallVector<Slot> moec::codegen::getSlots(kern::KernelOp kernel) {
  SmallVector<Slot> slots;
  auto add = [&](Type type, unsigned value) {
    // The rows of a cache are those of all pages, whatever its kernel is said to write.
    Attribute rows =
        isa<moe::CacheType>(type) ? UnitAttr::get(type.getContext()) : kernel.getRows()[value];
    for (MemRefType slot : TileFunction::getSlotTypes(type, kernel.getRowStrides()[value]))
      slots.push_back({slot, rows, value});
  };
  unsigned numArguments = kernel.getNumArguments();
  for (auto [i, type] : llvm::enumerate(kernel.getArgumentTypes()))
    add(type, i);
  for (auto [i, type] : llvm::enumerate(kernel.getResultTypes()))
    if (!isa<moe::CacheType>(type))
      add(type, numArguments + i);
  MLIRContext *context = kernel.getContext();
  unsigned counters = numArguments + kernel.getNumResults();
  auto addShared = [&](int64_t count, unsigned bits, unsigned value) {
    if (count)
      slots.push_back({MemRefType::get({count}, IntegerType::get(context, bits)),
                       UnitAttr::get(context), value});
  };
  addShared(kernel.getNumCounters(), 32, counters);
  addShared(kernel.getScratchBytes(), 8, counters + 1);
  return slots;
}

//===----------------------------------------------------------------------===//
// TileFunction
//===----------------------------------------------------------------------===//

/// The block argument whose memory a cache result is: its `cache_append`s' first operand.
static Value getUpdatedCache(Value cache) {
  while (auto append = cache.getDefiningOp<moe::CacheAppendOp>())
    cache = append.getCache();
  return cache;
}

TileFunction::TileFunction(kern::KernelOp kernel, ModuleOp module, const Machine &machine)
    : kernel(kernel), machine(machine), b(kernel.getLoc(), module.getContext()),
      team(machine.floatLanes()) {
  Type index = b.getIndexType();
  SmallVector<Type> inputs;
  for (const Slot &slot : getSlots(kernel))
    inputs.push_back(slot.type);
  inputs.append(kNumDims + 1, index);
  inputs.push_back(getWorkspaceType({ShapedType::kDynamic}, b.getI8Type()));

  b.setInsertionPointToEnd(module.getBody());
  function =
      func::FuncOp::create(b, (kernel.getSymName() + ".tile").str(), b.getFunctionType(inputs, {}));
  function.setPrivate();
  b.setInsertionPointToStart(function.addEntryBlock());

  unsigned fixed = inputs.size() - kNumDims - 2;
  for (unsigned i = 0; i < kNumDims; ++i)
    dims[i] = function.getArgument(fixed + i);
  tile = function.getArgument(fixed + kNumDims);
  workspace = function.getArgument(fixed + kNumDims + 1);

  unsigned slot = 0, numArguments = kernel.getNumArguments();
  for (auto [i, type] : llvm::enumerate(kernel.getArgumentTypes()))
    arguments.push_back(bindSlots(type, kernel.getRows()[i], slot));
  for (auto [i, type] : llvm::enumerate(kernel.getResultTypes()))
    results.push_back(isa<moe::CacheType>(type)
                          ? getArgument(getUpdatedCache(kernel.getYielded()[i]))
                          : bindSlots(type, kernel.getRows()[numArguments + i], slot));
  if (kernel.getNumCounters())
    counters = function.getArgument(slot++);
  if (kernel.getScratchBytes())
    scratch = function.getArgument(slot++);
  team = makeTeam();
}

Team TileFunction::makeTeam() {
  Team made =
      makeBlockTeam(b, machine.floatLanes(), getScheduleSize("threads", 1), machine.subgroup);
  if (int64_t parts = made.threads / made.subgroup; !made.isOne() && parts > 1) {
    made.scratch = allocate({parts}, b.getF32Type());
    made.indices = allocate({parts}, b.getI32Type());
  }
  return made;
}

Buffer TileFunction::bindSlots(Type type, Attribute rows, unsigned &slot) {
  Buffer buffer;
  buffer.data = function.getArgument(slot++);
  if (isa<moe::QTensorType>(type))
    buffer.scales = function.getArgument(slot++);
  if (auto dynamic = dyn_cast<kern::RowsAttr>(rows))
    buffer.rows = mulIndex(b, getDim(dynamic.getDim()), dynamic.getMultiplier());
  else if (auto shape = cast<MemRefType>(buffer.data.getType()).getShape();
           !ShapedType::isDynamic(shape[0]))
    buffer.rows = constantIndex(b, shape[0]);
  return buffer;
}

Buffer TileFunction::getArgument(Value value) const {
  auto argument = dyn_cast<BlockArgument>(value);
  return argument ? arguments[argument.getArgNumber()] : Buffer{};
}

SmallVector<unsigned> TileFunction::getResultsOf(Value value) const {
  SmallVector<unsigned> found;
  for (auto [i, yielded] : llvm::enumerate(const_cast<kern::KernelOp &>(kernel).getYielded()))
    if (yielded == value)
      found.push_back(i);
  return found;
}

int64_t TileFunction::getScheduleSize(StringRef name, int64_t otherwise) const {
  auto schedule = const_cast<kern::KernelOp &>(kernel).getSchedule();
  return schedule ? schedule->get(name, otherwise) : otherwise;
}

MemRefType TileFunction::getWorkspaceType(ArrayRef<int64_t> shape, Type element) {
  Attribute space;
  if (machine.workspaceSpace)
    space = b.getI64IntegerAttr(machine.workspaceSpace);
  return MemRefType::get(shape, element, MemRefLayoutAttrInterface(), space);
}

Value TileFunction::allocate(ArrayRef<int64_t> shape, Type element) {
  MemRefType type = getWorkspaceType(shape, element);
  Value offset = constantIndex(b, workspaceBytes);
  int64_t bytes = type.getNumElements() * llvm::divideCeil(type.getElementTypeBitWidth(), 8);
  workspaceBytes += llvm::alignTo(bytes, 64);
  return memref::ViewOp::create(b, type, workspace, offset, ValueRange{});
}

void TileFunction::finish() {
  func::ReturnOp::create(b);
  // A team may not have needed its scratch.
  bool isUnused = !team.isOne() && llvm::all_of(workspace.getUsers(),
                                                [](Operation *view) { return view->use_empty(); });
  function->setAttr(kWorkspaceAttr, b.getI64IntegerAttr(isUnused ? 0 : workspaceBytes));
}
