// moec compile: the command line, and the refusal of what is not there yet.
#include "codegen/tools/moec/Commands.h"
#include "codegen/tools/moec/Driver.h"
#include "codegen/tools/moec/Stage.h"
#include "frontend/Errors.h"

#include "llvm/Support/raw_ostream.h"

using namespace llvm;
using namespace moec;
using frontend::makeError;

/// Options that are part of the command line's contract and not implemented.
static Error refuseUnsupported(const CompileOptions &options) {
  struct {
    const char *name;
    int64_t value, supported;
  } numbers[] = {{"--tp", options.tensorParallel, 1},
                 {"--ep", options.expertParallel, 1},
                 {"--pp", options.pipelineParallel, 1},
                 {"--rank", options.rank, 0}};
  for (auto &number : numbers)
    if (number.value != number.supported)
      return makeError("{0} {1} is not supported yet; a bundle is for one rank ({0} {2})",
                       number.name, number.value, number.supported);
  if (options.scheme != "keep")
    return makeError("--scheme {0} is not supported yet; weights keep the checkpoint's scheme "
                     "(--scheme keep)",
                     options.scheme);
  if (options.output.empty() == options.emit.empty())
    return makeError("give either -o <folder> for a bundle or --emit <stage> for its text");
  return options.emit.empty() ? Error::success() : checkStage(options.emit);
}

static int runCompile(const CompileOptions &options) {
  Error error = refuseUnsupported(options);
  if (!error)
    error = Driver(options).run();
  if (!error)
    return 0;
  errs() << "moec compile: error: " << toString(std::move(error)) << "\n";
  return 1;
}

static void addUnsupported(CLI::App &command, CompileOptions &options) {
  command.add_option("--tp", options.tensorParallel, "ranks that share each matrix (only 1)");
  command.add_option("--ep", options.expertParallel, "ranks that share the experts (only 1)");
  command.add_option("--pp", options.pipelineParallel, "ranks that share the layers (only 1)");
  command.add_option("--rank", options.rank, "the rank to compile (only 0)");
  command.add_option("--scheme", options.scheme, "how weights are stored (only keep)");
}

void moec::addCompile(CLI::App &app, int &exitCode) {
  auto options = std::make_shared<CompileOptions>();
  CLI::App &command = *app.add_subcommand("compile", "compile a model into a bundle");
  command.add_option("model", options->model, "a checkpoint folder, a config.json or a preset")
      ->required();
  command.add_option("-o,--output", options->output, "the folder that the bundle is written to");
  command
      .add_option("--target", options->target,
                  "cpu (this machine), cpu:<level> or a GPU (moec list)")
      ->capture_default_str();
  command.add_option("--ptxas", options->ptxas,
                     "the assembler for NVIDIA; default: on PATH or in CUDA_HOME");
  command
      .add_option("--weights", options->weights,
                  "copy them, fill them from a seed at load time, or leave them out")
      ->check(CLI::IsMember({"copy", "synthetic", "none"}))
      ->capture_default_str();
  command
      .add_option("--activations", options->activations,
                  "inputs of quantized linears; default: as the checkpoint says")
      ->check(CLI::IsMember({"quantized", "exact"}));
  command
      .add_option("--activation-type", options->activationType,
                  "element type of values between kernels; default: f32 on CPUs, bf16 on GPUs")
      ->check(CLI::IsMember({"f32", "bf16"}));
  command
      .add_option("--kv-cache", options->kvCache,
                  "element type of the key-value cache; fp8: of latents only; default: as "
                  "--activation-type's")
      ->check(CLI::IsMember({"f32", "bf16", "fp8"}));
  command
      .add_option(
          "--sampling", options->sampling,
          "where tokens are chosen when nobody wants the logits; default: on GPUs the device")
      ->check(CLI::IsMember({"host", "device"}));
  command.add_option("--max-batch", options->maxBatch, "sequences that run at once")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  command
      .add_option("--prefill-chunk", options->prefillChunk,
                  "tokens of a prompt that run at once; default: 256 on CPUs, 4096 on GPUs")
      ->check(CLI::Range(1, 1 << 20));
  command
      .add_option("--max-context", options->maxContext,
                  "tokens of a sequence; default: the model's, at most 4096")
      ->check(CLI::Range(int64_t(1), int64_t(1) << 24));
  command
      .add_option("--disable", options->disabled,
                  "fusions to leave out, separated by commas (moec list --fusions)")
      ->delimiter(',')
      ->allow_extra_args(false);
  command.add_option("--schedules", options->schedules,
                     "measured schedules (moec tune); other kernels get the target's choice");
  command
      .add_flag("--remarks{table}", options->remarks,
                "say what was fused, and why not: a table, or --remarks=json")
      ->check(CLI::IsMember({"table", "json"}));
  command.add_option(
      "--emit", options->emit,
      "print a stage instead of writing a bundle: moe, kern, plan, tile, llvm, asm, ptx, "
      "before:<pass> or after:<pass>");
  addUnsupported(command, *options);
  command.callback([=, &exitCode] { exitCode = runCompile(*options); });
}
