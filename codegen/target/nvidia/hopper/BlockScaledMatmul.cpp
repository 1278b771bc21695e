#include "codegen/target/nvidia/hopper/BlockScaledMatmul.h"

#include "codegen/target/nvidia/hopper/BlockScaledConsumer.h"
#include "codegen/target/nvidia/hopper/BlockScaledProducer.h"

using namespace moec::hopper;

std::optional<std::string> BlockScaledProblem::refuse() const {
  if (k % 128)
    return "K = " + std::to_string(k) + " is no multiple of 128";
  if (columns % 8)
    return "N = " + std::to_string(columns) + " is no multiple of 8";
  if (groups && groups->count > RowGroups::kMostGroups)
    return "its offsets list " + std::to_string(groups->count) + " groups, more than " +
           std::to_string(RowGroups::kMostGroups);
  return std::nullopt;
}

LaunchShape moec::hopper::getLaunchShape(const MatmulTile &tile) {
  LaunchShape shape;
  shape.threads = WarpRoles{.consumers = tile.consumers}.getThreads();
  shape.cluster = tile.getCluster();
  shape.minBlocks = tile.getResidentBlocks();
  shape.maxBlocks = tile.split > 1 ? 0 : tile.workers; // what a cluster adds up, it adds up once
  return shape;
}

void moec::hopper::emitBlockScaledMatmul(KernelFrame &frame, const BlockScaledProblem &problem,
                                         const MatmulTile &tile, const EpilogueSpec &epilogue) {
  BlockScaledParts parts(frame, problem, tile, epilogue);
  parts.start();
  parts.roles.split(
      frame.b, [&] { emitBlockScaledProducer(parts); },
      [&](Int warpgroup) { emitBlockScaledConsumer(parts, warpgroup); });
}
