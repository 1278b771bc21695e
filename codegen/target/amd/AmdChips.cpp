// Rates are the maker's for dense arithmetic; memory at nine tenths of the nominal rate. None of
// them was measured.
#include "codegen/target/amd/AmdChips.h"

#include "codegen/target/amd/MfmaFragments.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MathExtras.h"

using namespace moec;
using namespace moec::codegen;

static constexpr AmdChip kChips[] = {
    {"gfx942", "MI300X", 304, 64, 4770, 1307, false, false},
    {"gfx950", "MI355X", 256, 160, 7200, 2517, true, true},
};

static constexpr double kSecondsPerLaunch = 3e-6;
/// What one compute unit reaches in row-wise ops.
static constexpr double kRowFlopsPerSecond = 60e9;

llvm::ArrayRef<AmdChip> moec::codegen::getAmdChips() { return kChips; }

Machine AmdChip::getMachine() const {
  Machine machine;
  machine.threads = 512;
  machine.subgroup = kWavefront;
  machine.workspaceSpace = 3;
  machine.fragments = hasDeepMfma ? &getDeepMfmaFragments() : &getMfmaFragments();
  machine.workspaceBytes = sharedKib << 10;
  machine.vectorBytes = 16;
  machine.vectorRegisters = 64;
  machine.workers = computeUnits;
  return machine;
}

kern::TargetRates AmdChip::getRates() const {
  return {.bytesPerSecond = gigabytesPerSecond * 1e9,
          .flopsPerSecond = teraflops * 1e12,
          .secondsPerLaunch = kSecondsPerLaunch,
          .workers = double(computeUnits),
          .rowFlopsPerSecond = kRowFlopsPerSecond};
}

unsigned AmdChip::countGroups(unsigned threads, unsigned registers, uint64_t sharedBytes) const {
  // A compute unit has four SIMDs, each with 512 registers a lane that up to 8 wavefronts share.
  constexpr unsigned kSimds = 4, kWaves = 8, kRegisters = 512, kGranule = 8;
  unsigned allocated = llvm::alignTo(std::max(registers, 1u), kGranule);
  unsigned waves = kSimds * std::min(kWaves, kRegisters / allocated);
  unsigned groups = waves / llvm::divideCeil(threads, unsigned(kWavefront));
  if (sharedBytes)
    groups = std::min<uint64_t>(groups, (uint64_t(sharedKib) << 10) / sharedBytes);
  return groups;
}

llvm::Expected<const AmdChip *> moec::codegen::findAmdChip(llvm::StringRef name) {
  const AmdChip *chip = llvm::find_if(kChips, [&](const AmdChip &c) { return c.name == name; });
  if (chip != std::end(kChips))
    return chip;
  auto names = llvm::map_range(kChips, [](const AmdChip &c) { return c.name; });
  return llvm::createStringError("target '" + name.str() + "': unknown chip; known are " +
                                 llvm::join(names, ", "));
}
