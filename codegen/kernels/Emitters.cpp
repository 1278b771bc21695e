// The list of kernel families.
#include "codegen/kernels/Emitter.h"

using namespace mlir;
using namespace moec;
using namespace moec::codegen;

KernelEmitter::~KernelEmitter() = default;

std::optional<std::string> KernelEmitter::refuseRowEpilogue(Operation *, uint64_t) const {
  return "the host's kernels of this kind end with their tiles";
}

const KernelEmitter *moec::codegen::findRowEmitter(kern::Hero hero) {
  switch (hero) {
  case kern::Hero::Pointwise:
  case kern::Hero::Rows:
    return &getRowsEmitter();
  case kern::Hero::Routing:
    return &getRoutingEmitter();
  case kern::Hero::Permutation:
    return &getPermutationEmitter();
  default:
    return nullptr;
  }
}

const KernelEmitter *moec::codegen::findHostEmitter(kern::Hero hero) {
  switch (hero) {
  case kern::Hero::Matmul:
    return &getMatmulEmitter();
  case kern::Hero::GroupedMatmul:
    return &getGroupedMatmulEmitter();
  case kern::Hero::HeadMatmul:
    return &getHeadMatmulEmitter();
  case kern::Hero::Attention:
    return &getAttentionEmitter();
  default:
    return findRowEmitter(hero);
  }
}

kern::ScheduleAttr moec::codegen::makeSchedule(MLIRContext *context,
                                               ArrayRef<std::pair<StringRef, int64_t>> sizes) {
  Builder builder(context);
  SmallVector<NamedAttribute> named;
  for (auto [name, size] : sizes)
    named.push_back(builder.getNamedAttr(name, builder.getI64IntegerAttr(size)));
  return kern::ScheduleAttr::get(context, builder.getDictionaryAttr(named));
}
