#include "codegen/bundle/WeightPacker.h"

#include "frontend/Errors.h"

#include "llvm/ADT/SmallPtrSet.h"
#include "llvm/ADT/StringMap.h"

#include <cmath>
#include <cstring>

using namespace llvm;
using namespace moec::bundle;
using namespace moec::frontend;

static constexpr uint64_t chunkBytes = 4 << 20;

uint64_t moec::bundle::getBufferBytes(mlir::RankedTensorType type) {
  return type.getNumElements() * ((type.getElementTypeBitWidth() + 7) / 8);
}

static std::optional<DType> toDType(mlir::Type type) {
  if (type.isF32())
    return DType::F32;
  if (type.isBF16())
    return DType::BF16;
  if (type.isF16())
    return DType::F16;
  if (isa<mlir::Float8E4M3FNType>(type))
    return DType::F8_E4M3;
  return std::nullopt;
}

/// The stored tensors of one leaf, checked against the type that the recipe needs.
Expected<WeightSource> WeightPacker::resolve(const moe::Leaf &leaf) const {
  WeightRequest request;
  request.name = leaf.tensor;
  llvm::append_range(request.shape, moe::getShape(leaf.type));
  moe::QuantSchemeAttr wanted = moe::getScheme(leaf.type);
  request.quantizable = bool(wanted);
  auto source = scheme.resolve(checkpoint, request);
  if (!source)
    return source.takeError();
  mlir::Type element =
      wanted ? wanted.getStorage() : cast<mlir::RankedTensorType>(leaf.type).getElementType();
  if (toDType(element) != source->dtype || source->isQuantized() != bool(wanted)) {
    std::string text;
    raw_string_ostream(text) << element;
    return makeError("'{0}': tensor '{1}' is {2}; the compiled model needs {3}", checkpoint.path(),
                     leaf.tensor, dtypeName(source->dtype), text);
  }
  return source;
}

Error WeightPacker::check(moe::WeightOp source) const {
  auto leaves = moe::listLeaves(source);
  if (!leaves)
    return leaves.takeError();
  for (const moe::Leaf &leaf : *leaves)
    if (auto resolved = resolve(leaf); !resolved)
      return resolved.takeError();
  return Error::success();
}

/// Gives back the pages of a part of a tensor.
static void dropPages(const TensorRef &tensor, ArrayRef<uint8_t> part) {
  TensorInfo range = *tensor.info;
  range.begin += part.data() - tensor.bytes().data();
  range.end = range.begin + part.size();
  tensor.file->dropPages(range);
}

/// Gives back all pages of a file's tensors.
static void dropAllPages(const SafeTensorsFile &file) {
  TensorInfo range = file.tensors().front();
  range.end = file.tensors().back().end;
  file.dropPages(range);
}

/// Refuses a scale that no quantizer writes: it would spoil its whole block.
static Error checkScales(const TensorRef &tensor, ArrayRef<uint8_t> bytes) {
  for (size_t i = 0; i + sizeof(float) <= bytes.size(); i += sizeof(float)) {
    float scale;
    std::memcpy(&scale, bytes.data() + i, sizeof scale);
    if (!std::isfinite(scale) || scale < 0)
      return makeError("'{0}': scale '{1}' holds {2} at element {3}; expected finite numbers that "
                       "are not negative",
                       tensor.file->path(), tensor.name(), scale,
                       (bytes.data() + i - tensor.bytes().data()) / sizeof(float));
  }
  return Error::success();
}

Error WeightPacker::copy(const TensorRef &tensor, const moe::Piece &piece, BundleWriter &writer,
                         ProgressBar &progress) const {
  uint64_t elementBytes = bitsOf(tensor.dtype()) / 8;
  ArrayRef<uint8_t> bytes =
      tensor.bytes().slice(piece.firstElement * elementBytes, piece.numElements * elementBytes);
  if (piece.scales)
    if (Error error = checkScales(tensor, bytes))
      return error;
  while (!bytes.empty()) {
    ArrayRef<uint8_t> chunk = bytes.take_front(chunkBytes);
    if (Error error = writer.append(chunk))
      return error;
    progress.advance(chunk.size());
    dropPages(tensor, chunk);
    bytes = bytes.drop_front(chunk.size());
  }
  return Error::success();
}

Expected<uint32_t> WeightPacker::pack(moe::WeightOp source, plan::Part part, BundleWriter &writer,
                                      ProgressBar &progress) const {
  bool scales = part == plan::Part::Scales;
  auto leaves = moe::listLeaves(source);
  if (!leaves)
    return leaves.takeError();
  StringMap<TensorRef> tensors;
  for (const moe::Leaf &leaf : *leaves) {
    auto resolved = resolve(leaf);
    if (!resolved)
      return resolved.takeError();
    auto tensor = checkpoint.get(scales ? resolved->scaleName : resolved->name);
    if (!tensor)
      return tensor.takeError();
    tensors.try_emplace(leaf.tensor, *tensor);
  }
  auto pieces = moe::listPieces(source, scales);
  if (!pieces)
    return pieces.takeError();
  writer.beginSegment();
  for (const moe::Piece &piece : *pieces)
    if (Error error = copy(tensors.at(piece.tensor), piece, writer, progress))
      return error;
  // Pages at the tensors' edges belong to none of them alone, and the system maps
  // a few around each that is touched: with many tensors that adds up.
  SmallPtrSet<const SafeTensorsFile *, 4> files;
  for (const auto &entry : tensors)
    if (files.insert(entry.second.file).second)
      dropAllPages(*entry.second.file);
  return writer.endSegment();
}

std::vector<uint8_t> moec::bundle::computeWeight(moe::WeightOp source) {
  auto recipe = cast<moe::RopeTableAttr>(source.getRecipe());
  std::vector<float> table = moe::computeRopeTable(recipe.getRope(), recipe.getPositions());
  std::vector<uint8_t> bytes(table.size() * sizeof(float));
  std::memcpy(bytes.data(), table.data(), bytes.size());
  return bytes;
}
