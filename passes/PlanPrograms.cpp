// Turns each entry into programs, one for each token bucket: offsets in one
// arena, weights, inputs and caches by name, launches with their grids and costs. What
// does not depend on the bucket is planned once (ProgramPlan.h).
#include "passes/ArenaPlan.h"
#include "passes/KernelCost.h"
#include "passes/Passes.h"
#include "passes/ProgramPlan.h"
#include "passes/RowAnalysis.h"

#include <map>

using namespace mlir;

namespace moec::passes {
#define GEN_PASS_DEF_PLANPROGRAMS
#include "passes/Passes.h.inc"

namespace {

constexpr llvm::StringLiteral kDecode = "decode";

/// The tensors that a value is stored as: codes and scales, or itself.
SmallVector<RankedTensorType, 2> getParts(Type type) {
  if (auto quantized = dyn_cast<moe::QTensorType>(type))
    return {quantized.getCodesType(), quantized.getScalesType()};
  return {cast<RankedTensorType>(type)};
}

//===----------------------------------------------------------------------===//
// ProgramEmitter
//===----------------------------------------------------------------------===//

/// Writes the program of one entry and bucket. Buffer ops are shared by launches.
class ProgramEmitter {
public:
  ProgramEmitter(const ProgramPlan &planned, const Bounds &bounds,
                 const DenseMap<StringAttr, SmallVector<plan::WeightOp, 2>> &weights)
      : planned(planned), sizes(bounds.getSizes()), weights(weights) {
    SmallVector<Interval> intervals;
    for (const ArenaBuffer &buffer : planned.buffers) {
      uint64_t rows = countRows(buffer.rows, buffer.type, sizes);
      firstInterval.push_back(intervals.size());
      for (RankedTensorType part : getParts(buffer.type))
        intervals.push_back({buffer.first, buffer.last, moe::getBytes(part, rows)});
    }
    arena = planArena(intervals);
  }

  uint64_t getArenaBytes() const { return arena.bytes; }

  /// Buffers of a launch in the order of the kernel ABI.
  SmallVector<Value> getBuffers(const PlannedLaunch &planned, OpBuilder &builder) {
    SmallVector<Value> buffers;
    kern::KernelOp kernel = const_cast<PlannedLaunch &>(planned).kernel;
    kern::LaunchOp launch = const_cast<PlannedLaunch &>(planned).launch;
    auto rows = kernel.getRows().begin();
    ArrayRef<int64_t> strides = kernel.getRowStrides();
    for (Value argument : launch.getArguments()) {
      addBuffers(argument, *rows++, strides.front(), builder, buffers);
      strides = strides.drop_front();
    }
    for (Value result : launch.getResults()) {
      if (!isa<moe::CacheType>(result.getType()))
        addBuffers(result, *rows, strides.front(), builder, buffers);
      ++rows;
      strides = strides.drop_front();
    }
    return buffers;
  }

private:
  void addBuffers(Value value, Attribute rows, int64_t stride, OpBuilder &builder,
                  SmallVector<Value> &buffers) {
    const Place &place = planned.getPlace(value);
    Location loc = builder.getUnknownLoc();
    MLIRContext *context = builder.getContext();
    Type type = plan::BufferType::get(context);
    switch (place.kind) {
    case Place::Cache:
      buffers.push_back(share(place.kind, place.index, 0, [&]() -> Value {
        return plan::CacheOp::create(builder, loc, type, place.index);
      }));
      return;
    case Place::Input:
      buffers.push_back(share(place.kind, place.index, 0, [&]() -> Value {
        auto kind = static_cast<plan::InputKind>(place.index);
        return plan::InputOp::create(builder, loc, type, plan::InputKindAttr::get(context, kind));
      }));
      return;
    case Place::Weight:
      for (plan::WeightOp weight : weights.find(place.weight)->second)
        buffers.push_back(share(
            place.kind, reinterpret_cast<uintptr_t>(weight.getOperation()), 0, [&]() -> Value {
              return plan::WeightRefOp::create(builder, loc, type,
                                               FlatSymbolRefAttr::get(weight.getSymNameAttr()));
            }));
      return;
    case Place::Output:
    case Place::Arena:
      addSizedBuffers(place, value.getType(), countRows(rows, value.getType(), sizes), stride,
                      builder, buffers);
    }
  }

