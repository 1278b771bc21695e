// Makes one function of each program of the bundle from the imported @forward: an entry and a token
// bucket, so that later passes may treat a step of one token and a chunk of a prompt differently.
#include "passes/Passes.h"

#include "dialects/kern/TargetModel.h"

using namespace mlir;

namespace moec::passes {
#define GEN_PASS_DEF_SPLITENTRIES
#include "passes/Passes.h.inc"

namespace {

/// Most rows of logits of a prefill step, unless it has more sequences.
constexpr int64_t kPrefillOutputRows = 256;

struct SplitEntries : impl::SplitEntriesBase<SplitEntries> {
  using SplitEntriesBase::SplitEntriesBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    SymbolTable symbols(module);
    auto forward = symbols.lookup<func::FuncOp>("forward");
    if (!forward) {
      module.emitError() << "split-entries found no function @forward to split";
      return signalPassFailure();
    }
    if (failed(readOptions()))
      return signalPassFailure();
    if (auto mtp = symbols.lookup<func::FuncOp>("mtp"); mtp && !keepMtp)
      mtp.erase();
    for (int64_t tokens : prefill)
      if (failed(addPrefill(forward, tokens)))
        return signalPassFailure();
    for (int64_t tokens : decode)
      if (failed(addEntry(forward, "decode", tokens, tokens, tokens)))
        return signalPassFailure();
    forward.erase();
  }

  LogicalResult readOptions() {
    ModuleOp module = getOperation();
    context = maxContext;
    if (auto recorded = module->getAttrOfType<IntegerAttr>(kMaxContextAttr); recorded && !context)
      context = recorded.getInt();
    if (context < 1)
      return module.emitError() << "split-entries needs a context length: set the option "
                                   "max-context or the module's "
                                << kMaxContextAttr;
    if (maxSequences < 1)
      return module.emitError() << "max-sequences must be at least 1; got "
                                << int64_t(maxSequences);
    decode.assign(decodeBuckets.begin(), decodeBuckets.end());
    for (int64_t tokens = 1; decodeBuckets.empty() && tokens < 2 * maxSequences; tokens *= 2)
      decode.push_back(std::min<int64_t>(tokens, maxSequences));
    prefill.assign(prefillBuckets.begin(), prefillBuckets.end());
    if (prefillBuckets.empty() && failed(addPrefillBuckets()))
      return failure();
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

  /// 16, 64, 256, ... up to the longest chunk, and that one.
  LogicalResult addPrefillBuckets() {
    int64_t chunk = prefillChunk ? int64_t(prefillChunk) : kPrefillOutputRows;
    if (chunk < 1)
      return getOperation().emitError() << "prefill-chunk must be at least 1; got " << chunk;
    if (!prefillChunk && getOperation()->hasAttr(kern::kTargetAttr)) {
      const kern::TargetModel *target = kern::getTarget(getOperation());
      if (!target)
        return failure();
      chunk = target->getPrefillChunk();
    }
    for (int64_t tokens = 16; tokens < chunk; tokens *= 4)
      prefill.push_back(tokens);
    prefill.push_back(chunk);
    return success();
  }

  /// Every token of a short chunk may have its logits; those of a long one would be gigabytes.
  LogicalResult addPrefill(func::FuncOp forward, int64_t tokens) {
    int64_t sequences = std::min<int64_t>(tokens, maxSequences);
    return addEntry(forward, "prefill", tokens, sequences,
                    std::min(tokens, std::max(sequences, kPrefillOutputRows)));
  }

  LogicalResult addEntry(func::FuncOp forward, StringRef entry, int64_t tokens, int64_t sequences,
                         int64_t outputRows) {
    std::string name = (entry + "_" + Twine(tokens)).str();
    if (Operation *existing = SymbolTable::lookupSymbolIn(getOperation(), name))
      return existing->emitError()
             << "split-entries cannot make @" << name << ": the name is taken";
    OpBuilder builder(forward);
    auto clone = cast<func::FuncOp>(builder.clone(*forward));
    clone.setName(name);
    clone->setAttr(kEntryAttr, builder.getStringAttr(entry));
    clone->setAttr(kEntryOfAttr, forward.getSymNameAttr());
    clone->setAttr(kBoundsAttr,
                   kern::BoundsAttr::get(&getContext(), tokens, sequences, outputRows, context));
    return success();
  }

  int64_t context = 0;
  SmallVector<int64_t> decode, prefill;
};

} // namespace
} // namespace moec::passes
