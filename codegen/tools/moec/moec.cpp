// moec: compiles a model for one machine, and tells what a bundle holds.
#include "codegen/tools/moec/Commands.h"

#include <cstdio>
#include <exception>

static int run(int argc, char **argv) {
  CLI::App app("moec compiles Mixture-of-Experts language models ahead of time.", "moec");
  app.require_subcommand(1);
  app.set_version_flag("--version", "moec " MOEC_VERSION);
  int exitCode = 0;
  moec::addCompile(app, exitCode);
  moec::addList(app, exitCode);
  moec::addInspect(app, exitCode);
  moec::addInterpret(app, exitCode);
  moec::addTune(app, exitCode);
  moec::addVerify(app, exitCode);
  CLI11_PARSE(app, argc, argv);
  return exitCode;
}

int main(int argc, char **argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception &error) {
    std::fprintf(stderr, "moec: error: %s\n", error.what());
    return 1;
  }
}
