// Turns each entry function into a program: offsets in one arena, weights, inputs and caches by
// name, launches with their grids and costs. Where values live is planned first (ProgramPlan.h).
#include "dialects/kern/TargetModel.h"
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
  ProgramEmitter(const ProgramPlan &planned, kern::BoundsAttr bounds,
                 const DenseMap<StringAttr, SmallVector<plan::WeightOp, 2>> &weights)
      : planned(planned), sizes(bounds.getSizes()), weights(weights) {
    SmallVector<Interval> intervals;
    for (const ArenaBuffer &buffer : planned.buffers) {
      uint64_t rows = countRows(buffer.rows, buffer.type, sizes);
      firstInterval.push_back(intervals.size());
      for (RankedTensorType part : getParts(buffer.type))
        intervals.push_back({buffer.first, buffer.last, moe::getBytes(part, rows)});
    }
    for (const PlannedLaunch &launch : planned.launches)
      if (uint64_t bytes = const_cast<PlannedLaunch &>(launch).kernel.getScratchBytes()) {
        scratchInterval[launch.index] = intervals.size();
        intervals.push_back({launch.index, launch.index, bytes});
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
    if (int64_t count = kernel.getNumCounters())
      buffers.push_back(share(~0u, count, 0, [&]() -> Value {
        return plan::CountersOp::create(builder, builder.getUnknownLoc(),
                                        plan::BufferType::get(builder.getContext()), 4 * count);
      }));
    if (uint64_t bytes = kernel.getScratchBytes())
      buffers.push_back(
          getArena(arena.offsets[scratchInterval.lookup(planned.index)], bytes, builder));
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
      buffers.push_back(getArena(offset, bytes, builder));
    }
  }

  Value getArena(uint64_t offset, uint64_t bytes, OpBuilder &builder) {
    return share(Place::Arena, offset, bytes, [&]() -> Value {
      return plan::ArenaOp::create(builder, builder.getUnknownLoc(),
                                   plan::BufferType::get(builder.getContext()), offset, bytes,
                                   StringAttr());
    });
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
  SmallVector<unsigned> firstInterval;          // of each arena buffer
  DenseMap<unsigned, unsigned> scratchInterval; // of launches, by index
  ArenaPlan arena;
  std::map<std::tuple<unsigned, uint64_t, uint64_t>, Value> shared;
};

//===----------------------------------------------------------------------===//
// PlanPrograms
//===----------------------------------------------------------------------===//

struct PlanPrograms : impl::PlanProgramsBase<PlanPrograms> {
  void runOnOperation() override {
    if (failed(run()))
      signalPassFailure();
    weights.clear();
    grids.clear();
  }

  LogicalResult run() {
    ModuleOp module = getOperation();
    target = kern::getTarget(module);
    if (!target)
      return failure();
    SymbolTable symbols(module);
    for (auto function : llvm::make_early_inc_range(module.getOps<func::FuncOp>())) {
      FailureOr<ProgramPlan> planned = ProgramPlan::compute(function, symbols);
      if (failed(planned))
        return failure();
      makeWeights(*planned, symbols);
      auto entry = function->getAttrOfType<StringAttr>(kEntryAttr);
      auto bounds = function->getAttrOfType<kern::BoundsAttr>(kBoundsAttr);
      if (!entry || !bounds)
        return function.emitError() << "@" << function.getSymName() << " has no " << kEntryAttr
                                    << " or no " << kBoundsAttr << "; run split-entries first";
      FailureOr<plan::ProgramOp> program =
          makeProgram(function.getSymName(), entry, *planned, bounds);
      if (failed(program))
        return failure();
      symbols.erase(function); // the program takes its name
      symbols.insert(*program);
    }
    return success();
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

  FailureOr<plan::ProgramOp> makeProgram(StringRef name, StringAttr entry, ProgramPlan &planned,
                                         kern::BoundsAttr bounds) {
    ProgramEmitter emitter(planned, bounds, weights);
    OpBuilder builder = OpBuilder::atBlockEnd(getOperation().getBody());
    auto program = plan::ProgramOp::create(builder, getOperation().getLoc(), name, entry.getValue(),
                                           bounds.getTokens(), bounds.getSequences(),
                                           bounds.getOutputRows(), emitter.getArenaBytes());
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
    return program;
  }

  kern::GridAttr getGrid(kern::KernelOp kernel) {
    kern::GridAttr &grid = grids[kernel];
    if (!grid)
      grid = target->getGrid(kernel);
    return grid;
  }

  const kern::TargetModel *target = nullptr;
  DenseMap<StringAttr, SmallVector<plan::WeightOp, 2>> weights;
  DenseMap<Operation *, kern::GridAttr> grids;
};

} // namespace
} // namespace moec::passes
