#include "codegen/kernels/TeamEmitters.h"

using namespace moec;
using namespace moec::codegen;

const KernelEmitter *moec::codegen::findTeamEmitter(kern::Hero hero) {
  switch (hero) {
  case kern::Hero::Matmul:
  case kern::Hero::GroupedMatmul:
  case kern::Hero::HeadMatmul:
    return &getTeamMatmulEmitter();
  case kern::Hero::Attention:
    return &getTeamAttentionEmitter();
  default:
    return findRowEmitter(hero);
  }
}
