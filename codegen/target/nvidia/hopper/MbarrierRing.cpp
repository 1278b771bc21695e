#include "codegen/target/nvidia/hopper/MbarrierRing.h"

using namespace moec::hopper;

MbarrierRing::MbarrierRing(KernelFrame &frame, int64_t buffers, int64_t bytes)
    : MbarrierRing(frame, frame.allocate(buffers * bytes, bytes % 1024 ? 128 : 1024), buffers,
                   bytes) {}

MbarrierRing::MbarrierRing(KernelFrame &frame, const Shared &data, int64_t buffers, int64_t bytes)
    : b(&frame.b), buffers(buffers), bytes(bytes), data(data), full(frame.allocate(8 * buffers, 8)),
      empty(frame.allocate(8 * buffers, 8)), last(*b, buffers - 1) {}

void MbarrierRing::init(int64_t fullArrivals, int64_t emptyArrivals) const {
  for (int64_t i = 0; i < buffers; ++i) {
    initBarrier(full + 8 * i, fullArrivals);
    initBarrier(empty + 8 * i, emptyArrivals);
  }
}

MbarrierRing::Position MbarrierRing::advanceIf(const Position &position,
                                               const Bool &condition) const {
  Position next = advance(position);
  return {select(condition, next.buffer, position.buffer),
          select(condition, next.parity, position.parity)};
}

MbarrierRing::Position MbarrierRing::advance(const Position &position) const {
  Bool isLast = position.buffer == last;
  return {select(isLast, Int(*b, 0), position.buffer + 1),
          select(isLast, position.parity ^ 1, position.parity)};
}

void MbarrierRing::waitEmpty(const Position &position) const {
  waitBarrier(getEmpty(position), position.parity);
}

void MbarrierRing::beginFill(const Position &position, int64_t fillBytes) const {
  waitEmpty(position);
  arriveExpecting(getFull(position), Int(*b, fillBytes));
}

void MbarrierRing::waitFull(const Position &position) const {
  waitBarrier(getFull(position), position.parity);
}

void MbarrierRing::release(const Position &position, const Bool &condition) const {
  arriveIf(getEmpty(position), condition);
}
