// Verifiers of weights, row ops and matrix products. A message names both
// sides of a mismatch.
#include "dialects/moe/Recipe.h"

using namespace mlir;
using namespace moec::moe;

/// `type` when all three are one, else `(lhs, rhs) -> result`.
static ParseResult parseElementwiseTypes(OpAsmParser &parser, Type &lhs, Type &rhs, Type &result) {
  llvm::SMLoc location = parser.getCurrentLocation();
  Type type;
  if (parser.parseType(type))
    return failure();
  lhs = rhs = result = type;
  auto function = dyn_cast<FunctionType>(type);
  if (!function)
    return success();
  if (function.getNumInputs() != 2 || function.getNumResults() != 1)
    return parser.emitError(location) << "expected one type for all, or the types of two operands "
                                         "and a result; got "
                                      << function;
  lhs = function.getInput(0);
  rhs = function.getInput(1);
  result = function.getResult(0);
  return success();
}

static void printElementwiseTypes(OpAsmPrinter &printer, Operation *op, Type lhs, Type rhs,
                                  Type result) {
  if (lhs == result && rhs == result)
    printer << result;
  else
    printer.printFunctionalType(op);
}

#define GET_OP_CLASSES
#include "dialects/moe/MoeOps.cpp.inc"

/// Fails unless the two sizes agree; names say what they are.
static LogicalResult verifySame(Operation *op, StringRef what, int64_t size, StringRef otherWhat,
                                int64_t otherSize) {
  if (size != otherSize)
    return op->emitOpError() << what << " (" << size << ") and " << otherWhat << " (" << otherSize
                             << ") must be equal";
  return success();
}

//===----------------------------------------------------------------------===//
// Weights
//===----------------------------------------------------------------------===//

static bool isRecipe(Attribute attr) {
  if (auto concat = dyn_cast<ConcatAttr>(attr))
    return llvm::all_of(concat.getParts(), isRecipe);
  if (auto interleave = dyn_cast<InterleaveAttr>(attr))
    return llvm::all_of(interleave.getParts(), isRecipe);
  if (auto split = dyn_cast<SplitAttr>(attr))
    return isRecipe(split.getPart());
  return isa<CheckpointAttr, StackAttr, RopeTableAttr>(attr);
}

LogicalResult WeightOp::verify() {
  if (!isRecipe(getRecipe()))
    return emitOpError() << "recipe must be made of moe.checkpoint, moe.stack, moe.concat, "
                            "moe.interleave, moe.split or moe.rope_table; got "
                         << getRecipe();
  Type type = getType();
  if (!isa<RankedTensorType, QTensorType>(type))
    return emitOpError() << "type must be a tensor or quantized tensor; got " << type;
  if (llvm::any_of(getShape(type), ShapedType::isDynamic))
    return emitOpError() << "type must be static; got " << type;
  if (llvm::Error error = checkRecipe(*this))
    return emitOpError(llvm::toString(std::move(error)));
  return success();
}