  void addSizedBuffers(const Place &place, Type type, uint64_t rows, int64_t stride,
                       OpBuilder &builder, SmallVector<Value> &buffers) {
    Location loc = builder.getUnknownLoc();
    Type bufferType = plan::BufferType::get(builder.getContext());
    for (auto [part, tensor] : llvm::enumerate(getParts(type))) {
      uint64_t bytes = moe::getBytes(tensor, rows);
      if (place.kind == Place::Output) {
        buffers.push_back(share(place.kind, place.index + part, bytes, [&]() -> Value {
          return plan::OutputOp::create(builder, loc, bufferType, place.index + part, bytes);
        }));
        continue;
      }
      uint64_t element = tensor.getElementTypeBitWidth() / 8;
      uint64_t offset = arena.offsets[firstInterval[place.index] + part] + place.offset * element;
      bool isView = stride && part == 0 &&
                    stride != ShapedType::getNumElements(tensor.getShape().drop_front());
      if (isView) // up to the end of the last row, whatever lies between rows
        bytes = ((rows - 1) * stride + tensor.getShape().back()) * element;
      buffers.push_back(share(place.kind, offset, bytes, [&]() -> Value {
        return plan::ArenaOp::create(builder, loc, bufferType, offset, bytes, StringAttr());
      }));
    }
  }

  Value share(unsigned kind, uint64_t a, uint64_t b, llvm::function_ref<Value()> make) {
    Value &buffer = shared[{kind, a, b}];
    if (!buffer)
      buffer = make();
    return buffer;
  }

  const ProgramPlan &planned;
  std::array<uint64_t, 4> sizes;
  const DenseMap<StringAttr, SmallVector<plan::WeightOp, 2>> &weights;
  SmallVector<unsigned> firstInterval; // of each arena buffer
  ArenaPlan arena;
  std::map<std::tuple<unsigned, uint64_t, uint64_t>, Value> shared;
};

//===----------------------------------------------------------------------===//
// PlanPrograms
//===----------------------------------------------------------------------===//

struct PlanPrograms : impl::PlanProgramsBase<PlanPrograms> {
  using PlanProgramsBase::PlanProgramsBase;

  void runOnOperation() override {
    if (failed(run()))
      signalPassFailure();
    weights.clear();
    grids.clear();
  }

  LogicalResult run() {
    ModuleOp module = getOperation();
    target = kern::getTarget(module);
    if (!target || failed(readOptions()))
      return failure();
    SymbolTable symbols(module);
    for (auto function : llvm::make_early_inc_range(module.getOps<func::FuncOp>())) {
      FailureOr<ProgramPlan> planned = ProgramPlan::compute(function, symbols);
      if (failed(planned))
        return failure();
      makeWeights(*planned, symbols);
      bool isDecode = function.getSymName() == kDecode;
      for (int64_t tokens : isDecode ? decode : prefill)
        if (failed(
                makeProgram(function.getSymName(), *planned, getBounds(tokens, isDecode), symbols)))
          return failure();
      symbols.erase(function);
    }
    return success();
  }

  LogicalResult readOptions() {
    ModuleOp module = getOperation();
    context = maxContext;
    if (auto recorded = module->getAttrOfType<IntegerAttr>(kMaxContextAttr); recorded && !context)
      context = recorded.getInt();
    if (context < 1)
      return module.emitError() << "plan-programs needs a context length: set the option "
                                   "max-context or the module's "
                                << kMaxContextAttr;
    if (maxSequences < 1)
      return module.emitError() << "max-sequences must be at least 1; got "
                                << int64_t(maxSequences);
    decode.assign(decodeBuckets.begin(), decodeBuckets.end());
    for (int64_t tokens = 1; decodeBuckets.empty() && tokens < 2 * maxSequences; tokens *= 2)
      decode.push_back(std::min<int64_t>(tokens, maxSequences));
    prefill.assign(prefillBuckets.begin(), prefillBuckets.end());
    if (prefillBuckets.empty())
      prefill = {16, 64, 256};
    for (int64_t &tokens : prefill)
      tokens = std::min(tokens, context);
    for (SmallVector<int64_t> *buckets : {&decode, &prefill}) {
      llvm::sort(*buckets);
      buckets->erase(llvm::unique(*buckets), buckets->end());
      if (buckets->front() < 1)
        return module.emitError() << "token buckets must be at least 1; got " << buckets->front();
    }
    return success();
  }

