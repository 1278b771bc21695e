#include "frontend/quant/QuantScheme.h"
#include "frontend/Errors.h"
#include "frontend/quant/StoredTensor.h"

using namespace llvm;
using namespace moec::frontend;

Expected<TensorRef> moec::frontend::getOfShape(const Checkpoint &checkpoint, StringRef name,
                                               ArrayRef<int64_t> shape) {
  auto tensor = checkpoint.get(name);
  if (tensor && tensor->shape() != shape)
    return makeError("'{0}': tensor '{1}' has shape {2}; the config asks for "
                     "{3}",
                     tensor->file->path(), name, shapeString(tensor->shape()), shapeString(shape));
  return tensor;
}

WeightRequest WeightRequest::matrix(const std::string &module, int64_t out, int64_t in,
                                    int64_t count) {
  return {module + ".weight", {out, in}, /*quantizable=*/true, std::nullopt, count};
}

WeightRequest WeightRequest::plain(const std::string &module, SmallVector<int64_t, 4> shape) {
  return {module + ".weight", std::move(shape), /*quantizable=*/false};
}

std::vector<WeightRequest> WeightRequest::expand() const {
  if (count == 0)
    return {*this};
  std::vector<WeightRequest> all;
  auto [before, after] = StringRef(name).split("{}");
  for (int64_t i = 0; i < count; ++i)
    all.push_back({formatv("{0}{1}{2}", before, i, after), shape, quantizable, storedAs});
  return all;
}

Expected<WeightSource> moec::frontend::resolveWeight(const QuantScheme &scheme,
                                                     const Checkpoint &checkpoint,
                                                     const WeightRequest &request) {
  std::optional<WeightSource> first;
  if (!checkpoint.hasWeights() && request.count > 1) {
    WeightRequest one = request;
    one.count = 1; // nothing to look at in the others
    return resolveWeight(scheme, checkpoint, one);
  }
  for (const WeightRequest &one : request.expand()) {
    auto source = scheme.resolve(checkpoint, one);
    if (!source)
      return source;
    if (!first)
      first = std::move(*source);
    else if (source->dtype != first->dtype || source->block != first->block)
      return makeError("'{0}': tensor '{1}' is {2}, but '{3}' is {4}; the tensors of one stack "
                       "must be stored alike",
                       checkpoint.path(), source->name, dtypeName(source->dtype), first->name,
                       dtypeName(first->dtype));
  }
  return std::move(*first);
}

/// "X.weight_scale_inv", "X.weight_scale", ...: stored beside a quantized
/// weight by one format or another.
static std::optional<TensorRef> findScale(const Checkpoint &checkpoint, StringRef weight) {
  for (StringRef suffix : {"_scale_inv", "_scale"})
    if (auto scale = checkpoint.find((weight + suffix).str()))
      return scale;
  return std::nullopt;
}

Expected<WeightSource> moec::frontend::resolvePlain(const Checkpoint &checkpoint,
                                                    const WeightRequest &request, DType assumed) {
  WeightSource source;
  source.name = request.name;
  source.shape = request.shape;
  source.dtype = request.storedAs.value_or(assumed);
  if (!checkpoint.hasWeights())
    return source;
  auto tensor = getOfShape(checkpoint, request.name, request.shape);
  if (!tensor)
    return tensor.takeError();
  source.dtype = tensor->dtype();
  if (!is_contained({DType::BF16, DType::F16, DType::F32}, source.dtype))
    return makeError("'{0}': tensor '{1}' is {2}; expected BF16, F16 or F32 "
                     "(the config describes no quantization for it)",
                     tensor->file->path(), request.name, dtypeName(source.dtype));
  if (auto scale = findScale(checkpoint, request.name))
    return makeError("'{0}': tensor '{1}' is a scale, but '{2}' is {3}, not "
                     "quantized",
                     scale->file->path(), scale->name(), request.name, dtypeName(source.dtype));
  return source;
}

namespace {
class PlainScheme : public QuantScheme {
public:
  explicit PlainScheme(DType assumed) : assumed(assumed) {}
  StringRef name() const override { return "none"; }
  Expected<WeightSource> resolve(const Checkpoint &checkpoint,
                                 const WeightRequest &request) const override {
    return resolvePlain(checkpoint, request, assumed);
  }

private:
  DType assumed;
};
} // namespace

std::unique_ptr<QuantScheme> moec::frontend::makePlainScheme(DType assumed) {
  return std::make_unique<PlainScheme>(assumed);
}

/// The element type of plain weights by the config: newer files say "dtype".
static DType readDType(ConfigReader &config) {
  StringRef key = config.has("dtype") ? "dtype" : "torch_dtype";
  config.harmless({"dtype", "torch_dtype"});
  if (!config.has(key))
    return DType::BF16;
  std::string name = config.requiredOneOf(key, {"bfloat16", "float16", "float32"});
  return name == "float16" ? DType::F16 : name == "float32" ? DType::F32 : DType::BF16;
}

std::unique_ptr<QuantScheme> moec::frontend::readQuantScheme(ConfigReader &config) {
  DType assumed = readDType(config);
  ConfigReader *quantization = config.optionalObject("quantization_config");
  if (!quantization)
    return makePlainScheme(assumed);
  // The explicit list of schemes, by quant_method.
  quantization->requiredOneOf("quant_method", {"fp8"});
  return readFp8Block128(*quantization, assumed);
}
