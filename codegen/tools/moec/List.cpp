// moec list: the families and the presets, with their sizes, or the fusions.
#include "codegen/tools/moec/Commands.h"

#include "models/Models.h"
#include "passes/Passes.h"

#include "mlir/Pass/PassManager.h"
#include "llvm/ADT/SmallPtrSet.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;
using namespace moec;

namespace {
struct Sizes {
  uint64_t total = 0; // parameters of @forward
  double active = 0;  // of which a token uses so many
};
} // namespace

static uint64_t countElements(mlir::Type type) {
  uint64_t count = 1;
  for (int64_t extent : moe::getShape(type))
    count *= extent;
  return count;
}

/// Counts the weights of @forward. Of the routed experts a token uses top_k of E.
static Sizes measure(mlir::ModuleOp module) {
  Sizes sizes;
  auto forward = module.lookupSymbol<mlir::func::FuncOp>("forward");
  SmallPtrSet<mlir::Attribute, 16> seen;
  forward.walk([&](moe::ParamOp param) {
    if (!seen.insert(param.getWeightAttr()).second)
      return;
    uint64_t count = countElements(param.getType());
    double share = 1;
    for (mlir::OpOperand &use : param->getUses())
      if (auto experts = dyn_cast<moe::ExpertsOp>(use.getOwner()))
        if (use.getOperandNumber() >= 3)
          share = double(moe::getShape(experts.getIds().getType()).back()) /
                  moe::getShape(param.getType()).front();
    sizes.total += count;
    sizes.active += count * share;
  });
  return sizes;
}

static std::string billions(double count) { return formatv("{0:F1} B", count / 1e9); }

static Error listPreset(const models::Preset &preset) {
  auto checkpoint = models::openModel(preset.name);
  if (!checkpoint)
    return checkpoint.takeError();
  mlir::MLIRContext context;
  auto module = models::importModel(&context, **checkpoint);
  if (!module)
    return module.takeError();
  Sizes sizes = measure(**module);
  outs() << formatv("  {0,-20} {1,-14} {2,10} {3,10}\n", preset.name, (*checkpoint)->modelType(),
                    billions(sizes.total), billions(sizes.active));
  return Error::success();
}

static int runList() {
  outs() << "families (a checkpoint's model_type)\n";
  for (const models::ModelFamily &family : models::modelFamilies())
    outs() << "  " << family.modelType << "\n";
  outs() << formatv("\npresets (compile without a checkpoint)\n  {0,-20} {1,-14} {2,10} {3,10}\n",
                    "", "family", "parameters", "active");
  for (const models::Preset &preset : models::presets())
    if (Error error = listPreset(preset)) {
      errs() << "moec list: error: " << toString(std::move(error)) << "\n";
      return 1;
    }
  return 0;
}

/// What `compile --disable` takes, in pipeline order, with the passes' own summaries.
static int listFusions() {
  mlir::MLIRContext context;
  mlir::PassManager manager(&context);
  passes::buildMoecToPlan(manager, passes::PipelineOptions());
  for (mlir::Pass &pass : manager.getPasses())
    if (is_contained(passes::getOptionalPasses(), pass.getArgument()))
      outs() << formatv("{0,-24} {1}\n", pass.getArgument(), pass.getDescription());
  return 0;
}

void moec::addList(CLI::App &app, int &exitCode) {
  CLI::App *command = app.add_subcommand("list", "list model families and presets, or fusions");
  auto fusions = std::make_shared<bool>(false);
  command->add_flag("--fusions", *fusions, "list what compile --disable takes");
  command->callback([=, &exitCode] { exitCode = *fusions ? listFusions() : runList(); });
}
