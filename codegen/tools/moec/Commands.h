// The subcommands of `moec`: each adds itself to the command line and, when it
// is the one given, runs and leaves the program's exit code.
#pragma once

#include <CLI/CLI.hpp>

namespace moec {

void addCompile(CLI::App &app, int &exitCode);
void addInterpret(CLI::App &app, int &exitCode);
void addList(CLI::App &app, int &exitCode);
void addInspect(CLI::App &app, int &exitCode);
void addTune(CLI::App &app, int &exitCode);
void addVerify(CLI::App &app, int &exitCode);

} // namespace moec
