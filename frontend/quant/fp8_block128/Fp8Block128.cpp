// DeepSeek's official FP8 format. A quantized weight W of [N, K] is stored as
//   X.weight            F8_E4M3 [N, K]
//   X.weight_scale_inv  F32     [ceil(N/128), ceil(K/128)]
// and means W[n, k] = weight[n, k] * weight_scale_inv[n/128, k/128] (the name
// says inverse: it is the factor to multiply with). Inputs of these linears are
// quantized at run time per token and 128 channels. A weight stored as BF16,
// F16 or F32 without a scale is simply not quantized. The values of scales are
// checked where they are read, by the packer.
#include "frontend/Errors.h"
#include "frontend/quant/StoredTensor.h"

using namespace llvm;
using namespace moec::frontend;

static constexpr int64_t blockEdge = 128;
static constexpr StringRef scaleSuffix = "_scale_inv";

static int64_t ceilDiv(int64_t a, int64_t b) { return a / b + (a % b != 0); }

namespace {
class Fp8Block128 : public QuantScheme {
public:
  explicit Fp8Block128(DType assumed) : assumed(assumed) {}
  StringRef name() const override { return "fp8_block128"; }
  bool quantizesActivations() const override { return true; }
  Expected<WeightSource> resolve(const Checkpoint &checkpoint,
                                 const WeightRequest &request) const override;

private:
  Error checkStored(const Checkpoint &checkpoint, const WeightSource &source) const;
  DType assumed;
};
} // namespace

static WeightSource quantizedSource(const WeightRequest &request) {
  WeightSource source;
  source.name = request.name;
  source.shape = request.shape;
  source.dtype = DType::F8_E4M3;
  source.scaleName = request.name + scaleSuffix.str();
  source.block = {blockEdge, blockEdge};
  for (int64_t dim : request.shape)
    source.scaleShape.push_back(ceilDiv(dim, blockEdge));
  return source;
}

Expected<WeightSource> Fp8Block128::resolve(const Checkpoint &checkpoint,
                                            const WeightRequest &request) const {
  if (!checkpoint.hasWeights())
    return request.quantizable ? quantizedSource(request)
                               : resolvePlain(checkpoint, request, assumed);
  auto stored = checkpoint.get(request.name);
  if (!stored)
    return stored.takeError();
  if (stored->dtype() != DType::F8_E4M3)
    return resolvePlain(checkpoint, request, assumed);
  if (!request.quantizable)
    return makeError("'{0}': tensor '{1}' is F8_E4M3; only the matrices of "
                     "linear layers may be quantized, expected BF16, F16 or "
                     "F32",
                     stored->file->path(), request.name);
  WeightSource source = quantizedSource(request);
  if (Error error = checkStored(checkpoint, source))
    return error;
  return source;
}

Error Fp8Block128::checkStored(const Checkpoint &checkpoint, const WeightSource &source) const {
  auto weight = getOfShape(checkpoint, source.name, source.shape);
  if (!weight)
    return weight.takeError();
  auto scale = checkpoint.find(source.scaleName);
  if (!scale)
    return makeError("'{0}': tensor '{1}' is F8_E4M3, but its scale '{2}' is "
                     "missing",
                     weight->file->path(), source.name, source.scaleName);
  if (scale->dtype() != source.scaleDType)
    return makeError("'{0}': scale '{1}' is {2}; expected F32", scale->file->path(),
                     source.scaleName, dtypeName(scale->dtype()));
  if (scale->shape() != ArrayRef<int64_t>(source.scaleShape))
    return makeError("'{0}': scale '{1}' has shape {2}; a weight of {3} in "
                     "blocks of 128x128 needs {4}",
                     scale->file->path(), source.scaleName, shapeString(scale->shape()),
                     shapeString(source.shape), shapeString(source.scaleShape));
  return Error::success();
}

std::unique_ptr<QuantScheme> moec::frontend::readFp8Block128(ConfigReader &config, DType assumed) {
  config.requiredOneOf("fmt", {"e4m3"});
  config.optionalOneOf("activation_scheme", {"dynamic"});
  auto block = config.requiredIntList("weight_block_size", 2, 1, 1 << 20);
  if (block != std::vector<int64_t>{blockEdge, blockEdge} && config.has("weight_block_size"))
    config.unsupported("weight_block_size", "[128, 128]");
  return std::make_unique<Fp8Block128>(assumed);
}
