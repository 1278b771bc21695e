// moec inspect: the command and the texts that both of its outputs share.
#include "codegen/tools/moec/Inspect.h"

#include "codegen/tools/moec/Commands.h"
#include "runtime/bundle/Error.h"

#include <algorithm>
#include <iostream>

using namespace moec;
namespace fb = moec::rt::fb;

std::vector<uint64_t> moec::countLaunches(const fb::Manifest &manifest) {
  std::vector<uint64_t> counts(manifest.kernels()->size());
  for (const fb::Entry *entry : *manifest.entries())
    for (const fb::Program *program : *entry->programs())
      for (const fb::Launch *launch : *program->launches())
        ++counts[launch->kernel()];
  return counts;
}

std::string moec::typeText(fb::DType type) {
  std::string text = fb::EnumNameDType(type);
  std::transform(text.begin(), text.end(), text.begin(), [](char c) { return std::tolower(c); });
  return text;
}

std::string moec::argText(const fb::Manifest &manifest, const fb::Arg &arg) {
  static const char *const inputs[] = {"token_ids",   "positions",   "sequence_ids",
                                       "block_table", "output_rows", "sampling"};
  switch (arg.kind()) {
  case fb::ArgKind::Arena:
    return "arena+" + std::to_string(arg.offset());
  case fb::ArgKind::Weight:
    return manifest.weights()->Get(arg.index())->name()->str();
  case fb::ArgKind::Input:
    return inputs[arg.index()];
  case fb::ArgKind::Output:
    return arg.index() == rt::kTokensOutput ? "tokens" : "logits";
  case fb::ArgKind::Cache:
    return "cache " + std::to_string(arg.index());
  case fb::ArgKind::Counters:
    return "counters";
  }
  return "?";
}

std::string moec::gridText(const fb::Grid &grid) {
  static const char *const dims[] = {"1", "tokens", "sequences", "output_rows"};
  std::string text = dims[int(grid.dim())];
  if (grid.multiplier() != 1)
    text += " * " + std::to_string(grid.multiplier());
  if (grid.divisor() != 1)
    text = "ceil(" + text + " / " + std::to_string(grid.divisor()) + ")";
  if (grid.cap() != ~uint64_t(0))
    text = "min(" + std::to_string(grid.cap()) + ", " + text + ")";
  if (grid.factor() != 1)
    text = std::to_string(grid.factor()) + (text == "1" ? "" : " * " + text);
  return text;
}

static int printKernel(const rt::BundleFile &bundle, const std::string &name) {
  for (const fb::Kernel *kernel : *bundle.manifest().kernels())
    if (kernel->symbol()->str() == name) {
      std::cout << textOf(kernel->spec()) << "\n";
      return 0;
    }
  std::cerr << "moec inspect: error: '" << bundle.path() << "' has no kernel '" << name
            << "'; it has:";
  for (const fb::Kernel *kernel : *bundle.manifest().kernels())
    std::cerr << " " << kernel->symbol()->str();
  std::cerr << "\n";
  return 1;
}

static int runInspect(const std::string &path, const InspectOptions &options) {
  try {
    rt::VerifyOptions quick;
    quick.weightChecksums = false; // that is what `moec verify` is for
    rt::BundleFile bundle(path, quick);
    if (!options.kernel.empty())
      return printKernel(bundle, options.kernel);
    (options.json ? inspectAsJson : inspectAsText)(bundle, options);
    return 0;
  } catch (const rt::Error &error) {
    std::cerr << "moec inspect: error: " << error.what() << "\n";
    return 1;
  }
}

void moec::addInspect(CLI::App &app, int &exitCode) {
  auto path = std::make_shared<std::string>();
  auto options = std::make_shared<InspectOptions>();
  CLI::App *command = app.add_subcommand("inspect", "print what a bundle holds");
  command->add_option("bundle", *path, "the folder that compile wrote, or a .moeb file")
      ->required();
  command->add_flag("--weights", options->weights, "list every weight buffer");
  command->add_flag("--plan", options->plan, "list every launch of every program");
  command->add_flag("--json", options->json, "print everything as JSON");
  command->add_option("--kernel", options->kernel, "print what this kernel computes, as MLIR");
  command->callback([=, &exitCode] { exitCode = runInspect(*path, *options); });
}
