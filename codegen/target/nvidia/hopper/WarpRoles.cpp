#include "codegen/target/nvidia/hopper/WarpRoles.h"

using namespace moec::hopper;

// A block alone: 3 warpgroups start with 168 registers a thread, all there are; two have 255 from
// the start. Two blocks of two warpgroups each start with 128.
static unsigned getProducerRegisters(const WarpRoles &roles) {
  return roles.producesMuch ? 56 : 40;
}
static unsigned getConsumerRegisters(const WarpRoles &roles) {
  if (roles.blocks == 1)
    return roles.consumers < 2 ? 0 : roles.producesMuch ? 224 : 232;
  if (roles.blocks == 2 && roles.consumers == 1)
    return roles.producesMuch ? 200 : 216;
  return 0;
}

void WarpRoles::split(Builder &b, llvm::function_ref<void()> produce,
                      llvm::function_ref<void(Int warpgroup)> consume) const {
  Int thread = getThread(b);
  Int warpgroup = broadcast(thread >> 7, 0);
  unsigned registers = getConsumerRegisters(*this);
  ifThen(
      warpgroup == consumers,
      [&] {
        if (registers)
          decreaseRegisters(b, getProducerRegisters(*this));
        if (manyProducers)
          produce();
        else
          ifThen(byWarp ? broadcast(thread >> 5, 0) == consumers * 4 : thread == consumers * 128,
                 produce);
      },
      [&] {
        if (registers)
          increaseRegisters(b, registers);
        consume(warpgroup);
      });
}
