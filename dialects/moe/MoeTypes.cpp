// Attributes and types of the moe dialect: syntax, verification, shape helpers.
#include "dialects/moe/CacheRow.h"

#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace moec::moe;

#include "dialects/moe/MoeEnums.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "dialects/moe/MoeAttrs.cpp.inc"
#define GET_TYPEDEF_CLASSES
#include "dialects/moe/MoeTypes.cpp.inc"

void MoeDialect::registerAttributesAndTypes() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/moe/MoeAttrs.cpp.inc"
      >();
  addTypes<
#define GET_TYPEDEF_LIST
#include "dialects/moe/MoeTypes.cpp.inc"
      >();
}

//===----------------------------------------------------------------------===//
// Attributes
//===----------------------------------------------------------------------===//

LogicalResult QuantSchemeAttr::verify(function_ref<InFlightDiagnostic()> emitError, Type storage,
                                      ArrayRef<int64_t> block, Type scale) {
  if (!isa<Float8E4M3FNType, Float8E5M2Type, Float8E4M3FNUZType, Float8E5M2FNUZType>(storage) &&
      !storage.isSignlessInteger(8) && !storage.isSignlessInteger(4))
    return emitError() << "storage must be an 8-bit float, i8 or i4; got " << storage;
  if (block.size() != 2 || block[0] < 0 || block[1] < 0)
    return emitError() << "block must be two sizes >= 0 (rows, columns); got [" << block << "]";
  if (!isa<Float32Type, BFloat16Type, Float16Type, Float8E8M0FNUType>(scale))
    return emitError() << "scale must be f32, bf16, f16 or f8E8M0FNU; got " << scale;
  return success();
}

LogicalResult YarnAttr::verify(function_ref<InFlightDiagnostic()> emitError, Real factor,
                               int64_t originalContext, Real betaFast, Real betaSlow,
                               Real attentionFactor) {
  if (factor < 1.0)
    return emitError() << "yarn factor must be at least 1; got " << factor;
  if (originalContext < 1)
    return emitError() << "yarn original_context must be positive; got " << originalContext;
  if (betaSlow <= 0.0 || betaFast < betaSlow)
    return emitError() << "yarn beta_fast must be at least beta_slow, and that above 0; got "
                       << betaFast << " and " << betaSlow;
  if (attentionFactor <= 0)
    return emitError() << "yarn attention_factor must be positive; got " << attentionFactor;
  return success();
}

LogicalResult Llama3Attr::verify(function_ref<InFlightDiagnostic()> emitError, Real factor,
                                 Real lowFreqFactor, Real highFreqFactor, int64_t originalContext) {
  if (factor < 1.0)
    return emitError() << "llama3 factor must be at least 1; got " << factor;
  if (lowFreqFactor <= 0.0 || highFreqFactor <= lowFreqFactor)
    return emitError() << "llama3 high_freq_factor must exceed low_freq_factor, and that 0; got "
                       << highFreqFactor << " and " << lowFreqFactor;
  if (originalContext < 1)
    return emitError() << "llama3 original_context must be positive; got " << originalContext;
  return success();
}

LogicalResult RopeAttr::verify(function_ref<InFlightDiagnostic()> emitError, int64_t dim,
                               Real theta, RopeLayout, Attribute scaling) {
  if (dim <= 0 || dim % 2)
    return emitError() << "rope dim must be even and positive; got " << dim;
  if (theta <= 0)
    return emitError() << "rope theta must be positive; got " << theta;
  if (scaling && !isa<YarnAttr, Llama3Attr>(scaling))
    return emitError() << "rope scaling must be moe.yarn or moe.llama3; got " << scaling;
  return success();
}

double RopeAttr::getAttentionFactor() {
  auto yarn = dyn_cast_or_null<YarnAttr>(getScaling());
  return yarn ? double(yarn.getAttentionFactor()) : 1.0;
}

LogicalResult StackAttr::verify(function_ref<InFlightDiagnostic()> emitError, StringRef pattern,
                                int64_t count) {
  if (pattern.count("{}") != 1)
    return emitError() << "pattern must contain {} once; got \"" << pattern << "\"";
  if (count < 1)
    return emitError() << "count must be positive; got " << count;
  return success();
}

LogicalResult ConcatAttr::verify(function_ref<InFlightDiagnostic()> emitError, int64_t axis,
                                 ArrayRef<int64_t> sizes, ArrayRef<Attribute> parts) {
  if (axis < 0)
    return emitError() << "axis must not be negative; got " << axis;
  if (parts.size() < 2)
    return emitError() << "concat needs at least two parts; got " << parts.size();
  if (sizes.size() != parts.size())
    return emitError() << "concat needs a size for each of its " << parts.size() << " parts; got "
                       << sizes.size();
  for (int64_t size : sizes)
    if (size < 1)
      return emitError() << "concat sizes must be positive; got " << size;
  return success();
}

