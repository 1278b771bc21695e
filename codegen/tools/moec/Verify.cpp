// moec verify: reads a bundle whole and checks every checksum, index and bound.
#include "codegen/tools/moec/Commands.h"

#include "runtime/bundle/BundleFile.h"
#include "runtime/bundle/Error.h"

#include <iostream>

using namespace moec;

static int runVerify(const std::string &path) {
  try {
    rt::BundleFile bundle(path);
    std::cout << bundle.path() << ": " << bundle.fileBytes() << " bytes, "
              << bundle.manifest().segments()->size() << " segments, all checksums match\n";
    return 0;
  } catch (const rt::Error &error) {
    std::cerr << "moec verify: error: " << error.what() << "\n";
    return 1;
  }
}

void moec::addVerify(CLI::App &app, int &exitCode) {
  auto path = std::make_shared<std::string>();
  CLI::App *command = app.add_subcommand("verify", "check all of a bundle's checksums and indices");
  command->add_option("bundle", *path, "the folder that compile wrote, or a .moeb file")
      ->required();
  command->callback([=, &exitCode] { exitCode = runVerify(*path); });
}
