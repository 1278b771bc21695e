#include "codegen/bundle/SerializePlan.h"

#include "codegen/bundle/WeightPacker.h"
#include "dialects/moe/CacheRow.h"

#include "llvm/ADT/TypeSwitch.h"

#include <limits>

using namespace llvm;
using namespace mlir;
using namespace moec;
using namespace moec::bundle;
namespace fb = moec::rt::fb;
using flatbuffers::FlatBufferBuilder;
using flatbuffers::Offset;

SmallVector<plan::WeightOp> moec::bundle::listWeights(ModuleOp module) {
  return to_vector(module.getOps<plan::WeightOp>());
}

static std::optional<fb::DType> toBundleType(Type type) {
  if (type.isF32())
    return fb::DType::F32;
  if (type.isF16())
    return fb::DType::F16;
  if (type.isBF16())
    return fb::DType::BF16;
  if (isa<Float8E4M3FNType>(type))
    return fb::DType::F8E4M3FN;
  if (isa<Float8E5M2Type>(type))
    return fb::DType::F8E5M2;
  if (type.isInteger(8))
    return fb::DType::I8;
  if (type.isInteger(32))
    return fb::DType::I32;
  return std::nullopt;
}

/// "column_tile = 64, row_tile = 4"
static std::string scheduleText(kern::ScheduleAttr schedule) {
  std::string text;
  raw_string_ostream out(text);
  if (schedule)
    llvm::interleaveComma(schedule.getSizes(), out, [&](NamedAttribute size) {
      out << size.getName().getValue() << " = ";
      if (auto number = dyn_cast<IntegerAttr>(size.getValue()))
        out << number.getInt();
      else
        out << size.getValue();
    });
  return text;
}

namespace {

/// Builds the manifest's tables. One object a module.
class Serializer {
public:
  Serializer(ModuleOp module, const ManifestParts &parts) : module(module), parts(parts) {}
  FailureOr<std::vector<uint8_t>> run();

private:
  template <typename T> using Offsets = std::vector<Offset<T>>;

  LogicalResult addWeights();
  LogicalResult addKernels();
  LogicalResult addPrograms();
  LogicalResult addCache();
  FailureOr<Offset<fb::Launch>> addLaunch(plan::ProgramOp program, plan::LaunchOp launch);
  FailureOr<fb::Arg> makeArg(plan::ProgramOp program, Value buffer);
  uint64_t getInputBytes(plan::ProgramOp program, plan::InputKind kind);
  Offset<flatbuffers::Vector<Offset<fb::KeyValue>>> addKeyValues(const KeyValues &pairs);
  Offset<flatbuffers::Vector<Offset<fb::KeyValue>>> addNumerics();
  Offset<flatbuffers::Vector<Offset<fb::TextFile>>> addFiles();
  Offset<fb::Target> addTarget();
  Offset<flatbuffers::Vector<Offset<fb::Image>>> addImages();
  FailureOr<Offset<flatbuffers::Vector<Offset<fb::TensorMap>>>>
  addTensorMaps(kern::KernelOp kernel, ArrayRef<TensorMap> maps);
  Offset<flatbuffers::String> getModuleString(StringRef name);
  uint64_t getModuleInt(StringRef name);

  ModuleOp module;
  const ManifestParts &parts;
  FlatBufferBuilder builder;
  llvm::DenseMap<StringAttr, uint32_t> weightIndex, kernelIndex;
  SmallVector<plan::WeightOp> weightOps;
  SmallVector<kern::KernelOp> kernelOps;
  Offsets<fb::Weight> weights;
  Offsets<fb::Kernel> kernels;
  Offsets<fb::Entry> entries;
  Offset<fb::CacheLayout> cache;
  moe::CacheType cacheType;
  uint64_t pagesPerSequence = 0;
};

} // namespace

Offset<flatbuffers::String> Serializer::getModuleString(StringRef name) {
  auto text = module->getAttrOfType<StringAttr>(name);
  return builder.CreateString(text ? text.str() : "");
}

uint64_t Serializer::getModuleInt(StringRef name) {
  auto number = module->getAttrOfType<IntegerAttr>(name);
  return number ? number.getInt() : 0;
}

