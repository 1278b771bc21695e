#include "passes/ProgramPlan.h"

#include "passes/Fusion.h"
#include "passes/Passes.h"

using namespace mlir;
using namespace moec;
using namespace moec::passes;

FailureOr<ProgramPlan> ProgramPlan::compute(func::FuncOp function, const SymbolTable &symbols) {
  ProgramPlan plan;
  if (function.isExternal())
    return function.emitError() << "@" << function.getSymName()
                                << " has no body; plan-programs makes programs of entries only";
  auto ret = dyn_cast<func::ReturnOp>(function.getBody().front().getTerminator());
  if (!ret)
    return function.emitError() << "plan-programs needs a function that ends in func.return";
  if (failed(plan.placeArguments(function)) || failed(plan.placeOutputs(ret)))
    return failure();
  for (Operation &op : function.getBody().front().without_terminator())
    if (failed(plan.visit(op, symbols)))
      return failure();
  if (failed(plan.checkCaches(ret)))
    return failure();
  return plan;
}

LogicalResult ProgramPlan::placeArguments(func::FuncOp function) {
  for (BlockArgument argument : function.getArguments()) {
    unsigned number = argument.getArgNumber();
    auto role = function.getArgAttrOfType<StringAttr>(number, kInputAttr);
    StringRef name = role ? role.getValue() : "";
    Place place;
    if (name == "cache" && isa<moe::CacheType>(argument.getType())) {
      place = {Place::Cache, unsigned(caches.size()), {}, 0};
      caches.push_back(argument);
    } else if (name == "logits") { // what another program has left there
      place = {Place::Output, numOutputs++, {}, 0};
    } else if (auto kind = plan::symbolizeInputKind(name)) {
      place = {Place::Input, static_cast<unsigned>(*kind), {}, 0};
    } else {
      return function.emitError() << "argument #" << number << " of @" << function.getSymName()
                                  << " (" << kInputAttr << " = '" << name << "', "
                                  << argument.getType()
                                  << ") is no input that a bundle's entry has";
    }
    places[argument] = place;
  }
  return success();
}

LogicalResult ProgramPlan::placeOutputs(func::ReturnOp ret) {
  for (Value value : ret.getOperands()) {
    if (isa<moe::CacheType>(value.getType()))
      continue;
    if (!value.getDefiningOp<kern::LaunchOp>())
      return ret.emitError() << "output " << numOutputs
                             << " must be the result of a launch, not an input or a view";
    auto [place, added] = places.try_emplace(value, Place{Place::Output, numOutputs, {}, 0});
    if (!added)
      return ret.emitError() << "outputs " << place->second.index << " and " << numOutputs
                             << " are one value; each output needs its own";
    ++numOutputs;
  }
  return success();
}

LogicalResult ProgramPlan::visit(Operation &op, const SymbolTable &symbols) {
  if (auto launch = dyn_cast<kern::LaunchOp>(op))
    return visitLaunch(launch, symbols);
  if (auto slice = dyn_cast<moe::SliceOp>(op))
    return visitSlice(slice);
  if (auto param = dyn_cast<moe::ParamOp>(op)) {
    places[param] = {Place::Weight, 0, param.getWeightAttr().getAttr(), 0};
    return success();
  }
  InFlightDiagnostic error = op.emitError() << "'" << op.getName() << "' cannot be planned; ";
  if (StringRef pass = getResponsiblePass(&op); !pass.empty())
    return error << pass << " should have taken it";
  return error << "a program has launches, params and slices, and no pass makes these of it";
}

LogicalResult ProgramPlan::visitSlice(moe::SliceOp slice) {
  Place place = getPlace(slice.getX());
  if (place.kind != Place::Arena)
    return slice.emitError() << "a view of "
                             << (place.kind == Place::Output ? "an output" : "an input or weight")
                             << " cannot be planned; only values in the arena have views";
  place.offset += slice.getOffset();
  places[slice] = place;
  return success();
}

/// The operand of `launch` that its cache result `result` is the new state of.
static Value getUpdatedCache(kern::LaunchOp launch, kern::KernelOp kernel, unsigned result) {
  Value cache = kernel.getYielded()[result];
  while (auto append = cache.getDefiningOp<moe::CacheAppendOp>())
    cache = append.getCache();
  auto argument = dyn_cast<BlockArgument>(cache);
  return argument ? launch.getArguments()[argument.getArgNumber()] : Value();
}

LogicalResult ProgramPlan::visitLaunch(kern::LaunchOp launch, const SymbolTable &symbols) {
  auto kernel = symbols.lookup<kern::KernelOp>(launch.getKernelAttr().getAttr());
  if (!kernel.getSchedule())
    return kernel.emitError() << "kernel @" << kernel.getSymName()
                              << " has no schedule; run assign-schedules";
  unsigned index = launches.size();
  launches.push_back({launch, kernel, index});
  for (Value argument : launch.getArguments()) {
    const Place &place = getPlace(argument);
    if (place.kind == Place::Arena)
      buffers[place.index].last = index;
    if (place.kind == Place::Cache && caches[place.index] != argument)
      return launch.emitError() << "reads the state of cache " << place.index
                                << " before an append that has already happened in place";
  }
  for (OpResult result : launch.getResults()) {
    if (isa<moe::CacheType>(result.getType())) {
      Value cache = getUpdatedCache(launch, kernel, result.getResultNumber());
      if (!cache)
        return launch.emitError() << "cache result #" << result.getResultNumber()
                                  << " is not made by moe.cache_append from an argument";
      Place place = getPlace(cache);
      places[result] = place;
      caches[place.index] = result;
    } else if (places.try_emplace(result, Place{Place::Arena, unsigned(buffers.size()), {}, 0})
                   .second) {
      Attribute rows = kernel.getRows()[kernel.getNumArguments() + result.getResultNumber()];
      buffers.push_back({result.getType(), rows, index, index});
    }
  }
  return success();
}

LogicalResult ProgramPlan::checkCaches(func::ReturnOp ret) {
  unsigned number = 0;
  for (Value value : ret.getOperands()) {
    if (!isa<moe::CacheType>(value.getType()))
      continue;
    if (number >= caches.size() || caches[number] != value)
      return ret.emitError() << "returned cache " << number
                             << " is not the newest state of cache argument " << number;
    ++number;
  }
  return success();
}
