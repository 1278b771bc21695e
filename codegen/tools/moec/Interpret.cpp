// moec interpret: runs a checkpoint by the reference interpreter, in double
// precision and slowly: what a bundle's logits are compared with.
#include "codegen/tools/moec/Commands.h"
#include "codegen/tools/moec/Diagnostics.h"

#include "codegen/interpret/CheckpointWeights.h"
#include "codegen/interpret/Sequence.h"
#include "frontend/Errors.h"
#include "models/Models.h"
#include "passes/Passes.h"

#include "mlir/Pass/PassManager.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;
using namespace moec;
using frontend::makeError;

namespace {
struct InterpretOptions {
  std::string model, activations, kvCache = "f32", logits;
  std::vector<int32_t> tokens;
};
} // namespace

/// The imported model, with quantized inputs where its contract asks for them.
static Expected<mlir::OwningOpRef<mlir::ModuleOp>>
importForInterpreter(mlir::MLIRContext &context, const frontend::Checkpoint &checkpoint,
                     const InterpretOptions &options) {
  frontend::ImportOptions how;
  how.cacheElement = options.kvCache == "bf16" ? frontend::DType::BF16 : frontend::DType::F32;
  if (!options.activations.empty())
    how.quantizeInputs = options.activations == "quantized";
  auto module = models::importModel(&context, checkpoint, how);
  if (!module)
    return module;
  mlir::PassManager manager(&context);
  if (options.kvCache == "fp8")
    manager.addPass(passes::createSetCacheType({options.kvCache}));
  manager.addPass(passes::createExpandExperts());
  manager.addPass(passes::createQuantizeActivations());
  if (failed(manager.run(**module)))
    return makeError("'{0}' cannot be prepared for the interpreter", options.model);
  return module;
}

static Error writeLogits(StringRef path, const reference::Tensor &logits) {
  auto writer = frontend::SafeTensorsWriter::create(
      path, {{"logits", frontend::DType::F32, {logits.rows(), logits.columns()}}});
  if (!writer)
    return writer.takeError();
  std::vector<float> values(logits.data.begin(), logits.data.end());
  ArrayRef<uint8_t> bytes(reinterpret_cast<const uint8_t *>(values.data()),
                          values.size() * sizeof(float));
  if (Error error = (*writer)->append(bytes))
    return error;
  return (*writer)->finish();
}

static Error runInterpret(const InterpretOptions &options) {
  auto checkpoint = models::openModel(options.model);
  if (!checkpoint)
    return checkpoint.takeError();
  mlir::MLIRContext context;
  context.loadDialect<kern::KernDialect>();
  printDiagnostics(context);
  auto module = importForInterpreter(context, **checkpoint, options);
  if (!module)
    return module.takeError();
  auto provider = interpret::CheckpointWeights::create(**checkpoint);
  if (!provider)
    return provider.takeError();
  reference::WeightStore weights(**provider);
  auto sequence = interpret::Sequence::create(**module, weights, "forward", options.tokens.size());
  if (!sequence)
    return sequence.takeError();
  auto logits = sequence->step(options.tokens);
  if (!logits)
    return logits.takeError();
  const double *last = logits->row(logits->rows() - 1);
  outs() << std::max_element(last, last + logits->columns()) - last << "\n";
  return options.logits.empty() ? Error::success() : writeLogits(options.logits, *logits);
}

void moec::addInterpret(CLI::App &app, int &exitCode) {
  auto options = std::make_shared<InterpretOptions>();
  CLI::App *command = app.add_subcommand(
      "interpret", "run a checkpoint by the reference interpreter; prints the next token's id");
  command->add_option("model", options->model, "a checkpoint folder")->required();
  command->add_option("--tokens", options->tokens, "token ids separated by commas")
      ->delimiter(',')
      ->required();
  command->add_option("--activations", options->activations, "default: as the checkpoint says")
      ->check(CLI::IsMember({"quantized", "exact"}));
  command->add_option("--kv-cache", options->kvCache, "element type of the key-value cache")
      ->check(CLI::IsMember({"f32", "bf16", "fp8"}))
      ->capture_default_str();
  command->add_option("--logits-out", options->logits,
                      "write float32 logits [positions, vocab] to this safetensors file");
  command->callback([=, &exitCode] {
    Error error = runInterpret(*options);
    exitCode = error ? 1 : 0;
    if (error)
      errs() << "moec interpret: error: " << toString(std::move(error)) << "\n";
  });
}
