#include "codegen/target/nvidia/hopper/FamilyLaunch.h"

using namespace mlir;
using namespace moec;
using namespace moec::codegen;

LaunchShape moec::codegen::getLaunchShape(const hopper::KernelFrame &frame) {
  Builder b(frame.b.getContext());
  LaunchShape launch;
  const hopper::LaunchShape &shape = frame.getShape();
  launch.threads = shape.threads;
  launch.sharedBytes = frame.getSharedBytes();
  launch.cluster = shape.cluster;
  launch.maxBlocks = shape.maxBlocks;
  launch.earlyLaunch = shape.earlyLaunch;
  launch.coResident = shape.coResident;
  for (const hopper::TensorMap &map : frame.getTensorMaps()) {
    TensorMap &to = launch.tensorMaps.emplace_back();
    to.slot = map.slot;
    to.offset = map.offset;
    to.element = map.getElementBytes() == 1   ? Type(b.getI8Type())
                 : map.getElementBytes() == 2 ? Type(b.getBF16Type())
                                              : Type(b.getF32Type());
    for (const hopper::Extent &size : map.sizes)
      to.sizes.push_back({static_cast<kern::Dim>(size.dim), size.multiplier, size.addend});
    to.strides.assign(map.strides.begin(), map.strides.end());
    to.box.assign(map.box.begin(), map.box.end());
    to.swizzle = map.swizzle;
    to.l2Promotion = map.l2Promotion;
  }
  return launch;
}
