#include "codegen/tools/moec/Driver.h"

#include "codegen/tools/moec/Diagnostics.h"
#include "codegen/tools/moec/RemarkTable.h"
#include "codegen/tools/moec/ScheduleFile.h"
#include "codegen/tools/moec/Stage.h"
#include "frontend/Errors.h"
#include "passes/Passes.h"
#include "passes/RowClasses.h"
#include "passes/Schedules.h"

#include "mlir/Pass/PassRegistry.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Config/llvm-config.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;
using namespace moec;
using frontend::makeError;

static bundle::WeightMode weightMode(const CompileOptions &options) {
  return options.weights == "copy"        ? bundle::WeightMode::Copy
         : options.weights == "synthetic" ? bundle::WeightMode::Synthetic
                                          : bundle::WeightMode::None;
}

static mlir::DialectRegistry makeRegistry() {
  mlir::DialectRegistry registry;
  registry.insert<mlir::func::FuncDialect, moe::MoeDialect, kern::KernDialect, plan::PlanDialect>();
  registerTargets(registry);
  return registry;
}

Driver::Driver(const CompileOptions &options) : options(options), context(makeRegistry()) {
  context.loadAllAvailableDialects();
  printDiagnostics(context);
}

Error Driver::openModel() {
  auto opened = models::openModel(options.model);
  if (!opened)
    return opened.takeError();
  checkpoint = std::move(*opened);
  return Error::success();
}

Error Driver::importModel() {
  frontend::ImportOptions how;
  bool isBFloat16 = backend->getModel().getActivationType(&context).isBF16();
  for (const std::string &asked : {options.activationType, options.kvCache})
    if (!asked.empty())
      isBFloat16 = asked == "bf16";
  how.cacheElement = isBFloat16 ? frontend::DType::BF16 : frontend::DType::F32;
  if (!options.activations.empty())
    how.quantizeInputs = options.activations == "quantized";
  auto imported = models::importModel(&context, *checkpoint, how);
  if (!imported)
    return imported.takeError();
  module = std::move(*imported);
  return Error::success();
}

/// Bounds the context by what the model was made for.
Error Driver::setLimits() {
  auto longest = (*module)->getAttrOfType<mlir::IntegerAttr>(passes::kMaxContextAttr);
  if (!longest)
    return makeError("the imported module has no {0}", passes::kMaxContextAttr);
  int64_t context =
      options.maxContext ? options.maxContext : std::min(longest.getInt(), kDefaultContext);
  if (context > longest.getInt())
    return makeError("--max-context {0} exceeds the {1} positions of '{2}'", context,
                     longest.getInt(), checkpoint->configPath());
  (*module)->setAttr(passes::kMaxContextAttr, mlir::IntegerAttr::get(longest.getType(), context));
  (*module)->setAttr(kern::kTargetAttr, mlir::StringAttr::get(&this->context, options.target));
  if (ArrayRef<int64_t> classes = backend->getRowClasses(); !classes.empty())
    (*module)->setAttr(passes::kRowClassesAttr,
                       mlir::DenseI64ArrayAttr::get(&this->context, classes));
  return Error::success();
}

/// Leaves what was measured to assign-schedules.
Error Driver::readSchedules() {
  if (options.schedules.empty())
    return Error::success();
  auto file = readScheduleFile(options.schedules, options.target);
  if (!file)
    return file.takeError();
  (*module)->setAttr(passes::kSchedulesAttr, makeAttribute(*file, &context));
  return Error::success();
}

