// Registration of the moe dialect.
#include "dialects/moe/MoeSamplingOps.h"

using namespace moec::moe;

#include "dialects/moe/MoeDialect.cpp.inc"
#include "dialects/moe/MoeInterfaces.cpp.inc"

void MoeDialect::initialize() {
  registerAttributesAndTypes();
  addOperations<
#define GET_OP_LIST
#include "dialects/moe/MoeOps.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/moe/MoeSamplingOps.cpp.inc"
      >();
}
