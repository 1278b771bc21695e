// moec list: the targets, the families and the presets, with their sizes, or the fusions.
#include "codegen/tools/moec/Backend.h"
#include "codegen/tools/moec/Commands.h"

#include "models/Models.h"
#include "passes/Passes.h"

#include "mlir/Pass/PassManager.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;
using namespace moec;

static std::string billions(double count) { return formatv("{0:F1} B", count / 1e9); }

static Error listPreset(const models::Preset &preset) {
  auto checkpoint = models::openModel(preset.name);
  if (!checkpoint)
    return checkpoint.takeError();
  auto decoder = models::describeModel(**checkpoint);
  if (!decoder)
    return decoder.takeError();
  frontend::ParameterCounts counts = countParameters(*decoder);
  outs() << formatv("  {0,-21} {1,-12} {2,10} {3,10}\n", preset.name, (*checkpoint)->modelType(),
                    billions(counts.total), billions(counts.active));
  return Error::success();
}

static int runList() {
  outs() << "targets\n";
  for (auto &[name, text] : listTargets())
    outs() << formatv("  {0,-20} {1}\n", name, text);
  outs() << "\n";
  outs() << "families (a checkpoint's model_type)\n";
  for (const models::ModelFamily &family : models::modelFamilies())
    outs() << "  " << family.modelType << "\n";
  outs() << formatv("\npresets (compile without a checkpoint)\n  {0,-21} {1,-12} {2,10} {3,10}\n",
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
  CLI::App *command =
      app.add_subcommand("list", "list targets, model families and presets, or fusions");
  auto fusions = std::make_shared<bool>(false);
  command->add_flag("--fusions", *fusions, "list what compile --disable takes");
  command->callback([=, &exitCode] { exitCode = *fusions ? listFusions() : runList(); });
}
