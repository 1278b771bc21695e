// Rates are the makers' for dense arithmetic; memory at what a large copy reaches, about nine
// tenths of the nominal rate.
#include "codegen/target/nvidia/Chips.h"

#include "codegen/target/nvidia/MmaFragments.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

using namespace moec;
using namespace moec::codegen;

static constexpr Chip kChips[] = {
    {"sm_80", "+ptx80", "A100 80GB", 108, 163, 164, 1800, 312, 312, false, false},
    {"sm_89", "+ptx84", "L40S", 142, 99, 100, 780, 362, 733, true, false},
    {"sm_90a", "+ptx84", "H100 80GB", 132, 227, 228, 3000, 990, 1979, true, true},
    {"sm_100a", "+ptx88", "B200", 148, 227, 228, 7200, 2250, 4500, true, true},
    {"sm_120a", "+ptx88", "RTX PRO 6000", 188, 99, 100, 1600, 500, 1000, true, true},
};

/// A launch of a graph, and the wait for the one before it.
static constexpr double kSecondsPerLaunch = 1.5e-6;
/// What one multiprocessor reaches in row-wise ops.
static constexpr double kRowFlopsPerSecond = 60e9;

llvm::ArrayRef<Chip> moec::codegen::getChips() { return kChips; }

Machine Chip::getMachine() const {
  Machine machine;
  machine.threads = 512;
  machine.subgroup = 32;
  machine.workspaceSpace = 3;
  machine.fragments = &getMmaFragments();
  machine.workspaceBytes = sharedKib << 10;
  machine.vectorBytes = 16;
  machine.vectorRegisters = 64;
  machine.workers = multiprocessors;
  return machine;
}

kern::TargetRates Chip::getRates() const {
  return {.bytesPerSecond = gigabytesPerSecond * 1e9,
          .flopsPerSecond = teraflops * 1e12,
          .secondsPerLaunch = kSecondsPerLaunch,
          .workers = double(multiprocessors),
          .rowFlopsPerSecond = kRowFlopsPerSecond};
}

llvm::Expected<const Chip *> moec::codegen::findChip(llvm::StringRef name) {
  const Chip *chip = llvm::find_if(kChips, [&](const Chip &c) { return c.name == name; });
  std::string given = name.str();
  if (chip == std::end(kChips)) {
    auto names = llvm::map_range(kChips, [](const Chip &c) { return c.name; });
    return llvm::createStringError("target '" + given + "': unknown chip; known are " +
                                   llvm::join(names, ", "));
  }
  if (!chip->refusal.empty())
    return llvm::createStringError("target '" + given + "': " + chip->refusal.str());
  return chip;
}
