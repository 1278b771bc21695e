#include "codegen/bundle/WriteBundle.h"

#include "codegen/bundle/WeightPacker.h"
#include "frontend/Errors.h"
#include "runtime/bundle/Format.h"

using namespace llvm;
using namespace moec;
using namespace moec::bundle;
using frontend::makeError;

static constexpr uint64_t syntheticSeed = 1;

namespace {
/// A plan.weight with the recipe behind it.
struct PlannedWeight {
  plan::WeightOp op;
  moe::WeightOp source;
  uint64_t bytes;
  bool stored; // has a segment
};
} // namespace

static Expected<std::vector<PlannedWeight>> planWeights(mlir::ModuleOp module, WeightMode mode) {
  mlir::SymbolTable symbols(module);
  std::vector<PlannedWeight> planned;
  for (plan::WeightOp op : listWeights(module)) {
    auto source = symbols.lookup<moe::WeightOp>(op.getSource());
    auto type = dyn_cast<mlir::RankedTensorType>(op.getType());
    if (!source || !type || !type.hasStaticShape())
      return makeError("plan.weight '{0}' has no packable source '{1}'", op.getSymName(),
                       op.getSource());
    bool stored =
        mode == WeightMode::Copy || (mode == WeightMode::Synthetic && moe::isComputed(source));
    planned.push_back({op, source, getBufferBytes(type), stored});
  }
  return planned;
}

static Expected<uint32_t> writeWeight(PlannedWeight weight, const WeightPacker &packer,
                                      BundleWriter &writer, ProgressBar &progress) {
  if (moe::isComputed(weight.source)) {
    std::vector<uint8_t> bytes = computeWeight(weight.source);
    progress.advance(bytes.size());
    return writer.addSegment(bytes);
  }
  auto segment = packer.pack(weight.source, weight.op.getPart(), writer, progress);
  if (!segment)
    return segment.takeError();
  if (uint64_t size = writer.segments()[*segment].size(); size != weight.bytes)
    return makeError("weight '{0}' packs to {1} bytes, its kernels read {2}",
                     weight.op.getSymName(), size, weight.bytes);
  return segment;
}

static Error writeWeights(ArrayRef<PlannedWeight> planned, WeightMode mode,
                          const WeightPacker &packer, BundleWriter &writer,
                          std::vector<WeightStorage> &storage) {
  uint64_t total = 0;
  for (const PlannedWeight &weight : planned)
    if (weight.stored)
      total += weight.bytes + rt::kPageSize;
  if (Error error = writer.reserve(total))
    return error;
  ProgressBar progress("packing weights", total);
  for (PlannedWeight weight : planned) {
    WeightStorage &place = storage.emplace_back();
    if (weight.stored) {
      auto segment = writeWeight(weight, packer, writer, progress);
      if (!segment)
        return segment.takeError();
      place.segment = *segment;
    } else if (mode == WeightMode::Synthetic) {
      place.fill = chooseFill(weight.source, weight.op.getPart());
    }
  }
  return Error::success();
}

Error moec::bundle::checkRequest(const frontend::Checkpoint &checkpoint, WeightMode weights,
                                 StringRef folder) {
  if (weights == WeightMode::Copy && !checkpoint.hasWeights())
    return makeError("'{0}' has no weights: no model.safetensors and no "
                     "model.safetensors.index.json; use --weights synthetic or --weights none",
                     checkpoint.path());
  return BundleWriter::checkFolder(folder);
}

/// Refuses what cannot be packed before anything is written.
static Error checkSources(ArrayRef<PlannedWeight> planned, WeightMode mode,
                          const WeightPacker &packer) {
  if (mode != WeightMode::Copy)
    return Error::success();
  for (const PlannedWeight &weight : planned)
    if (Error error = packer.check(weight.source))
      return error;
  return Error::success();
}

Expected<BundleResult> moec::bundle::writeBundle(mlir::ModuleOp module, const KernelCode &code,
                                                 const frontend::Checkpoint &checkpoint,
                                                 const frontend::QuantScheme &scheme,
                                                 const BundleRequest &request) {
  if (Error error = checkRequest(checkpoint, request.weights, request.folder))
    return error;
  auto planned = planWeights(module, request.weights);
  if (!planned)
    return planned.takeError();
  WeightPacker packer(checkpoint, scheme);
  if (Error error = checkSources(*planned, request.weights, packer))
    return error;
  auto provenance = describeSources(checkpoint);
  if (!provenance)
    return provenance.takeError();
  auto files = listTextFiles(checkpoint);
  if (!files)
    return files.takeError();

  auto writer = BundleWriter::create(request.folder);
  if (!writer)
    return writer.takeError();
  ManifestParts parts;
  for (const CodeImage &image : code.images) {
    auto segment = (*writer)->addSegment(image.bytes);
    if (!segment)
      return segment.takeError();
    parts.imageSegments.push_back(*segment);
  }
  if (Error error = writeWeights(*planned, request.weights, packer, **writer, parts.weights))
    return error;
  parts.compiler = request.compiler;
  parts.provenance = std::move(*provenance);
  parts.files = std::move(*files);
  parts.maxBatch = request.maxBatch;
  parts.segments = (*writer)->segments().vec();
  parts.code = &code;
  parts.weightsPresent = request.weights != WeightMode::None;
  parts.syntheticSeed = request.weights == WeightMode::Synthetic ? syntheticSeed : 0;
  auto manifest = serializePlan(module, parts);
  if (failed(manifest))
    return makeError("the plan cannot be written as a bundle");
  if (Error error = (*writer)->finish(*manifest))
    return error;
  return BundleResult{(*writer)->path().str(), (*writer)->bytesWritten()};
}
