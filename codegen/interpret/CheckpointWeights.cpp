// Decodes stored tensors to doubles; nothing is rounded.
#include "codegen/interpret/CheckpointWeights.h"

#include "dialects/reference/SmallFloat.h"
#include "frontend/Errors.h"
#include "frontend/config/Config.h"

#include "llvm/Support/Endian.h"

using namespace moec;
using namespace moec::interpret;
using frontend::DType;
using frontend::makeError;
using reference::SmallFloat;

llvm::Expected<std::unique_ptr<CheckpointWeights>>
CheckpointWeights::create(const frontend::Checkpoint &checkpoint) {
  if (!checkpoint.hasWeights())
    return makeError("'{0}' has no weights to interpret with", checkpoint.path());
  frontend::ConfigReader config(checkpoint.config(), checkpoint.configPath());
  auto scheme = frontend::readQuantScheme(config);
  return std::unique_ptr<CheckpointWeights>(new CheckpointWeights(checkpoint, std::move(scheme)));
}

llvm::Expected<std::vector<double>> moec::interpret::decode(const frontend::TensorRef &tensor) {
  llvm::ArrayRef<uint8_t> bytes = tensor.bytes();
  std::vector<double> values;
  switch (tensor.dtype()) {
  case DType::F32:
    for (size_t i = 0; i < bytes.size(); i += 4)
      values.push_back(llvm::bit_cast<float>(llvm::support::endian::read32le(&bytes[i])));
    return values;
  case DType::BF16:
  case DType::F16: {
    SmallFloat format = tensor.dtype() == DType::BF16 ? SmallFloat::bf16() : SmallFloat::f16();
    for (size_t i = 0; i < bytes.size(); i += 2)
      values.push_back(format.decode(llvm::support::endian::read16le(&bytes[i])));
    return values;
  }
  case DType::F8_E4M3:
    for (uint8_t code : bytes)
      values.push_back(SmallFloat::e4m3().decode(code));
    return values;
  default:
    return makeError("'{0}': tensor '{1}' is {2}; expected F32, BF16, F16 or F8_E4M3",
                     tensor.file->path(), tensor.name(), dtypeName(tensor.dtype()));
  }
}

llvm::Expected<reference::LeafData> CheckpointWeights::load(const moe::Leaf &leaf) {
  frontend::WeightRequest request;
  request.name = leaf.tensor;
  llvm::append_range(request.shape, moe::getShape(leaf.type));
  request.quantizable = bool(moe::getScheme(leaf.type));
  auto source = scheme->resolve(checkpoint, request);
  if (!source)
    return source.takeError();
  if (source->isQuantized() != request.quantizable)
    return makeError("'{0}': tensor '{1}' is {2}quantized, the imported model says otherwise",
                     checkpoint.path(), leaf.tensor, source->isQuantized() ? "" : "not ");
  reference::LeafData data;
  for (auto [name, out] :
       {std::pair(&source->name, &data.values), std::pair(&source->scaleName, &data.scales)}) {
    if (name->empty())
      continue;
    auto tensor = checkpoint.get(*name);
    if (!tensor)
      return tensor.takeError();
    auto values = decode(*tensor);
    if (!values)
      return values.takeError();
    *out = std::move(*values);
  }
  return data;
}
