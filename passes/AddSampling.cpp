// Adds the entry that chooses tokens: for each decode step a function that reads the step's logits
// where they lie. It is a program of its own, so that a caller who wants logits pays nothing.
#include "passes/Passes.h"

#include "dialects/moe/MoeSamplingOps.h"

using namespace mlir;

namespace moec::passes {
#define GEN_PASS_DEF_ADDSAMPLING
#include "passes/Passes.h.inc"

namespace {

struct AddSampling : impl::AddSamplingBase<AddSampling> {
  void runOnOperation() override {
    SmallVector<func::FuncOp> steps;
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (auto entry = function->getAttrOfType<StringAttr>(kEntryAttr);
          entry && entry.getValue() == "decode")
        steps.push_back(function);
    if (steps.empty()) {
      getOperation().emitError() << "add-sampling found no function of entry 'decode'; run "
                                    "split-entries first";
      return signalPassFailure();
    }
    for (func::FuncOp step : steps)
      if (failed(addEntry(step)))
        return signalPassFailure();
  }

  LogicalResult addEntry(func::FuncOp step) {
    auto bounds = step->getAttrOfType<kern::BoundsAttr>(kBoundsAttr);
    RankedTensorType logits;
    if (step.getNumResults())
      logits = dyn_cast<RankedTensorType>(step.getResultTypes()[0]);
    if (!bounds || !logits || logits.getRank() != 2 || !logits.getElementType().isF32() ||
        logits.isDynamicDim(1))
      return step.emitError() << "add-sampling needs " << kBoundsAttr
                              << " and f32 logits as the first result of @" << step.getSymName();
    int64_t rows = bounds.getOutputRows();
    std::string name = "sample_" + std::to_string(rows);
    if (Operation *existing = SymbolTable::lookupSymbolIn(getOperation(), name))
      return existing->emitError() << "add-sampling cannot make @" << name << ": the name is taken";

    OpBuilder builder = OpBuilder::atBlockEnd(getOperation().getBody());
    Location loc = NameLoc::get(builder.getStringAttr("sample"));
    Type ints = builder.getI32Type();
    auto sampling = RankedTensorType::get({ShapedType::kDynamic, 4}, ints);
    auto ids = RankedTensorType::get({ShapedType::kDynamic}, ints);
    auto entry = func::FuncOp::create(builder, loc, name,
                                      builder.getFunctionType({logits, sampling}, {ids}));
    entry.setArgAttr(0, kInputAttr, builder.getStringAttr("logits"));
    entry.setArgAttr(1, kInputAttr, builder.getStringAttr("sampling"));
    entry->setAttr(kEntryAttr, builder.getStringAttr("sample"));
    entry->setAttr(kBoundsAttr, kern::BoundsAttr::get(&getContext(), rows, rows, rows,
                                                      bounds.getContextLength()));
    builder.setInsertionPointToStart(entry.addEntryBlock());
    func::ReturnOp::create(builder, loc, buildChoice(builder, loc, entry, ids));
    return success();
  }

  Value buildChoice(OpBuilder &b, Location loc, func::FuncOp entry, Type ids) {
    Value logits = entry.getArgument(0), sampling = entry.getArgument(1);
    IntegerAttr chunk = b.getI64IntegerAttr(moe::kSampleChunk);
    int64_t columns = moe::getShape(logits.getType())[1];
    int64_t chunks = llvm::divideCeil(columns, moe::kSampleChunk);
    auto rowsOf = [](int64_t size, Type element) {
      return RankedTensorType::get({ShapedType::kDynamic, size}, element);
    };
    Value maxima =
        moe::ChunkMaximaOp::create(b, loc, rowsOf(chunks, b.getF32Type()), logits, chunk);
    Value masses = moe::ChunkMassesOp::create(b, loc, rowsOf(2 * chunks, b.getI32Type()), logits,
                                              maxima, sampling, chunk);
    return moe::SampleOp::create(b, loc, ids, logits, maxima, masses, sampling, chunk);
  }
};

} // namespace
} // namespace moec::passes
