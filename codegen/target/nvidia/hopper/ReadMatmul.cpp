#include "codegen/target/nvidia/hopper/ReadMatmul.h"

#include "codegen/kernels/KernelUses.h"
#include "codegen/kernels/matmul/MatrixSchedule.h"

#include "mlir/IR/TypeUtilities.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace moec;
using namespace moec::hopper;
using Element = EpilogueSpec::Element;
using Refusal = std::optional<std::string>;

namespace {

class Reader {
public:
  Reader(kern::KernelOp kernel, MatmulKernel &into)
      : kernel(kernel), into(into), slots(codegen::getSlots(kernel)) {}

  Refusal read();

private:
  Refusal readNorm(moe::RmsNormOp op);
  Refusal readProduct(Operation &op);
  Refusal readBias(Value bias);
  Refusal readGroups(moe::GroupedLinearOp op);
  Refusal readOp(Operation &op);
  Refusal readParts(Value gate, Value up);
  Refusal readAdd(moe::AddOp add);
  Refusal readQuantize(moe::QuantizeOp quantize);
  Refusal readYields();
  Refusal readMatrix(mlir::Type type, unsigned value, EpilogueSpec::Matrix &matrix);

  /// The first slot of argument or (counted on) result `value`.
  unsigned getSlot(unsigned value) const { return codegen::findSlot(slots, value); }

  kern::KernelOp kernel;
  MatmulKernel &into;
  SmallVector<codegen::Slot> slots;
  moe::RmsNormOp norm;
  Operation *product = nullptr;
  Value last;      // unquantized
  Value quantized; // of it
};

} // namespace

/// Whether `type` is E4M3 with an f32 scale for each block of these sizes.
static bool hasScheme(Type type, int64_t rows, int64_t columns) {
  auto tensor = dyn_cast<moe::QTensorType>(type);
  if (!tensor)
    return false;
  auto scheme = tensor.getScheme();
  return isa<Float8E4M3FNType>(scheme.getStorage()) && scheme.getScale().isF32() &&
         scheme.getBlock() == ArrayRef<int64_t>{rows, columns};
}

static bool isBFloat16(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && tensor.getElementType().isBF16();
}

Refusal Reader::read() {
  if (kernel.getHero() != kern::Hero::Matmul && kernel.getHero() != kern::Hero::GroupedMatmul)
    return "its hero is no matrix product";
  std::optional<kern::ScheduleAttr> schedule = kernel.getSchedule();
  bool hasTickets = schedule && schedule->get("tickets");
  if (kernel.getNumCounters() && !hasTickets)
    return "its tiles share counters";
  for (Operation &op : kernel.getBody().front().without_terminator()) {
    bool isProduct = isa<moe::LinearOp, moe::GroupedLinearOp>(op);
    if (auto refusal = isProduct ? readProduct(op) : readOp(op))
      return refusal;
  }
  if (!product)
    return "it has no moe.linear or moe.grouped_linear";
  into.numSlots = slots.size();
  if (hasTickets) // behind the results
    into.problem.counters = slots.size() - 1;
  if (auto refusal = readYields())
    return refusal;
  if (norm && !into.isDense)
    return "it normalises rows that it multiplies in another type than bf16";
  return into.isDense ? std::nullopt : into.problem.refuse();
}

Refusal moec::hopper::refuseNorm(moe::RmsNormOp norm, uint64_t rows) {
  if (rows > uint64_t(RowNorm::kMostRows))
    return "more than " + std::to_string(RowNorm::kMostRows) +
           " rows would be normalised again by every tile";
  if (!isBFloat16(norm.getX().getType()) || !isBFloat16(norm.getWeight().getType()) ||
      !isBFloat16(norm.getType()))
    return "only products of bf16 normalise rows, in bf16";
  if (norm.getHeads() != 1)
    return "products normalise whole rows, not heads";
  return std::nullopt;
}

Refusal Reader::readNorm(moe::RmsNormOp op) {
  auto x = dyn_cast<BlockArgument>(op.getX()), weight = dyn_cast<BlockArgument>(op.getWeight());
  if (norm || !x || !weight)
    return "it normalises something else than its rows, once";
  if (auto refusal = refuseNorm(op, getMostRows(kernel, RowNorm::kMostRows)))
    return refusal;
  norm = op;
  into.norm = RowNorm{getSlot(weight.getArgNumber()), op.getEpsilon().convertToDouble()};
  return std::nullopt;
}

