#include "frontend/blocks/GraphBuilder.h"
#include "frontend/Errors.h"
#include "mlir/IR/Verifier.h"

using namespace mlir;
using namespace moec;
using namespace moec::frontend;

/// "layers.0.self_attn.q_a_proj" from "model.layers.0.self_attn.q_a_proj.weight"; a stack's
/// ".{}" is left out.
static std::string modulePath(StringRef name) {
  name.consume_front("model.");
  name.consume_back(".weight");
  auto [before, after] = name.split(".{}");
  return (before + after).str();
}

GraphBuilder::GraphBuilder(MLIRContext *context, const Checkpoint &checkpoint,
                           const QuantScheme &scheme, const ImportOptions &options)
    : builder(context), checkpoint(checkpoint), scheme(scheme), options(options) {
  context->loadDialect<moe::MoeDialect, func::FuncDialect>();
  owner = ModuleOp::create(location(checkpoint.modelType()));
}

Location GraphBuilder::location(StringRef path) {
  return NameLoc::get(builder.getStringAttr(modulePath(path)));
}

RankedTensorType GraphBuilder::rows(int64_t columns) {
  return RankedTensorType::get({ShapedType::kDynamic, columns}, builder.getF32Type());
}

Type GraphBuilder::elementType(DType dtype) {
  switch (dtype) {
  case DType::BF16:
    return builder.getBF16Type();
  case DType::F16:
    return builder.getF16Type();
  case DType::F8_E4M3:
    return Float8E4M3FNType::get(builder.getContext());
  default:
    return builder.getF32Type();
  }
}

Type GraphBuilder::typeOf(const WeightRequest &request, const WeightSource &source) {
  SmallVector<int64_t> shape;
  if (request.count)
    shape.push_back(request.count);
  shape.append(request.shape.begin(), request.shape.end());
  if (!source.isQuantized())
    return RankedTensorType::get(shape, elementType(source.dtype));
  auto quantized = moe::QuantSchemeAttr::get(builder.getContext(), elementType(source.dtype),
                                             source.block, elementType(source.scaleDType));
  return moe::QTensorType::get(builder.getContext(), shape, quantized);
}

moe::WeightOp GraphBuilder::declare(const WeightRequest &request) {
  WeightSource source;
  if (fault.empty()) {
    if (auto resolved = resolveWeight(scheme, checkpoint, request))
      source = std::move(*resolved);
    else
      fault = llvm::toString(resolved.takeError());
  }
  Attribute recipe = moe::CheckpointAttr::get(builder.getContext(), request.name);
  if (request.count)
    recipe = moe::StackAttr::get(builder.getContext(), request.name, request.count);
  std::string symbol = modulePath(request.name);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPoint(entry);
  return moe::WeightOp::create(builder, location(symbol), symbol, typeOf(request, source), recipe);
}

Weight GraphBuilder::weight(const WeightRequest &request) {
  moe::WeightOp &op = declared[request.name];
  if (!op)
    op = declare(request);
  Value value = moe::ParamOp::create(builder, op.getLoc(), op.getType(), op.getSymName());
  return {value, op.getLoc()};
}

EntryArguments GraphBuilder::beginEntry(StringRef name, int64_t caches, int64_t cacheWidth,
                                        std::optional<int64_t> hidden) {
  auto ids = RankedTensorType::get({ShapedType::kDynamic}, builder.getI32Type());
  auto table =
      RankedTensorType::get({ShapedType::kDynamic, ShapedType::kDynamic}, builder.getI32Type());
  auto cache = moe::CacheType::get(builder.getContext(), cacheWidth,
                                   elementType(options.cacheElement), options.cachePage);
  SmallVector<Type> types = {ids, ids, ids, table, ids};
  SmallVector<StringRef> roles = {"token_ids", "positions", "sequence_ids", "block_table",
                                  "output_rows"};
  if (hidden) {
    types.push_back(rows(*hidden));
    roles.push_back("hidden");
  }
  types.append(caches, cache);
  roles.append(caches, "cache");

  builder.setInsertionPointToEnd(owner->getBody());
  entry = func::FuncOp::create(builder, location(name), name, builder.getFunctionType(types, {}));
  for (auto [index, role] : llvm::enumerate(roles))
    entry.setArgAttr(index, "moe.input", builder.getStringAttr(role));
  Block *body = entry.addEntryBlock();
  builder.setInsertionPointToStart(body);

  auto arguments = body->getArguments();
  EntryArguments result{arguments[0],
                        arguments[1],
                        arguments[2],
                        arguments[3],
                        arguments[4],
                        hidden ? arguments[5] : Value(),
                        {}};
  result.caches.assign(arguments.end() - caches, arguments.end());
  return result;
}

void GraphBuilder::endEntry(Value logits, ValueRange caches) {
  SmallVector<Value> results = {logits};
  results.append(caches.begin(), caches.end());
  func::ReturnOp::create(builder, entry.getLoc(), results);
  entry.setType(builder.getFunctionType(entry.getArgumentTypes(), TypeRange(ValueRange(results))));
}

llvm::Expected<OwningOpRef<ModuleOp>> GraphBuilder::finish() {
  if (!fault.empty())
    return llvm::createStringError(llvm::inconvertibleErrorCode(), fault);
  if (failed(verify(*owner)))
    return makeError("'{0}': the imported module is not valid; this is a bug of moec",
                     checkpoint.path());
  return std::move(owner);
}
