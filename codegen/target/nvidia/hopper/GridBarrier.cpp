#include "codegen/target/nvidia/hopper/GridBarrier.h"

using namespace moec::hopper;

void GridBarrier::wait(const Int &turn) const {
  countReleased(counters);
  waitCounter(counters, (turn + 1) * getNumBlocks(*b));
  fenceAllCopies(*b);
}

void GridBarrier::finish() const {
  Global done = counters + 4;
  Int before = atomicAdd(done, Int(*b, 1));
  ifThen(before == getNumBlocks(*b) - 1, [&] {
    store(Int(*b, 0).value, counters, 4);
    store(Int(*b, 0).value, done, 4);
  });
}