Refusal Reader::readProduct(Operation &op) {
  if (product)
    return "it has two products";
  product = &op;
  last = op.getResult(0);
  bool normalises = norm && op.getOperand(0) == norm.getResult();
  auto x = dyn_cast<BlockArgument>(normalises ? norm.getX() : op.getOperand(0));
  auto w = dyn_cast<BlockArgument>(op.getOperand(1));
  if (!x || !w || (norm && !normalises))
    return "what feeds its product is computed in the kernel";
  into.isDense = isBFloat16(x.getType()) && isBFloat16(w.getType());
  if (!into.isDense && (!hasScheme(x.getType(), 1, 128) || !hasScheme(w.getType(), 128, 128)))
    return "its operands are neither bf16 nor E4M3 with f32 scales per 1x128 and 128x128";
  auto [dim, multiplier] = codegen::getRows(kernel);
  if (dim == kern::Dim::One)
    return "its row count is static";
  ArrayRef<int64_t> shape = moe::getShape(w.getType());
  auto &problem = into.problem;
  problem.xCodes = getSlot(x.getArgNumber());
  problem.xScales = problem.xCodes + 1;
  problem.wCodes = getSlot(w.getArgNumber());
  problem.wScales = problem.wCodes + 1;
  problem.rowsDim = static_cast<unsigned>(dim);
  problem.rowsMultiplier = multiplier;
  problem.weightRows = problem.columns = shape.drop_back().back();
  problem.k = shape.back();
  if (!into.isDense && problem.k < 256)
    return "its depth is a single block of scales";
  if (kernel.getRowStrides()[x.getArgNumber()] != problem.k)
    return "x is a view of some columns";
  into.epilogue.columns = problem.columns;
  if (auto grouped = dyn_cast<moe::GroupedLinearOp>(op))
    return readGroups(grouped);
  auto bias = cast<moe::LinearOp>(op).getBias();
  return bias ? readBias(bias) : std::nullopt;
}

Refusal Reader::readBias(Value bias) {
  auto argument = dyn_cast<BlockArgument>(bias);
  if (!argument)
    return "its bias is computed in the kernel";
  auto type = getElementTypeOrSelf(bias.getType());
  if (!type.isF32() && !type.isBF16())
    return "its bias is neither f32 nor bf16";
  into.epilogue.bias = {getSlot(argument.getArgNumber()),
                        type.isF32() ? Element::Float32 : Element::BFloat16};
  return std::nullopt;
}

Refusal Reader::readGroups(moe::GroupedLinearOp op) {
  auto offsets = dyn_cast<BlockArgument>(op.getOffsets());
  auto rows = dyn_cast_or_null<BlockArgument>(op.getRows());
  if (!offsets || (op.getRows() && !rows))
    return "what says where its rows are is computed in the kernel";
  RowGroups &groups = into.problem.groups.emplace();
  groups.offsets = getSlot(offsets.getArgNumber());
  groups.count = moe::getShape(op.getWeight().getType())[0];
  groups.topK = op.getTopK();
  groups.areSettled = kernel.isSettled(offsets.getArgNumber()) && !rows;
  if (rows)
    groups.rows = getSlot(rows.getArgNumber());
  return std::nullopt;
}

Refusal Reader::readOp(Operation &op) {
  if (auto first = dyn_cast<moe::RmsNormOp>(op); first && !product)
    return readNorm(first);
  if (!product)
    return (op.getName().getStringRef() + " stands before its product").str();
  if (isa<moe::SliceOp, moe::DeinterleaveOp>(op)) {
    if (op.getOperand(0) == product->getResult(0))
      return std::nullopt; // moe.swiglu looks at it
    return "it slices something else than its product";
  }
  if (!isa<moe::QuantizeOp>(op) && isBFloat16(last.getType()))
    return "it rounds its product before " + op.getName().getStringRef().str();
  if (auto swiglu = dyn_cast<moe::SwigluOp>(op)) {
    if (last != product->getResult(0) || into.epilogue.gated)
      return "moe.swiglu is not what follows the product";
    last = swiglu.getResult();
    return readParts(swiglu.getGate(), swiglu.getUp());
  }
  if (auto add = dyn_cast<moe::AddOp>(op))
    return readAdd(add);
  if (auto quantize = dyn_cast<moe::QuantizeOp>(op))
    return readQuantize(quantize);
  return (op.getName().getStringRef() + " cannot follow a product").str();
}

