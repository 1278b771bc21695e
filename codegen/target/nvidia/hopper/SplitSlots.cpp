#include "codegen/target/nvidia/hopper/SplitSlots.h"

using namespace moec::hopper;

static int64_t getSumsBytes(int64_t rows) { return rows / 16 * SplitSlots::kWarpBytes; }

int64_t SplitSlots::getBytes(int64_t blocks, int64_t rows) {
  return 2 * blocks * (getSumsBytes(rows) + kRowsBytes);
}

Int SplitSlots::getSlot(const Int &worker, const Bool &begins) const {
  return ((worker << 1) + toInt(begins)) * parts.sizes.parts + parts.part;
}

Global SplitSlots::getSums(const Int &slot) const {
  return parts.frame.getSlot(parts.problem.slots.scratch).at(slot, getSumsBytes(parts.sizes.rows));
}

Global SplitSlots::getRows(const Int &slot) const {
  int64_t slots = 2 * parts.sizes.workers * parts.sizes.parts;
  Global scratch = parts.frame.getSlot(parts.problem.slots.scratch);
  Int first(parts.b, slots * getSumsBytes(parts.sizes.rows));
  return (scratch + first).at(slot, kRowsBytes);
}

Global SplitSlots::getCounter(const ContextPlan::Sharing &sharing) const {
  Int counter = sharing.first * parts.sizes.parts + parts.part;
  return parts.frame.getSlot(parts.problem.slots.counters).at(counter, 4);
}