LogicalResult Serializer::addWeights() {
  weightOps = listWeights(module);
  for (auto [index, op] : llvm::enumerate(weightOps)) {
    auto type = dyn_cast<RankedTensorType>(op.getType());
    auto dtype = type ? toBundleType(type.getElementType()) : std::nullopt;
    if (!dtype || !type.hasStaticShape())
      return op.emitError() << "a bundle cannot hold a weight of type " << op.getType();
    std::vector<uint64_t> shape(type.getShape().begin(), type.getShape().end());
    const WeightStorage &storage = parts.weights[index];
    weightIndex[op.getSymNameAttr()] = index;
    weights.push_back(fb::CreateWeight(builder, builder.CreateString(op.getSymName().str()), *dtype,
                                       builder.CreateVector(shape), getBufferBytes(type),
                                       storage.segment, storage.fill.kind, storage.fill.scale));
  }
  return success();
}

/// Buffers that a kernel takes: arguments, results that are not caches, counters, scratch.
static unsigned countBuffers(kern::KernelOp kernel) {
  unsigned count = 0;
  for (Type type : kernel.getArgumentTypes())
    count += plan::getNumBuffers(type);
  for (Type type : kernel.getResultTypes())
    count += isa<moe::CacheType>(type) ? 0 : plan::getNumBuffers(type);
  return count + (kernel.getNumCounters() > 0) + (kernel.getScratchBytes() > 0);
}

FailureOr<Offset<flatbuffers::Vector<Offset<fb::TensorMap>>>>
Serializer::addTensorMaps(kern::KernelOp kernel, ArrayRef<TensorMap> maps) {
  Offsets<fb::TensorMap> tables;
  for (const TensorMap &map : maps) {
    auto dtype = toBundleType(map.element);
    if (!dtype)
      return kernel.emitError() << "has a tensor map of " << map.element;
    std::vector<fb::Extent> sizes;
    for (const TensorMap::Extent &size : map.sizes)
      sizes.emplace_back(fb::Dim(size.dim), size.multiplier, size.addend);
    tables.push_back(
        fb::CreateTensorMap(builder, map.slot, map.offset, *dtype,
                            builder.CreateVectorOfStructs(sizes), builder.CreateVector(map.strides),
                            builder.CreateVector(map.box), map.swizzle, map.l2Promotion));
  }
  if (tables.empty())
    return Offset<flatbuffers::Vector<Offset<fb::TensorMap>>>();
  return builder.CreateVector(tables);
}

LogicalResult Serializer::addKernels() {
  for (kern::KernelOp kernel : module.getOps<kern::KernelOp>()) {
    auto found = parts.code->kernels.find(kernel.getSymName());
    if (found == parts.code->kernels.end())
      return kernel.emitError() << "has no code in the image";
    const KernelLaunch &launch = found->second;
    auto maps = addTensorMaps(kernel, launch.tensorMaps);
    if (failed(maps))
      return failure();
    std::string spec;
    raw_string_ostream(spec) << kernel;
    kernelIndex[kernel.getSymNameAttr()] = kernelOps.size();
    kernelOps.push_back(kernel);
    kernels.push_back(fb::CreateKernel(
        builder, builder.CreateString(kernel.getSymName().str()), /*image=*/0,
        builder.CreateString(kern::stringifyHero(kernel.getHero()).str()),
        builder.CreateString(scheduleText(kernel.getScheduleAttr())), builder.CreateString(spec),
        countBuffers(kernel), launch.workspaceBytes, launch.threads, launch.sharedBytes,
        launch.cluster, launch.maxBlocks, launch.earlyLaunch, *maps, launch.registers,
        launch.spillBytes, launch.blocksPerCore, launch.peakFlops, launch.scalarRegisters,
        launch.accumulatorRegisters, launch.coResident));
  }
  return success();
}

/// Bytes of an input at a program's bounds.
uint64_t Serializer::getInputBytes(plan::ProgramOp program, plan::InputKind kind) {
  switch (kind) {
  case plan::InputKind::BlockTable:
    return 4 * program.getMaxSequences() * pagesPerSequence;
  case plan::InputKind::OutputRows:
    return 4 * program.getMaxOutputRows();
  case plan::InputKind::Sampling:
    return 16 * program.getMaxOutputRows();
  default:
    return 4 * program.getMaxTokens();
  }
}