/// The passes up to what is to be written or printed.
Error Driver::buildPipeline() {
  if (std::optional<std::string> reason = passes::refuseDisabled(options.disabled))
    return makeError("--disable {0}", *reason);
  passes::PipelineOptions how;
  how.maxBatch = options.maxBatch;
  how.prefillChunk = options.prefillChunk;
  how.disable = options.disabled;
  how.activationType = options.activationType;
  if (options.kvCache == "fp8") // imported as f32
    how.kvCache = options.kvCache;
  how.sampling = options.sampling.empty() ? backend->samplesTokens() : options.sampling == "device";
  pipeline = std::make_unique<mlir::PassManager>(&context);
  if (options.emit == "kern")
    passes::buildMoecToKern(*pipeline, how);
  else if (options.emit != "moe")
    passes::buildMoecToPlan(*pipeline, how);
  if (!namesPass(options.emit))
    return Error::success();

  auto text = getPassesUpTo(options.emit, *pipeline);
  if (!text)
    return text.takeError();
  passes::registerMoecPasses();
  pipeline = std::make_unique<mlir::PassManager>(&context);
  if (failed(mlir::parsePassPipeline(*text, *pipeline)))
    return makeError("--emit {0}: the passes '{1}' cannot be run apart", options.emit, *text);
  return Error::success();
}

void Driver::printRemarks() const {
  std::vector<FusionSwitch> fusions;
  for (StringRef name : passes::getOptionalPasses())
    fusions.push_back({name.str(), is_contained(options.disabled, name)});
  if (options.remarks == "table")
    printRemarkTable(remarks, fusions, errs());
  else if (options.remarks == "json")
    printRemarkJson(remarks, fusions, errs());
}

Error Driver::runPasses() {
  if (!options.remarks.empty()) {
    remarks.readLayers(*module);
    if (Error error = remarks.collectFrom(context))
      return error;
  }
  mlir::LogicalResult result = pipeline->run(*module);
  printRemarks();
  if (failed(result))
    return makeError("'{0}' cannot be compiled for {1}", options.model, options.target);
  return Error::success();
}

Error Driver::emitText() {
  if (!is_contained(listBackendStages(), options.emit)) {
    module->print(outs());
    return Error::success();
  }
  auto text = backend->emitText(*module, options.emit);
  if (!text)
    return text.takeError();
  outs() << *text;
  return Error::success();
}

/// The backend, and that it has the stage that is to be printed.
Error Driver::openBackend() {
  auto found = findBackend(options.target, {options.ptxas});
  if (!found)
    return found.takeError();
  backend = std::move(*found);
  ArrayRef<StringLiteral> stages = backend->getStages();
  if (is_contained(listBackendStages(), options.emit) && !is_contained(stages, options.emit))
    return makeError("--emit {0}: kernels for {1} have no such stage; they have: {2}", options.emit,
                     options.target, join(stages, ", "));
  return Error::success();
}

Error Driver::writeBundle() {
  auto code = backend->emitCode(*module);
  if (!code)
    return code.takeError();
  // The import has read this part of the config without a fault.
  frontend::ConfigReader config(checkpoint->config(), checkpoint->configPath());
  std::unique_ptr<frontend::QuantScheme> scheme = frontend::readQuantScheme(config);
  bundle::BundleRequest request;
  request.folder = options.output;
  request.weights = weightMode(options);
  request.maxBatch = options.maxBatch;
  request.compiler = "moec " MOEC_VERSION ", LLVM " LLVM_VERSION_STRING ", ";
  raw_string_ostream text(request.compiler);
  pipeline->printAsTextualPipeline(text);
  auto result = bundle::writeBundle(*module, *code, *checkpoint, *scheme, request);
  if (!result)
    return result.takeError();
  errs() << "wrote " << result->path << ", " << bundle::bytesText(result->bytes) << "\n";
  return Error::success();
}

Error Driver::run() {
  if (Error error = openBackend())
    return error;
  if (Error error = buildPipeline())
    return error;
  if (Error error = openModel())
    return error;
  if (options.emit.empty())
    if (Error error = bundle::checkRequest(*checkpoint, weightMode(options), options.output))
      return error;
  if (Error error = importModel())
    return error;
  if (Error error = setLimits())
    return error;
  if (Error error = readSchedules())
    return error;
  if (Error error = runPasses())
    return error;
  return options.emit.empty() ? writeBundle() : emitText();
}