LogicalResult ParamOp::verifySymbolUses(SymbolTableCollection &symbols) {
  auto weight = symbols.lookupNearestSymbolFrom<WeightOp>(*this, getWeightAttr());
  if (!weight)
    return emitOpError() << "no moe.weight named " << getWeightAttr();
  if (weight.getType() != getType()) {
    auto diagnostic = emitOpError()
                      << "type " << getType() << " differs from the weight's " << weight.getType();
    diagnostic.attachNote(weight.getLoc()) << "weight declared here";
    return diagnostic;
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Rows
//===----------------------------------------------------------------------===//

LogicalResult EmbeddingOp::verify() {
  return verifySame(*this, "table columns", getShape(getTable().getType())[1], "result columns",
                    getShape(getType())[1]);
}

LogicalResult GatherRowsOp::verify() {
  return verifySame(*this, "x columns", getShape(getX().getType())[1], "result columns",
                    getShape(getType())[1]);
}
bool GatherRowsOp::isRowwise() { return false; }
Value GatherRowsOp::getRowSource(unsigned) { return getRows(); }

LogicalResult RmsNormOp::verify() {
  if (getShape(getX().getType()) != getShape(getType()))
    return emitOpError() << "x " << getX().getType() << " and result " << getType()
                         << " must have one shape";
  int64_t columns = getShape(getX().getType()).back(), heads = getHeads();
  if (heads < 1 || columns % heads)
    return emitOpError() << "x columns (" << columns << ") must be a multiple of heads (" << heads
                         << ")";
  return verifySame(*this, "weight size", getShape(getWeight().getType())[0],
                    heads == 1 ? "x columns" : "columns of a head", columns / heads);
}

LogicalResult SliceOp::verify() {
  int64_t columns = getShape(getX().getType()).back(), size = getShape(getType()).back();
  int64_t offset = getOffset();
  if (offset < 0 || offset > columns - size)
    return emitOpError() << "columns " << offset << " .. " << offset + size
                         << " are outside x with " << columns << " columns";
  return success();
}

OpFoldResult SliceOp::fold(FoldAdaptor) {
  if (getX().getType() == getType())
    return getX();
  return {};
}

LogicalResult DeinterleaveOp::verify() {
  if (int64_t(getBlock()) < 1)
    return emitOpError() << "block must be positive; got " << int64_t(getBlock());
  if (getNumResults() < 2)
    return emitOpError() << "needs at least two results; got " << getNumResults();
  for (Type type : getResultTypes())
    if (type != getResultTypes()[0])
      return emitOpError() << "results must have one type; got " << getResultTypes()[0] << " and "
                           << type;
  return verifySame(*this, "sum of result columns",
                    getNumResults() * getShape(getResultTypes()[0]).back(), "x columns",
                    getShape(getX().getType()).back());
}

LogicalResult ConcatOp::verify() {
  int64_t columns = 0;
  if (getParts().empty())
    return emitOpError() << "needs at least one part";
  for (Value part : getParts())
    columns += getShape(part.getType()).back();
  return verifySame(*this, "sum of part columns", columns, "result columns",
                    getShape(getType()).back());
}

static LogicalResult verifyQuantization(Operation *op, Type plain, QTensorType quantized) {
  if (getShape(plain) != quantized.getShape())
    return op->emitOpError() << "shapes of " << plain << " and " << quantized << " must be equal";
  if (quantized.getScheme().getBlock()[0] != 1)
    return op->emitOpError()
           << "activations need a scale for each row (block [1, ...]); got block ["
           << quantized.getScheme().getBlock() << "]";
  return success();
}

LogicalResult QuantizeOp::verify() {
  auto type = cast<QTensorType>(getType());
  if (!isa<Float8E4M3FNType>(type.getScheme().getStorage()))
    return emitOpError() << "quantizes to f8E4M3FN only; got " << type.getScheme().getStorage();
  return verifyQuantization(*this, getX().getType(), type);
}

LogicalResult DequantizeOp::verify() {
  return verifyQuantization(*this, getType(), cast<QTensorType>(getX().getType()));
}

LogicalResult RopeOp::verify() {
  int64_t columns = getShape(getX().getType()).back(), heads = getHeads();
  if (heads < 1 || columns % heads)
    return emitOpError() << "x columns (" << columns << ") must be a multiple of heads (" << heads
                         << ")";
  if (columns / heads < getRope().getDim())
    return emitOpError() << "rope dim (" << getRope().getDim() << ") exceeds the head's columns ("
                         << columns / heads << ")";
  if (getTable() && failed(verifySame(*this, "table columns", getShape(getTable().getType()).back(),
                                      "rope dim", getRope().getDim())))
    return failure();
  if (getShape(getX().getType()) != getShape(getType()))
    return emitOpError() << "x " << getX().getType() << " and result " << getType()
                         << " must have one shape";
  return success();
}

//===----------------------------------------------------------------------===//
// Matrix products
//===----------------------------------------------------------------------===//

LogicalResult LinearOp::verify() {
  auto weight = getShape(getWeight().getType());
  if (failed(verifySame(*this, "x columns", getShape(getX().getType()).back(), "weight columns",
                        weight[1])))
    return failure();
  if (getBias() && failed(verifySame(*this, "bias size", getShape(getBias().getType())[0],
                                     "weight rows", weight[0])))
    return failure();
  return verifySame(*this, "weight rows", weight[0], "result columns", getShape(getType()).back());
}
bool LinearOp::isRowwise() { return true; }

LogicalResult HeadLinearOp::verify() {
  auto weight = getShape(getWeight().getType());
  int64_t heads = getHeads(), columns = getShape(getX().getType()).back(), k = weight[1];
  if (heads < 1 || columns % heads || weight[0] % heads)
    return emitOpError() << "x columns (" << columns << ") and weight rows (" << weight[0]
                         << ") must be multiples of heads (" << heads << ")";
  int64_t xEnd = getXOffset() + getXSize(), wEnd = getWOffset() + getWSize();
  if (int64_t(getXOffset()) < 0 || int64_t(getXSize()) < 1 || xEnd > columns / heads)
    return emitOpError() << "columns " << getXOffset() << " .. " << xEnd
                         << " are outside a head of x with " << columns / heads << " columns";
  if (int64_t(getWOffset()) < 0 || int64_t(getWSize()) < 1 || wEnd > weight[0] / heads)
    return emitOpError() << "rows " << getWOffset() << " .. " << wEnd
                         << " are outside a head of the weight with " << weight[0] / heads
                         << " rows";
  int64_t contracted = getTransposed() ? int64_t(getWSize()) : k;
  if (failed(
          verifySame(*this, "x_size", getXSize(), "the contracted size of the weight", contracted)))
    return failure();
  return verifySame(*this, "result columns", getShape(getType()).back(), "heads times output size",
                    heads * (getTransposed() ? k : int64_t(getWSize())));
}
bool HeadLinearOp::isRowwise() { return true; }
