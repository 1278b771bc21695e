#include "codegen/target/nvidia/hopper/WarpRoles.h"

using namespace moec::hopper;

// 3 warpgroups start with 168 registers a thread, all there are; two have 255 from the start.
static constexpr int64_t kTight = 2;
static constexpr unsigned kProducerRegisters = 40, kConsumerRegisters = 232;

void WarpRoles::split(Builder &b, llvm::function_ref<void()> produce,
                      llvm::function_ref<void(Int warpgroup)> consume) const {
  Int thread = getThread(b);
  Int warpgroup = broadcast(thread >> 7, 0);
  ifThen(
      warpgroup == consumers,
      [&] {
        if (consumers >= kTight)
          decreaseRegisters(b, kProducerRegisters);
        if (manyProducers)
          produce();
        else
          ifThen(thread == consumers * 128, produce);
      },
      [&] {
        if (consumers >= kTight)
          increaseRegisters(b, kConsumerRegisters);
        consume(warpgroup);
      });
}
