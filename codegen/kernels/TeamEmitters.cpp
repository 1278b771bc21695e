#include "codegen/kernels/TeamEmitters.h"

using namespace moec;
using namespace moec::codegen;

const KernelEmitter *moec::codegen::findTeamEmitter(kern::Hero hero) {
  switch (hero) {
  case kern::Hero::Pointwise:
  case kern::Hero::Rows:
    return &getRowsEmitter();
  case kern::Hero::Routing:
    return &getRoutingEmitter();
  case kern::Hero::Permutation:
    return &getPermutationEmitter();
  case kern::Hero::Matmul:
  case kern::Hero::GroupedMatmul:
  case kern::Hero::HeadMatmul:
    return &getTeamMatmulEmitter();
  case kern::Hero::Attention:
    return &getTeamAttentionEmitter();
  default:
    return nullptr;
  }
}
