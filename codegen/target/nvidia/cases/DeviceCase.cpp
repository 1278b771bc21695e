#include "codegen/target/nvidia/cases/DeviceCase.h"

#include "codegen/kernels/TileFunction.h"
#include "dialects/moe/Recipe.h"
#include "passes/KernelCost.h"

using namespace mlir;
using namespace moec;
using namespace moec::cases;

//===----------------------------------------------------------------------===//
// Texts and tolerances
//===----------------------------------------------------------------------===//

template <typename T> static std::string printed(T value) {
  std::string text;
  llvm::raw_string_ostream(text) << value;
  return text;
}

std::string moec::cases::toText(Type type) { return printed(type); }
std::string moec::cases::toText(Attribute attribute) { return printed(attribute); }
std::string moec::cases::toText(Operation *op) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  op->print(stream, OpPrintingFlags().useLocalScope());
  return text;
}

/// Whether both factors of a product are codes.
static bool multipliesFp8(kern::KernelOp kernel) {
  auto isQuantized = [](Value value) { return isa<moe::QTensorType>(value.getType()); };
  bool found = false;
  kernel.walk([&](Operation *op) {
    found |= isa<moe::LinearOp, moe::GroupedLinearOp>(op) && isQuantized(op->getOperand(0)) &&
             isQuantized(op->getOperand(1));
  });
  return found;
}

/// What quantizes may be a step off where the interpreter, in double, rounds otherwise.
double moec::cases::getTolerance(kern::KernelOp kernel, Type element) {
  bool quantizes = false, multiplies = false;
  kernel.walk([&](moe::QuantizeOp) { quantizes = true; });
  kernel.walk([&](Operation *op) {
    multiplies |= isa<moe::LinearOp, moe::GroupedLinearOp, moe::HeadLinearOp,
                      moe::LatentAttentionOp, moe::MlaAttentionOp, moe::AttentionOp>(op);
  });
  // Families of matrix instructions round probabilities to the queries' bf16.
  bool attendsInBFloat16 = false;
  kernel.walk([&](moe::LatentAttentionOp op) {
    auto query = cast<RankedTensorType>(op.getQ().getType());
    attendsInBFloat16 |= query.getElementType().isBF16();
  });
  // Keys and values are rounded to bf16 where a family expands latents, and so is what comes of
  // them.
  bool expandsInBFloat16 = false;
  kernel.walk([&](moe::MlaAttentionOp op) {
    auto query = cast<RankedTensorType>(op.getQ().getType());
    expandsInBFloat16 |= query.getElementType().isBF16();
  });
  if (expandsInBFloat16)
    return 4e-3;
  if (element.isBF16() || attendsInBFloat16)
    return 3e-3;
  if (quantizes && isa<Float8E4M3FNType>(element))
    return 4e-3;
  // Tensor cores add products of E4M3 with fewer bits than f32 has.
  return multipliesFp8(kernel) ? 5e-4 : multiplies ? 1e-5 : 2e-6;
}

bool moec::cases::quantizesSums(kern::KernelOp kernel) {
  bool quantizes = false, multiplies = false;
  kernel.walk([&](Operation *op) {
    quantizes |= isa<moe::QuantizeOp>(op);
    multiplies |= isa<moe::LinearOp, moe::GroupedLinearOp, moe::HeadLinearOp>(op);
  });
  return quantizes && multiplies;
}

float moec::cases::getFill(kern::KernelOp kernel, Type element, bool isScale) {
  bool mustBeExact = quantizesSums(kernel);
  if (isa<Float8E4M3FNType>(element))
    return mustBeExact ? 5.0f / 512 : 60;
  if (isScale)
    return mustBeExact ? 30 : 1e-2f; // sums of 128 products are about 1e-3, or 4e4
  // A fill's floats are (sum of four bytes - 510) / 147.8 times the deviation.
  return mustBeExact && element.isBF16() ? 147.80054f / 128 : 1;
}

rt::fb::Grid moec::cases::toGrid(kern::GridAttr grid) {
  uint64_t cap = grid.getCap() ? grid.getCap() : std::numeric_limits<uint64_t>::max();
  return rt::fb::Grid(rt::fb::Dim(grid.getDim()), grid.getMultiplier(), grid.getDivisor(), cap,
                      grid.getFactor());
}

//===----------------------------------------------------------------------===//
// Buffers
//===----------------------------------------------------------------------===//

namespace {

class Maker {
public:
  Maker(kern::KernelOp kernel, const reference::InputDims &dims) : kernel(kernel), dims(dims) {
    this->dims.sequences = std::min(dims.sequences, dims.tokens); // as makeRandomInputs does
    this->dims.shapesOnly = true;
  }

  llvm::Expected<DeviceCase> make();

private:
  int64_t getRows(const codegen::Slot &slot) const;
  uint64_t getBytes(const codegen::Slot &slot) const;
  void readSizes();
  llvm::Expected<std::vector<uint8_t>> makeInput(const codegen::Slot &slot) const;
  moe::RopeAttr findRope(unsigned value) const;
  bool isWritten(unsigned value) const;

  kern::KernelOp kernel;
  reference::InputDims dims;
  reference::Values values;
  int64_t pages = 1, cacheRows = 0;
};

} // namespace

/// Columns of the block table and rows of the caches, as the random inputs have them.
void Maker::readSizes() {
  for (auto [type, value] : llvm::zip(kernel.getArgumentTypes(), values)) {
    if (isa<moe::CacheType>(type))
      cacheRows = reference::getShape(*value)[0];
    else if (isa<RankedTensorType>(type) && moe::getShape(type).size() == 2 &&
             ShapedType::isDynamic(moe::getShape(type)[1]))
      pages = reference::getShape(*value)[1];
  }
}