/// Gates are the first half of the product's columns, or lie in turn with what they gate.
Refusal Reader::readParts(Value gate, Value up) {
  auto &problem = into.problem;
  if (into.epilogue.bias)
    return "gates have a bias";
  into.epilogue.gated = true;
  problem.columns = into.epilogue.columns = problem.weightRows / 2;
  if (auto parts = gate.getDefiningOp<moe::DeinterleaveOp>()) {
    problem.interleave = parts.getBlock();
    if (parts.getNumResults() == 2 && gate == parts->getResult(0) && up == parts->getResult(1) &&
        problem.columns % problem.interleave == 0)
      return std::nullopt;
    return "gates and what they gate lie in turn in uneven blocks";
  }
  auto gates = gate.getDefiningOp<moe::SliceOp>(), ups = up.getDefiningOp<moe::SliceOp>();
  if (gates && ups && gates.getOffset() == 0 && int64_t(ups.getOffset()) == problem.columns)
    return std::nullopt;
  return "moe.swiglu is not applied to the two halves of the product";
}

Refusal Reader::readAdd(moe::AddOp add) {
  Value other = add.getLhs() == last ? add.getRhs() : add.getLhs();
  if (add.getLhs() != last && add.getRhs() != last)
    return "moe.add does not add to the product";
  auto argument = dyn_cast<BlockArgument>(other);
  if (!argument)
    return "moe.add adds a value that the kernel computes";
  last = add.getResult();
  EpilogueSpec::Matrix matrix;
  if (auto refusal = readMatrix(argument.getType(), argument.getArgNumber(), matrix))
    return refusal;
  into.epilogue.addends.push_back(matrix);
  return std::nullopt;
}

Refusal Reader::readQuantize(moe::QuantizeOp quantize) {
  into.epilogue.rounded = isBFloat16(last.getType());
  if (quantize.getX() != last || quantized)
    return "moe.quantize is not applied to the last value";
  if (!hasScheme(quantize.getType(), 1, 128))
    return "it quantizes to something else than E4M3 with f32 scales per 1x128";
  if (into.epilogue.columns % 128)
    return "N = " + std::to_string(into.epilogue.columns) + " ends inside a quantization block";
  quantized = quantize.getResult();
  return std::nullopt;
}

/// A matrix of the results' shape.
Refusal Reader::readMatrix(mlir::Type type, unsigned value, EpilogueSpec::Matrix &matrix) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  bool isFloat = tensor && tensor.getElementType().isF32();
  if (!isFloat && !(tensor && tensor.getElementType().isBF16()))
    return "a matrix behind the product is neither f32 nor bf16";
  int64_t rowBytes = kernel.getRowStrides()[value] * (isFloat ? 4 : 2);
  if (rowBytes % 16)
    return "rows of a matrix behind the product do not begin on 16 bytes";
  matrix = {getSlot(value), isFloat ? Element::Float32 : Element::BFloat16, rowBytes};
  return std::nullopt;
}

Refusal Reader::readYields() {
  unsigned numArguments = kernel.getNumArguments();
  for (auto [i, yielded] : llvm::enumerate(kernel.getYielded())) {
    unsigned value = numArguments + i;
    if (yielded == quantized) {
      int64_t columns = into.epilogue.columns;
      if (into.epilogue.quantized)
        return "it yields its codes twice";
      if (kernel.getRowStrides()[value] != columns)
        return "its codes are a view of some columns";
      into.epilogue.quantized =
          EpilogueSpec::Quantized{getSlot(value), getSlot(value) + 1, columns, columns / 128 * 4};
      continue;
    }
    if (yielded != last)
      return "it yields something else than its last value";
    EpilogueSpec::Matrix matrix;
    if (auto refusal = readMatrix(yielded.getType(), value, matrix))
      return refusal;
    into.epilogue.stores.push_back(matrix);
  }
  return std::nullopt;
}

std::optional<std::string> moec::hopper::readMatmul(kern::KernelOp kernel, MatmulKernel &into) {
  return Reader(kernel, into).read();
}
