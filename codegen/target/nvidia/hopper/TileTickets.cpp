#include "codegen/target/nvidia/hopper/TileTickets.h"

#include "codegen/target/nvidia/hopper/GridBarrier.h"

using namespace moec::hopper;

// Who is ahead needs the next tile's index while others have not taken their last.
static constexpr int64_t kBuffers = 2;

TileTickets::TileTickets(KernelFrame &frame, unsigned counters)
    : b(frame.b), counters(frame.getSlot(counters)), ring(frame, kBuffers, 16) {}

void TileTickets::init(int64_t takers) const { ring.init(1, takers); }

// The first tiles are the blocks' own: no number is drawn for these.
Int TileTickets::draw() const { return atomicAdd(counters, Int(b, 1)) + getNumBlocks(b); }

void TileTickets::tell(const Int &turn, const Int &next) const {
  MbarrierRing::Position at{turn & 1, ((turn >> 1) & 1) ^ 1};
  ring.waitEmpty(at);
  store(next.value, ring.getBuffer(at), 4);
  arriveIf(ring.getFull(at), Int(b, 0) == 0);
}

Int TileTickets::take(const Int &turn) const {
  MbarrierRing::Position at{turn & 1, (turn >> 1) & 1};
  ring.waitFull(at);
  Int next(b, load(ring.getBuffer(at), b.getI32Type(), 4));
  ring.release(at);
  return next;
}

// The second counter is of blocks that have ended, as a barrier's.
void TileTickets::finish() const { GridBarrier(counters).finish(); }
