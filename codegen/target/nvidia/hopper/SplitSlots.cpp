#include "codegen/target/nvidia/hopper/SplitSlots.h"

using namespace moec::hopper;

int64_t SplitSlots::getWarpUnits(const LatentProblem &problem) {
  return problem.floatResult ? kWarpGroups : kWarpGroups / 2;
}

static int64_t getSumsBytes(const LatentProblem &problem, int64_t rows) {
  return rows / 16 * SplitSlots::getWarpUnits(problem) * SplitSlots::kUnitBytes;
}

int64_t SplitSlots::getBytes(const LatentProblem &problem, int64_t blocks, int64_t rows) {
  return 2 * blocks * (::getSumsBytes(problem, rows) + kRowsBytes);
}

int64_t SplitSlots::getSumsBytes() const { return ::getSumsBytes(parts.problem, parts.sizes.rows); }

mlir::VectorType SplitSlots::getLine() const {
  mlir::Type element = parts.b.getI32Type();
  if (parts.problem.floatResult)
    element = parts.b.getF32Type();
  return mlir::VectorType::get(4, element);
}

Value SplitSlots::pack(mlir::ValueRange sums) const {
  if (parts.problem.floatResult)
    return makeVector(parts.b, sums);
  Values packed;
  for (size_t i = 0; i < sums.size(); i += 2)
    packed.push_back((hasMeans() ? packFloat16 : packBFloat16)(parts.b, sums[i], sums[i + 1]));
  return makeVector(parts.b, packed);
}

Values SplitSlots::unpack(Value line) const {
  Values elements = getElements(parts.b, line);
  if (parts.problem.floatResult)
    return elements;
  Values sums;
  for (Value pair : elements)
    for (unsigned half : {0, 1})
      sums.push_back((hasMeans() ? unpackFloat16 : unpackBFloat16)(parts.b, pair, half));
  return sums;
}

Int SplitSlots::getSlot(const Int &worker, const Bool &begins) const {
  return ((worker << 1) + toInt(begins)) * parts.sizes.parts + parts.part;
}

Global SplitSlots::getSums(const Int &slot) const {
  return parts.frame.getSlot(parts.problem.slots.scratch).at(slot, getSumsBytes());
}

Global SplitSlots::getRows(const Int &slot) const {
  int64_t slots = 2 * parts.sizes.workers * parts.sizes.parts;
  Global scratch = parts.frame.getSlot(parts.problem.slots.scratch);
  Int first(parts.b, slots * getSumsBytes());
  return (scratch + first).at(slot, kRowsBytes);
}

Global SplitSlots::getCounter(const ContextPlan::Sharing &sharing) const {
  Int counter = sharing.first * parts.sizes.parts + parts.part;
  return parts.frame.getSlot(parts.problem.slots.counters).at(counter, 4);
}
