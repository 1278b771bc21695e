// Walks bodies in order. Dispatch is one list of ops.
#include "dialects/reference/Interpreter.h"

#include "dialects/reference/Scope.h"
#include "dialects/reference/SmallFloat.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace moec;
using namespace moec::reference;
using llvm::Expected;

llvm::ArrayRef<int64_t> moec::reference::getShape(const Value &value) {
  if (auto *tensor = std::get_if<Tensor>(&value))
    return tensor->shape;
  if (auto *ints = std::get_if<Ints>(&value))
    return ints->shape;
  if (auto *quantized = std::get_if<Quantized>(&value))
    return quantized->codes.shape;
  return std::get<Cache>(value).rows.shape;
}

template <typename T> static std::string print(const T &value) {
  std::string text;
  llvm::raw_string_ostream(text) << value;
  return text;
}

llvm::Error moec::reference::checkFits(mlir::Type type, const Value &value) {
  bool kindFits;
  Shape expected;
  if (auto cache = llvm::dyn_cast<moe::CacheType>(type)) {
    kindFits =
        std::holds_alternative<Cache>(value) && std::get<Cache>(value).page == cache.getPage();
    expected = {mlir::ShapedType::kDynamic, cache.getWidth()};
  } else if (auto quantized = llvm::dyn_cast<moe::QTensorType>(type)) {
    kindFits = std::holds_alternative<Quantized>(value);
    expected = Shape(quantized.getShape());
  } else if (auto tensor = llvm::dyn_cast<mlir::RankedTensorType>(type)) {
    kindFits = tensor.getElementType().isInteger(32) ? std::holds_alternative<Ints>(value)
                                                     : std::holds_alternative<Tensor>(value);
    expected = Shape(tensor.getShape());
  } else {
    return llvm::createStringError("a value of type " + print(type) + " cannot be interpreted");
  }
  llvm::ArrayRef<int64_t> shape = getShape(value);
  bool shapeFits = shape.size() == expected.size();
  for (size_t i = 0; shapeFits && i < shape.size(); ++i)
    shapeFits = mlir::ShapedType::isDynamic(expected[i]) || shape[i] == expected[i];
  if (kindFits && shapeFits)
    return llvm::Error::success();
  std::string got;
  llvm::raw_string_ostream stream(got);
  llvm::interleave(shape, stream, "x");
  return llvm::createStringError("expected a value of type " + print(type) + "; got " +
                                 (kindFits ? "" : "another kind of value, ") + "shape " + got);
}

Expected<Values> Interpreter::run(llvm::StringRef function, const Values &arguments) {
  auto found = module.lookupSymbol<mlir::FunctionOpInterface>(function);
  if (!found)
    return llvm::createStringError("no function named '" + function + "'");
  return run(found, arguments);
}

Expected<Values> Interpreter::run(mlir::FunctionOpInterface function, const Values &arguments) {
  if (function.isExternal())
    return llvm::createStringError("'" + function.getName() + "' has no body");
  mlir::Block &body = function.getFunctionBody().front();
  if (body.getNumArguments() != arguments.size())
    return llvm::createStringError("'" + function.getName() + "' takes " +
                                   llvm::Twine(body.getNumArguments()) + " arguments; got " +
                                   llvm::Twine(arguments.size()));
  Scope scope;
  for (auto [argument, value] : llvm::zip(body.getArguments(), arguments)) {
    if (auto error = checkFits(argument.getType(), *value))
      return llvm::createStringError("argument " + llvm::Twine(argument.getArgNumber()) + " of '" +
                                     function.getName() + "': " + llvm::toString(std::move(error)));
    scope.set(argument, value);
  }
  return runBlock(body, scope);
}

Expected<Values> Interpreter::runBlock(mlir::Block &block, Scope &scope) {
  for (mlir::Operation &op : block) {
    if (op.hasTrait<mlir::OpTrait::IsTerminator>()) {
      Values results;
      for (mlir::Value operand : op.getOperands())
        results.push_back(scope.get(operand));
      return results;
    }
    auto results = runOp(op, scope);
    if (!results)
      return results;
    for (auto [name, value] : llvm::zip(op.getResults(), *results))
      scope.set(name, value);
  }
  return llvm::createStringError("a body ends without a terminator");
}

Expected<Values> Interpreter::runOp(mlir::Operation &op, Scope &scope) {
  if (auto param = llvm::dyn_cast<moe::ParamOp>(op)) {
    auto weight = module.lookupSymbol<moe::WeightOp>(param.getWeight());
    if (!weight)
      return makeError(&op, "no moe.weight named '" + param.getWeight() + "'");
    auto value = weights.get(weight);
    if (!value)
      return value.takeError();
    return Values{*value};
  }
  if (auto group = llvm::dyn_cast<kern::GroupOp>(op))
    return runBlock(group.getBody().front(), scope);
  if (auto launch = llvm::dyn_cast<kern::LaunchOp>(op)) {
    Values arguments;
    for (mlir::Value argument : launch.getArguments())
      arguments.push_back(scope.get(argument));
    return run(launch.getKernel(), arguments);
  }
  return evaluateMoe(op, scope);
}

/// Rounds what is stored in 16 bits.
static void roundToType(mlir::Type type, Value &value) {
  auto tensorType = llvm::dyn_cast<mlir::RankedTensorType>(type);
  auto *tensor = std::get_if<Tensor>(&value);
  if (!tensor || !tensorType || tensorType.getElementTypeBitWidth() != 16)
    return;
  for (double &element : tensor->data)
    element = roundTo(tensorType.getElementType(), element);
}

Expected<Values> Interpreter::evaluateMoe(mlir::Operation &op, Scope &scope) {
  auto results =
      llvm::TypeSwitch<mlir::Operation *, Results>(&op)
          .Case<moe::EmbeddingOp, moe::GatherRowsOp, moe::AddOp, moe::RmsNormOp, moe::SwigluOp,
                moe::SliceOp, moe::DeinterleaveOp, moe::ConcatOp, moe::RopeOp, moe::QuantizeOp,
                moe::DequantizeOp, moe::LinearOp, moe::HeadLinearOp, moe::CacheAppendOp,
                moe::AttentionOp, moe::MlaAttentionOp, moe::LatentAttentionOp, moe::GateOp,
                moe::ExpertsOp, moe::PermuteOp, moe::GroupedLinearOp, moe::CombineOp,
                moe::ChunkMaximaOp, moe::ChunkMassesOp, moe::SampleOp>(
              [&](auto known) { return evaluate(known, scope); })
          .Default([](mlir::Operation *other) {
            return makeError(other, "only ops of moe and kern can be interpreted");
          });
  if (!results)
    return results.takeError();
  Values shared;
  for (auto [type, value] : llvm::zip(op.getResultTypes(), *results)) {
    roundToType(type, value);
    if (auto error = checkFits(type, value))
      return makeError(&op, llvm::toString(std::move(error)));
    shared.push_back(share(std::move(value)));
  }
  if (observer)
    observer(&op, shared);
  return shared;
}