FailureOr<fb::Arg> Serializer::makeArg(plan::ProgramOp program, Value buffer) {
  return llvm::TypeSwitch<Operation *, FailureOr<fb::Arg>>(buffer.getDefiningOp())
      .Case([&](plan::ArenaOp op) {
        return fb::Arg(fb::ArgKind::Arena, 0, op.getOffset(), op.getBytes());
      })
      .Case([&](plan::WeightRefOp op) {
        uint32_t index = weightIndex.at(op.getWeightAttr().getAttr());
        auto type = cast<RankedTensorType>(weightOps[index].getType());
        return fb::Arg(fb::ArgKind::Weight, index, 0, getBufferBytes(type));
      })
      .Case([&](plan::InputOp op) {
        return fb::Arg(fb::ArgKind::Input, uint32_t(op.getKind()), 0,
                       getInputBytes(program, op.getKind()));
      })
      .Case([&](plan::OutputOp op) {
        return fb::Arg(fb::ArgKind::Output, op.getIndex(), 0, op.getBytes());
      })
      .Case(
          [&](plan::CountersOp op) { return fb::Arg(fb::ArgKind::Counters, 0, 0, op.getBytes()); })
      .Case([&](plan::CacheOp op) { return fb::Arg(fb::ArgKind::Cache, op.getLayer(), 0, 0); })
      .Default([&](Operation *) -> FailureOr<fb::Arg> {
        return program.emitError() << "passes a launch a buffer that no plan op makes";
      });
}

static fb::Grid makeGrid(kern::GridAttr grid) {
  uint64_t cap = grid.getCap() ? grid.getCap() : std::numeric_limits<uint64_t>::max();
  return fb::Grid(fb::Dim(grid.getDim()), grid.getMultiplier(), grid.getDivisor(), cap,
                  grid.getFactor());
}

FailureOr<Offset<fb::Launch>> Serializer::addLaunch(plan::ProgramOp program,
                                                    plan::LaunchOp launch) {
  uint32_t kernel = kernelIndex.at(launch.getKernelAttr().getAttr());
  if (unsigned wanted = countBuffers(kernelOps[kernel]); wanted != launch.getBuffers().size())
    return launch.emitError() << "passes " << launch.getBuffers().size()
                              << " buffers, its kernel takes " << wanted;
  std::vector<fb::Arg> args;
  for (Value buffer : launch.getBuffers()) {
    auto arg = makeArg(program, buffer);
    if (failed(arg))
      return failure();
    args.push_back(*arg);
  }
  fb::Grid grid = makeGrid(launch.getGrid());
  Offset<flatbuffers::String> label;
  if (auto text = launch.getLabel())
    label = builder.CreateSharedString(text->str());
  return fb::CreateLaunch(builder, kernel, builder.CreateVectorOfStructs(args), &grid, label,
                          launch.getBytes(), launch.getContextBytes(), launch.getFlops());
}

/// Entries in the order of the module, programs by rising token bounds.
LogicalResult Serializer::addPrograms() {
  MapVector<StringAttr, SmallVector<plan::ProgramOp>> byEntry;
  for (plan::ProgramOp program : module.getOps<plan::ProgramOp>())
    byEntry[program.getEntryAttr()].push_back(program);
  for (auto &[entry, programs] : byEntry) {
    llvm::sort(programs, [](plan::ProgramOp a, plan::ProgramOp b) {
      return a.getMaxTokens() < b.getMaxTokens();
    });
    Offsets<fb::Program> tables;
    for (plan::ProgramOp program : programs) {
      Offsets<fb::Launch> launches;
      for (plan::LaunchOp launch : program.getBody().getOps<plan::LaunchOp>()) {
        auto table = addLaunch(program, launch);
        if (failed(table))
          return failure();
        launches.push_back(*table);
      }
      tables.push_back(fb::CreateProgram(builder, program.getMaxTokens(), program.getMaxSequences(),
                                         program.getMaxOutputRows(), program.getArenaBytes(),
                                         builder.CreateVector(launches)));
    }
    entries.push_back(
        fb::CreateEntry(builder, builder.CreateString(entry.str()), builder.CreateVector(tables)));
  }
  return success();
}