LogicalResult InterleaveAttr::verify(function_ref<InFlightDiagnostic()> emitError, int64_t axis,
                                     int64_t block, ArrayRef<Attribute> parts) {
  if (axis < 0)
    return emitError() << "axis must not be negative; got " << axis;
  if (block < 1)
    return emitError() << "interleave block must be positive; got " << block;
  if (parts.size() < 2)
    return emitError() << "interleave needs at least two parts; got " << parts.size();
  return success();
}

LogicalResult SplitAttr::verify(function_ref<InFlightDiagnostic()> emitError, int64_t axis,
                                int64_t count, Attribute) {
  if (axis < 0)
    return emitError() << "axis must not be negative; got " << axis;
  if (count < 1)
    return emitError() << "count must be positive; got " << count;
  return success();
}

LogicalResult RopeTableAttr::verify(function_ref<InFlightDiagnostic()> emitError, RopeAttr,
                                    int64_t positions) {
  if (positions < 1)
    return emitError() << "rope table positions must be positive; got " << positions;
  return success();
}

//===----------------------------------------------------------------------===//
// QTensorType
//===----------------------------------------------------------------------===//

Type QTensorType::parse(AsmParser &parser) {
  SmallVector<int64_t> shape, block;
  Type storage, scale;
  SMLoc loc = parser.getCurrentLocation();
  auto parseBlock = [&] { return parser.parseInteger(block.emplace_back()); };
  if (parser.parseLess() || parser.parseDimensionList(shape) || parser.parseType(storage) ||
      parser.parseComma() || parser.parseKeyword("block") || parser.parseEqual() ||
      parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, parseBlock) ||
      parser.parseComma() || parser.parseKeyword("scale") || parser.parseEqual() ||
      parser.parseType(scale) || parser.parseGreater())
    return {};
  auto emitError = [&] { return parser.emitError(loc); };
  auto scheme = QuantSchemeAttr::getChecked(emitError, parser.getContext(), storage, block, scale);
  return scheme ? getChecked(emitError, parser.getContext(), shape, scheme) : Type();
}

void QTensorType::print(AsmPrinter &printer) const {
  printer << '<';
  printer.printDimensionList(getShape());
  printer << 'x' << getScheme().getStorage() << ", block = [";
  llvm::interleaveComma(getScheme().getBlock(), printer);
  printer << "], scale = " << getScheme().getScale() << '>';
}

LogicalResult QTensorType::verify(function_ref<InFlightDiagnostic()> emitError,
                                  ArrayRef<int64_t> shape, QuantSchemeAttr scheme) {
  if (shape.size() < 2)
    return emitError() << "quantized tensor needs at least two axes; got " << shape.size();
  for (int64_t size : shape.drop_front())
    if (ShapedType::isDynamic(size))
      return emitError() << "only axis 0 of a quantized tensor may be dynamic";
  if (ShapedType::isDynamic(shape[0]) && shape.size() == 2 && scheme.getBlock()[0] != 1)
    return emitError() << "a dynamic axis 0 needs one scale row for each row (block [1, ...]); got "
                          "block rows "
                       << scheme.getBlock()[0];
  return success();
}

RankedTensorType QTensorType::getCodesType() {
  return RankedTensorType::get(getShape(), getScheme().getStorage());
}

RankedTensorType QTensorType::getScalesType() {
  SmallVector<int64_t> shape(getShape());
  size_t first = shape.size() - 2;
  for (size_t i : {size_t(0), size_t(1)}) {
    int64_t &size = shape[first + i];
    int64_t block = getScheme().getBlock()[i];
    if (block == 0)
      size = 1;
    else if (!ShapedType::isDynamic(size))
      size = llvm::divideCeil(size, block);
  }
  return RankedTensorType::get(shape, getScheme().getScale());
}

//===----------------------------------------------------------------------===//
// CacheType
//===----------------------------------------------------------------------===//

Type CacheType::parse(AsmParser &parser) {
  SmallVector<int64_t> shape;
  Type elementType;
  int64_t page = 0;
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseLess() || parser.parseDimensionList(shape, /*allowDynamic=*/false) ||
      parser.parseType(elementType) || parser.parseComma() || parser.parseKeyword("page") ||
      parser.parseEqual() || parser.parseInteger(page) || parser.parseGreater())
    return {};
  if (shape.size() != 1) {
    parser.emitError(loc) << "cache type takes one size, the row width; got " << shape.size();
    return {};
  }
  return getChecked([&] { return parser.emitError(loc); }, parser.getContext(), shape[0],
                    elementType, page);
}

void CacheType::print(AsmPrinter &printer) const {
  printer << '<' << getWidth() << 'x' << getElementType() << ", page = " << getPage() << '>';
}