  /// Every token of a chunk may want its logits, so output rows are bounded by tokens.
  Bounds getBounds(uint64_t tokens, bool isDecode) const {
    uint64_t sequences = isDecode ? tokens : std::min<uint64_t>(tokens, maxSequences);
    return {tokens, sequences, tokens, uint64_t(context)};
  }

  /// A plan.weight for each part of each weight that a launch reads.
  void makeWeights(ProgramPlan &planned, SymbolTable &symbols) {
    for (PlannedLaunch &launch : planned.launches)
      for (Value argument : launch.launch.getArguments()) {
        const Place &place = planned.getPlace(argument);
        if (place.kind != Place::Weight || weights.count(place.weight))
          continue;
        auto source = symbols.lookup<moe::WeightOp>(place.weight);
        OpBuilder builder(source->getContext());
        builder.setInsertionPointAfter(source);
        SmallVector<plan::WeightOp, 2> &parts = weights[place.weight];
        for (RankedTensorType type : getParts(source.getType())) {
          bool isScales = !parts.empty();
          auto weight = plan::WeightOp::create(
              builder, source.getLoc(),
              (place.weight.getValue() + (isScales ? ".scale" : ".values")).str(), place.weight,
              isScales ? plan::Part::Scales : plan::Part::Values, type);
          symbols.insert(weight);
          parts.push_back(weight);
        }
      }
  }

  LogicalResult makeProgram(StringRef entry, ProgramPlan &planned, const Bounds &bounds,
                            SymbolTable &symbols) {
    ProgramEmitter emitter(planned, bounds, weights);
    OpBuilder builder = OpBuilder::atBlockEnd(getOperation().getBody());
    auto program = plan::ProgramOp::create(
        builder, getOperation().getLoc(), (entry + "_" + Twine(bounds.tokens)).str(), entry,
        bounds.tokens, bounds.sequences, bounds.outputRows, emitter.getArenaBytes());
    symbols.insert(program);
    builder.setInsertionPointToStart(program.getBody().empty() ? &program.getBody().emplaceBlock()
                                                               : &program.getBody().front());
    DenseMap<Operation *, KernelCost> costs;
    for (PlannedLaunch &launch : planned.launches) {
      auto [cost, isNew] = costs.try_emplace(launch.kernel);
      if (isNew) {
        FailureOr<KernelCost> computed = getKernelCost(launch.kernel, bounds);
        if (failed(computed))
          return failure();
        cost->second = *computed;
      }
      kern::GridAttr grid = getGrid(launch.kernel);
      if (!grid)
        return launch.kernel.emitError()
               << "target '" << target->getName() << "' has no grid for kernel @"
               << launch.kernel.getSymName();
      SmallVector<Value> buffers = emitter.getBuffers(launch, builder);
      plan::LaunchOp::create(builder, launch.launch.getLoc(), launch.launch.getKernel(), buffers,
                             grid, cost->second.bytes, cost->second.contextBytes,
                             cost->second.flops, launch.launch.getLabelAttr());
    }
    return success();
  }

  kern::GridAttr getGrid(kern::KernelOp kernel) {
    kern::GridAttr &grid = grids[kernel];
    if (!grid)
      grid = target->getGrid(kernel);
    return grid;
  }

  const kern::TargetModel *target = nullptr;
  int64_t context = 0;
  SmallVector<int64_t> decode, prefill;
  DenseMap<StringAttr, SmallVector<plan::WeightOp, 2>> weights;
  DenseMap<Operation *, kern::GridAttr> grids;
};

} // namespace
} // namespace moec::passes