/// The cache's layout is the type of the kernels' cache arguments (bytes, when rows are quantized);
/// there are as many layers as plan.cache ops count.
LogicalResult Serializer::addCache() {
  for (kern::KernelOp kernel : module.getOps<kern::KernelOp>())
    for (Type type : kernel.getArgumentTypes())
      if (auto found = dyn_cast<moe::CacheType>(type)) {
        if (cacheType && cacheType != found)
          return kernel.emitError() << "has a cache " << found << ", another kernel " << cacheType
                                    << "; a bundle has one cache layout";
        cacheType = found;
      }
  bool isBytes = cacheType && moe::getCacheRow(cacheType).isQuantized();
  auto dtype = isBytes     ? fb::DType::U8
               : cacheType ? toBundleType(cacheType.getElementType())
                           : std::nullopt;
  if (!dtype)
    return module.emitError("no kernel has a cache that a bundle can describe");
  uint32_t layers = 0;
  module.walk([&](plan::CacheOp op) { layers = std::max<uint32_t>(layers, op.getLayer() + 1); });
  pagesPerSequence = llvm::divideCeil(getModuleInt("moe.max_context"), cacheType.getPage());
  uint64_t width = isBytes ? moe::getCacheRow(cacheType).bytes : cacheType.getWidth();
  cache = fb::CreateCacheLayout(builder, layers, width, *dtype, cacheType.getPage());
  return success();
}

Offset<flatbuffers::Vector<Offset<fb::KeyValue>>> Serializer::addKeyValues(const KeyValues &pairs) {
  Offsets<fb::KeyValue> tables;
  for (const auto &[key, value] : pairs)
    tables.push_back(
        fb::CreateKeyValue(builder, builder.CreateString(key), builder.CreateString(value)));
  return builder.CreateVector(tables);
}

Offset<flatbuffers::Vector<Offset<fb::KeyValue>>> Serializer::addNumerics() {
  KeyValues pairs;
  if (auto numerics = module->getAttrOfType<DictionaryAttr>("moe.numerics"))
    for (NamedAttribute entry : numerics)
      if (auto value = dyn_cast<StringAttr>(entry.getValue()))
        pairs.emplace_back(entry.getName().str(), value.str());
  return addKeyValues(pairs);
}

Offset<flatbuffers::Vector<Offset<fb::TextFile>>> Serializer::addFiles() {
  Offsets<fb::TextFile> tables;
  for (const auto &[name, text] : parts.files)
    tables.push_back(
        fb::CreateTextFile(builder, builder.CreateString(name), builder.CreateString(text)));
  return builder.CreateVector(tables);
}

Offset<fb::Target> Serializer::addTarget() {
  return fb::CreateTarget(builder, builder.CreateString(parts.code->targetKind),
                          builder.CreateString(parts.code->arch),
                          builder.CreateVectorOfStrings(parts.code->features));
}

Offset<flatbuffers::Vector<Offset<fb::Image>>> Serializer::addImages() {
  Offsets<fb::Image> tables;
  for (auto [index, image] : llvm::enumerate(parts.code->images)) {
    int32_t alternative = index + 1 < parts.code->images.size() ? index + 1 : -1;
    tables.push_back(fb::CreateImage(builder, builder.CreateString(image.format),
                                     parts.imageSegments[index], alternative));
  }
  return builder.CreateVector(tables);
}

FailureOr<std::vector<uint8_t>> Serializer::run() {
  if (failed(addCache()) || failed(addWeights()) || failed(addKernels()) || failed(addPrograms()))
    return failure();
  auto modelType = getModuleString("moe.model_type"), modelName = getModuleString("moe.model_name");
  auto target = addTarget();
  auto compiler = builder.CreateString(parts.compiler);
  auto provenance = addKeyValues(parts.provenance);
  auto numerics = addNumerics();
  auto segments = builder.CreateVectorOfStructs(parts.segments);
  auto weightTables = builder.CreateVector(weights);
  auto imageTables = addImages();
  auto kernelTables = builder.CreateVector(kernels);
  auto entryTables = builder.CreateVector(entries);
  auto files = addFiles();
  fb::FinishManifestBuffer(
      builder,
      fb::CreateManifest(builder, modelType, modelName, target, compiler, provenance, numerics,
                         /*rank=*/0, /*world_size=*/1, getModuleInt("moe.vocab_size"),
                         parts.maxBatch, getModuleInt("moe.max_context"), pagesPerSequence, cache,
                         segments, weightTables, imageTables, kernelTables, entryTables, files,
                         parts.weightsPresent, parts.syntheticSeed));
  return std::vector<uint8_t>(builder.GetBufferPointer(),
                              builder.GetBufferPointer() + builder.GetSize());
}

FailureOr<std::vector<uint8_t>> moec::bundle::serializePlan(ModuleOp module,
                                                            const ManifestParts &parts) {
  return Serializer(module, parts).run();
}
