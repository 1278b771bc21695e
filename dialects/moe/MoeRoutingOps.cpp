// Verifiers of routing and expert ops.
#include "dialects/moe/MoeDialect.h"

using namespace mlir;
using namespace moec::moe;

LogicalResult GateOp::verify() {
  int64_t experts = getShape(getLogits().getType()).back();
  int64_t topK = getTopK(), groups = getGroups(), topGroups = getTopGroups();
  if (topK < 1 || topK > experts)
    return emitOpError() << "top_k = " << topK << " must be in 1 .. " << experts
                         << ", the experts of its logits";
  if (groups < 1 || experts % groups)
    return emitOpError() << "groups = " << groups << " must divide the " << experts << " experts";
  if (topGroups < 1 || topGroups > groups)
    return emitOpError() << "top_groups = " << topGroups << " must be in 1 .. groups = " << groups;
  if (topGroups * (experts / groups) < topK)
    return emitOpError() << "top_k = " << topK << " exceeds the " << topGroups * (experts / groups)
                         << " experts of the best " << topGroups << " groups";
  if (groups > 1 && getGroupScore() == GroupScore::Top2Sum && experts / groups < 2)
    return emitOpError() << "group_score top2_sum needs at least 2 experts a group; got "
                         << experts / groups;
  if (getBias() &&
      (getShape(getBias().getType()).size() != 1 || getShape(getBias().getType())[0] != experts))
    return emitOpError() << "bias must have one element for each of the " << experts
                         << " experts; got " << getBias().getType();
  int64_t shared = getShared();
  if (shared < 0)
    return emitOpError() << "shared must not be negative; got " << shared;
  for (auto [name, type] : {std::pair<StringRef, Type>("ids", getIds().getType()),
                            std::pair<StringRef, Type>("weights", getWeights().getType())})
    if (getShape(type)[1] != topK + shared) {
      auto error = emitOpError() << name << " must have top_k = " << topK;
      if (shared)
        error << " and shared = " << shared;
      return error << " columns; got " << type;
    }
  return success();
}

LogicalResult ExpertsOp::verify() {
  auto gate = getShape(getGate().getType()), up = getShape(getUp().getType()),
       down = getShape(getDown().getType());
  int64_t hidden = getShape(getX().getType()).back();
  if (gate[2] != hidden)
    return emitOpError() << "gate must be [experts, intermediate, " << hidden << "]; got "
                         << getGate().getType();
  if (up != gate)
    return emitOpError() << "gate " << getGate().getType() << " and up " << getUp().getType()
                         << " must have one shape";
  if (down[0] != gate[0] || down[1] != hidden || down[2] != gate[1])
    return emitOpError() << "down must be [" << gate[0] << ", " << hidden << ", " << gate[1]
                         << "]; got " << getDown().getType();
  if (getShape(getIds().getType()) != getShape(getWeights().getType()))
    return emitOpError() << "ids " << getIds().getType() << " and weights "
                         << getWeights().getType() << " must have one shape";
  if (getX().getType() != getType())
    return emitOpError() << "x " << getX().getType() << " and result " << getType()
                         << " must have one type";
  return success();
}
bool ExpertsOp::isRowwise() { return false; }

LogicalResult PermuteOp::verify() {
  if (getSlots().getType() != getIds().getType())
    return emitOpError() << "ids " << getIds().getType() << " and slots " << getSlots().getType()
                         << " must have one type";
  if (getShape(getOffsets().getType())[0] < 2)
    return emitOpError() << "offsets must have experts + 1 elements, at least 2; got "
                         << getOffsets().getType();
  return success();
}
bool PermuteOp::isRowwise() { return false; }
int64_t PermuteOp::getRowMultiplier(unsigned result) {
  int64_t choices = getShape(getIds().getType())[1];
  return result == 0 ? choices : result == 1 ? 1 : 0; // rows, slots, offsets
}

LogicalResult GroupedLinearOp::verify() {
  auto weight = getShape(getWeight().getType());
  int64_t offsets = getShape(getOffsets().getType())[0];
  if (offsets != weight[0] + 1)
    return emitOpError() << "offsets (" << offsets << ") must be one more than the weight's "
                         << weight[0] << " experts";
  int64_t columns = getShape(getX().getType()).back(), results = getShape(getType()).back();
  if (columns != weight[2])
    return emitOpError() << "x columns (" << columns << ") and weight columns (" << weight[2]
                         << ") must be equal";
  if (results != weight[1])
    return emitOpError() << "weight rows (" << weight[1] << ") and result columns (" << results
                         << ") must be equal";
  if (int64_t(getTopK()) < 1)
    return emitOpError() << "top_k must be positive; got " << getTopK();
  return success();
}
bool GroupedLinearOp::isRowwise() { return false; }
Value GroupedLinearOp::getRowSource(unsigned) { return getRows() ? getRows() : getX(); }

LogicalResult CombineOp::verify() {
  if (getShape(getSlots().getType()) != getShape(getWeights().getType()))
    return emitOpError() << "slots " << getSlots().getType() << " and weights "
                         << getWeights().getType() << " must have one shape";
  int64_t columns = getShape(getY().getType()).back(), results = getShape(getType()).back();
  if (columns != results)
    return emitOpError() << "y columns (" << columns << ") and result columns (" << results
                         << ") must be equal";
  return success();
}
bool CombineOp::isRowwise() { return false; }
Value CombineOp::getRowSource(unsigned) { return getSlots(); }
