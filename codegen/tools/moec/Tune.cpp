// moec tune: the command line.
#include "codegen/tools/moec/Commands.h"
#include "codegen/tools/moec/Tuner.h"
#include "frontend/Errors.h"

#include "llvm/Support/raw_ostream.h"

using namespace llvm;
using namespace moec;
using frontend::makeError;

static Error checkOptions(const TuneOptions &options) {
  if (options.pack.empty() == options.output.empty())
    return makeError("give either -o <file> for the schedules or --pack <folder> for packages that "
                     "moec-kernel-test measures elsewhere");
  if (!options.pack.empty() && !options.measured.empty())
    return makeError("--measured reads what was measured and needs -o <file>");
  return Error::success();
}

static int runTune(const TuneOptions &options) {
  Error error = checkOptions(options);
  if (!error) {
    auto tuner = Tuner::create(options);
    error = tuner ? (*tuner)->run() : tuner.takeError();
  }
  if (!error)
    return 0;
  errs() << "moec tune: error: " << toString(std::move(error)) << "\n";
  return 1;
}

void moec::addTune(CLI::App &app, int &exitCode) {
  auto options = std::make_shared<TuneOptions>();
  CLI::App &command = *app.add_subcommand(
      "tune", "measure the schedules of a bundle's kernels on this machine's GPU");
  command.add_option("bundle", options->bundle, "a bundle, with or without weights")->required();
  command.add_option("-o,--output", options->output,
                     "the file for moec compile --schedules; written after each kernel");
  command.add_option("--filter", options->filter, "only kernels whose names contain this");
  command.add_option("--pack", options->pack,
                     "measure nothing: write a package a kernel into this folder, for a machine "
                     "with the GPU and no compiler");
  command.add_option("--measured", options->measured,
                     "measure nothing: take <kernel>.json, which moec-kernel-test <kernel>.moeb "
                     "--json printed, from this folder");
  command.add_option("--kernel-test", options->kernelTest,
                     "the program that measures; default: moec-kernel-test beside moec or on PATH");
  command.add_option("--ptxas", options->ptxas,
                     "the assembler for NVIDIA; default: on PATH or in CUDA_HOME");
  command.callback([=, &exitCode] { exitCode = runTune(*options); });
}