int64_t Maker::getRows(const codegen::Slot &slot) const {
  auto rows = dyn_cast<kern::RowsAttr>(slot.rows);
  if (!rows)
    return cacheRows;
  const int64_t sizes[] = {1, dims.tokens, dims.sequences, dims.outputRows};
  return sizes[static_cast<unsigned>(rows.getDim())] * rows.getMultiplier();
}

/// From the first element to the last.
uint64_t Maker::getBytes(const codegen::Slot &slot) const {
  uint64_t last = 1;
  auto [strides, offset] = slot.type.getStridesAndOffset();
  for (auto [i, size, stride] : llvm::enumerate(slot.type.getShape(), strides)) {
    int64_t dynamic = i ? pages : getRows(slot);
    last += ((ShapedType::isDynamic(size) ? dynamic : size) - 1) *
            (ShapedType::isDynamic(stride) ? pages : stride);
  }
  return last * llvm::divideCeil(slot.type.getElementTypeBitWidth(), 8);
}

moe::RopeAttr Maker::findRope(unsigned value) const {
  moe::RopeAttr found;
  const_cast<kern::KernelOp &>(kernel).walk([&](moe::RopeOp rope) {
    auto argument = dyn_cast_or_null<BlockArgument>(rope.getTable());
    if (argument && argument.getArgNumber() == value)
      found = rope.getRope();
  });
  return found;
}

/// The cache behind a value that appends to it.
static Value getAppended(Value cache) {
  while (auto append = cache.getDefiningOp<moe::CacheAppendOp>())
    cache = append.getCache();
  return cache;
}

bool Maker::isWritten(unsigned value) const {
  kern::KernelOp op = kernel;
  if (value >= op.getNumArguments())
    return value < op.getNumArguments() + op.getNumResults() &&
           !isa<moe::CacheType>(op.getResultTypes()[value - op.getNumArguments()]);
  return llvm::any_of(op.getYielded(), [&](Value yielded) {
    auto argument = dyn_cast<BlockArgument>(getAppended(yielded));
    return isa<moe::CacheType>(yielded.getType()) && argument && argument.getArgNumber() == value;
  });
}

/// The contents of an argument that the device cannot make up; none for floats.
llvm::Expected<std::vector<uint8_t>> Maker::makeInput(const codegen::Slot &slot) const {
  auto toBytes = [](const auto &data) {
    auto *bytes = reinterpret_cast<const uint8_t *>(data.data());
    return std::vector<uint8_t>(bytes, bytes + data.size() * sizeof(data[0]));
  };
  if (moe::RopeAttr rope = findRope(slot.value))
    return toBytes(moe::computeRopeTable(rope, slot.type.getShape()[0]));
  if (auto *ints = std::get_if<reference::Ints>(&*values[slot.value]))
    return toBytes(ints->data);
  return std::vector<uint8_t>();
}

llvm::Expected<DeviceCase> Maker::make() {
  auto inputs = reference::makeRandomInputs(kernel, dims, /*seed=*/1);
  if (!inputs)
    return inputs.takeError();
  values = std::move(*inputs);
  readSizes();
  DeviceCase made;
  unsigned before = ~0u; // the value of the slot before
  for (const codegen::Slot &slot : codegen::getSlots(kernel)) {
    PackageSlot &to = made.slots.emplace_back();
    Type element = slot.type.getElementType();
    to.type = toText(element);
    to.bytes = getBytes(slot);
    to.isWritten = isWritten(slot.value);
    to.isCounters = slot.value == kernel.getNumArguments() + kernel.getNumResults();
    to.tolerance = getTolerance(kernel, element);
    if (slot.value < kernel.getNumArguments()) {
      auto input = makeInput(slot);
      if (!input)
        return input.takeError();
      to.input = std::move(*input);
      if (!to.input.empty() && to.input.size() != to.bytes)
        return llvm::createStringError("an argument has other bytes than its buffer");
      if (to.input.empty())
        to.fill = getFill(kernel, element, slot.value == before);
    }
    before = slot.value;
  }
  made.dims = {1, dims.tokens, dims.sequences, dims.outputRows, pages};
  return made;
}

llvm::Expected<DeviceCase> moec::cases::makeDeviceCase(kern::KernelOp kernel,
                                                       reference::InputDims dims) {
  return Maker(kernel, dims).make();
}

//===----------------------------------------------------------------------===//
// Bounds
//===----------------------------------------------------------------------===//

func::FuncOp moec::cases::addCaller(kern::KernelOp kernel, kern::BoundsAttr bounds) {
  OpBuilder b(kernel.getContext());
  b.setInsertionPointAfter(kernel);
  auto type = b.getFunctionType(kernel.getArgumentTypes(), kernel.getResultTypes());
  auto caller = func::FuncOp::create(b, kernel.getLoc(), "caller", type);
  caller->setAttr("kern.bounds", bounds);
  b.setInsertionPointToStart(caller.addEntryBlock());
  auto launch = kern::LaunchOp::create(b, kernel.getLoc(), kernel.getResultTypes(),
                                       kernel.getSymName(), caller.getArguments(), StringAttr());
  func::ReturnOp::create(b, kernel.getLoc(), launch.getResults());
  return caller;
}

CaseCost moec::cases::getCost(kern::KernelOp kernel, kern::BoundsAttr bounds) {
  auto cost = passes::getKernelCost(kernel, bounds);
  if (failed(cost))
    return {};
  return {cost->bytes + cost->contextBytes * bounds.getContextLength() * bounds.getSequences(),
          cost->flops};
}