LogicalResult CacheType::verify(function_ref<InFlightDiagnostic()> emitError, int64_t width,
                                Type elementType, int64_t page) {
  if (width < 1)
    return emitError() << "cache width must be positive; got " << width;
  if (page < 1)
    return emitError() << "cache page must be positive; got " << page;
  if (isa<Float32Type, BFloat16Type, Float16Type>(elementType))
    return success();
  auto quantized = dyn_cast<QTensorType>(elementType);
  if (!quantized)
    return emitError() << "cache elements must be f32, bf16, f16 or a quantized row; got "
                       << elementType;
  ArrayRef<int64_t> shape = quantized.getShape();
  QuantSchemeAttr scheme = quantized.getScheme();
  if (shape.size() != 2 || shape[0] != 1 || shape[1] > width ||
      !isa<Float8E4M3FNType>(scheme.getStorage()) || !scheme.getScale().isF32() ||
      scheme.getBlock()[0] != 1 || scheme.getBlock()[1] < 1)
    return emitError() << "the quantized part of a cache row of " << width
                       << " columns must be 1 x at most as many f8E4M3FN with f32 scales, block "
                          "[1, n]; got "
                       << quantized;
  if (shape[1] % 4 || (width - shape[1]) % 2)
    return emitError() << "a quantized cache row must have codes by fours and an even number of "
                          "columns behind them, so that scales and rows are aligned; got "
                       << shape[1] << " and " << width - shape[1];
  return success();
}

CacheRow moec::moe::getCacheRow(CacheType type) {
  CacheRow row;
  auto quantized = dyn_cast<QTensorType>(type.getElementType());
  if (!quantized) {
    row.tail = type.getWidth();
    row.bytes = type.getWidth() * type.getElementType().getIntOrFloatBitWidth() / 8;
    return row;
  }
  row.codes = quantized.getShape()[1];
  row.block = quantized.getScheme().getBlock()[1];
  row.tail = type.getWidth() - row.codes;
  row.bytes = row.getTailOffset() + 2 * row.tail;
  return row;
}

QTensorType moec::moe::getQuantizedCacheElement(MLIRContext *context, int64_t codes) {
  return QTensorType::get(context, {1, codes}, getActivationScheme(context));
}

//===----------------------------------------------------------------------===//
// Helpers
//===----------------------------------------------------------------------===//

ArrayRef<int64_t> moec::moe::getShape(Type type) {
  if (auto quantized = dyn_cast<QTensorType>(type))
    return quantized.getShape();
  return cast<RankedTensorType>(type).getShape();
}

bool moec::moe::hasAxes(Type type, int64_t axes, int64_t firstStatic) {
  ArrayRef<int64_t> shape = getShape(type);
  return int64_t(shape.size()) == axes &&
         llvm::none_of(shape.drop_front(firstStatic), ShapedType::isDynamic);
}

QuantSchemeAttr moec::moe::getScheme(Type type) {
  auto quantized = dyn_cast<QTensorType>(type);
  return quantized ? quantized.getScheme() : QuantSchemeAttr();
}

Type moec::moe::withRows(Type type, int64_t rows) {
  SmallVector<int64_t> shape(getShape(type));
  shape[0] = rows;
  if (auto quantized = dyn_cast<QTensorType>(type))
    return QTensorType::get(type.getContext(), shape, quantized.getScheme());
  return cast<RankedTensorType>(type).clone(shape);
}

LogicalResult moec::moe::verifyRows(Operation *op) {
  auto rows = cast<RowsInterface>(op);
  if (op->getNumOperands() == 0) // a fault of its own
    return success();
  for (OpResult result : op->getResults()) {
    unsigned index = result.getResultNumber();
    Value source = rows.getRowSource(index);
    if (isa<CacheType>(result.getType()) || isa<CacheType>(source.getType()))
      continue;
    int64_t count = getShape(result.getType())[0], sources = getShape(source.getType())[0];
    int64_t multiplier = rows.getRowMultiplier(index);
    if (multiplier && !ShapedType::isDynamic(count) && !ShapedType::isDynamic(sources) &&
        count != sources * multiplier)
      return op->emitOpError() << "result " << index << " has " << count << " rows; expected "
                               << multiplier << " for each of the " << sources << " in "
                               << source.getType();
  }
  return success();
}

static uint64_t getTensorBytes(RankedTensorType type, uint64_t rows) {
  uint64_t bits = type.getElementTypeBitWidth();
  for (int64_t size : type.getShape())
    bits *= ShapedType::isDynamic(size) ? rows : uint64_t(size);
  return llvm::divideCeil(bits, 8);
}

uint64_t moec::moe::getBytes(Type type, uint64_t rows) {
  if (auto quantized = dyn_cast<QTensorType>(type))
    return getTensorBytes(quantized.getCodesType(), rows) +
           getTensorBytes(quantized.getScalesType(), rows);
  if (auto tensor = dyn_cast<RankedTensorType>(type))
    return getTensorBytes(tensor, rows);
  return 0;
}

QuantSchemeAttr moec::moe::getActivationScheme(MLIRContext *context) {
  return QuantSchemeAttr::get(context, Float8E4M3FNType::get(context), {1, 128},
                              Float32Type::get(context));
}
