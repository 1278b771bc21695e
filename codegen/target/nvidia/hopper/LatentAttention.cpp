#include "codegen/target/nvidia/hopper/LatentAttention.h"

#include "codegen/target/nvidia/hopper/LatentConsumer.h"
#include "codegen/target/nvidia/hopper/LatentProducer.h"
#include "codegen/target/nvidia/hopper/LatentWidener.h"
#include "codegen/target/nvidia/hopper/SharedTile.h"

#include "llvm/Support/FormatVariadic.h"

using namespace moec::hopper;

static constexpr int64_t kBlockRows = 64;
static constexpr int64_t kConsumers = 2;

namespace {
/// Warpgroups behind those that compute: of quantized rows one that widens, then the producer's.
/// Registers of a thread: all that there are, 3 * 168 or 4 * 128.
struct Roles {
  int64_t producer; // warpgroup
  unsigned consumerRegisters, widenerRegisters, producerRegisters;

  static Roles get(const LatentProblem &problem) {
    return problem.quantizedCache ? Roles{kConsumers + 1, 208, 40, 56}
                                  : Roles{kConsumers, 224, 0, 56};
  }
  int64_t getThreads() const { return 128 * (producer + 1); }
};
} // namespace

std::optional<std::string> LatentProblem::refuse() const {
  if (heads <= 0 || heads % 16 || (heads < 64 ? 64 % heads : heads % 64) || heads > 128)
    return llvm::formatv("{0} heads: they must be 16, 32, 64 or 128", heads).str();
  if (page <= 0 || page % kBlockRows)
    return llvm::formatv("pages of {0} rows are no multiples of {1}", page, kBlockRows).str();
  if (latentStride % 16 || queryStride % 16 || (2 * queryColumns) % 16)
    return "its queries do not begin on 16 bytes";
  return std::nullopt;
}

/// The most pieces that a tile may have, so that one share of each fits where they are added; 0
/// when any number up to the workers does. A worker takes 1 / pieces of the `units` of all pieces.
static int64_t getMostPieces(int64_t units, int64_t workers) {
  int64_t room = LatentMemory::kFreeBytes / SplitSlots::kUnitBytes;
  for (int64_t pieces = 1; pieces <= workers; ++pieces)
    if (pieces * ((units + pieces - 1) / pieces + 1) > room)
      return pieces - 2; // a flat range may begin within a tile: one more piece
  return 0;
}

LatentSizes::LatentSizes(const LatentProblem &problem, const LatentTile &tile)
    : parts(std::max<int64_t>(problem.heads * tile.tokens / kBlockRows, 1)),
      blockTokens(problem.heads < kBlockRows ? tile.tokens : 1),
      blockHeads(std::min(problem.heads, kBlockRows)), rows(blockHeads * blockTokens),
      workers(tile.workers / parts) {
  limits.workers = workers;
  // Full blocks of query rows leave much to be added: longer ranges pay.
  limits.leastBlocks = rows == kBlockRows ? 2 : 1;
  limits.mostPieces = getMostPieces(rows / 16 * SplitSlots::getWarpUnits(problem), workers);
  scratchBytes = SplitSlots::getBytes(problem, workers * parts, rows);
}

std::vector<LatentTile> moec::hopper::getLatentTiles(const LatentProblem &problem, int64_t tokens,
                                                     int64_t workers) {
  constexpr int64_t kMostTokens = 4, kMostRows = 256;
  int64_t most = std::min(kMostTokens, problem.heads < kBlockRows ? kBlockRows / problem.heads
                                                                  : kMostRows / problem.heads);
  std::vector<LatentTile> tiles;
  for (int64_t size = 1; size <= most; size *= 2)
    tiles.push_back({size, workers});
  // As many tokens as there are, then fewer; longer ones idle.
  int64_t wanted = 1;
  while (2 * wanted <= std::min(tokens, most))
    wanted *= 2;
  auto best = llvm::find_if(tiles, [&](const LatentTile &tile) { return tile.tokens == wanted; });
  std::rotate(tiles.begin(), best, best + 1);
  return tiles;
}

LaunchShape moec::hopper::getLaunchShape(const LatentProblem &problem, const LatentTile &tile) {
  LaunchShape shape;
  shape.threads = Roles::get(problem).getThreads();
  LatentSizes sizes(problem, tile);
  shape.maxBlocks = sizes.workers * sizes.parts;
  shape.earlyLaunch = true;
  shape.coResident = true;
  return shape;
}

void moec::hopper::emitLatentAttention(KernelFrame &frame, const LatentProblem &problem,
                                       const LatentTile &tile) {
  Builder &b = frame.b;
  LatentParts parts(frame, problem, tile);
  Roles roles = Roles::get(problem);
  Int thread = getThread(b), warpgroup = thread >> 7;
  ifThen(thread == 0, [&] {
    parts.memory.initBarriers();
    fenceBarrierInit(b);
    for (Value map : {parts.latentMap, parts.ropeMap, parts.cacheMap, parts.keyMap})
      if (map)
        prefetchMap(b, map);
  });
  // The plan needs inputs of the step only, so it may be made while the launch before goes on.
  parts.plan.emplace(parts.tiles, parts.worker, parts.sizes.limits);
  syncBlock(b);
  launchDependents(b);
  auto produce = [&] {
    Int oldRows = parts.plan->countOldRows();
    decreaseRegisters(b, roles.producerRegisters);
    ifThen(thread == 128 * roles.producer, [&] { emitLatentProducer(parts, oldRows); });
  };
  auto widen = [&] {
    decreaseRegisters(b, roles.widenerRegisters);
    emitLatentWidener(parts);
  };
  auto consume = [&] {
    increaseRegisters(b, roles.consumerRegisters);
    waitDependencies(b);
    ifThen(
        warpgroup == 0, [&] { LatentConsumer(parts, 0).emit(); },
        [&] { LatentConsumer(parts, 1).emit(); });
    addUpSharedTiles(parts);
  };
  ifThen(warpgroup == roles.producer, produce, [&] {
    if (problem.quantizedCache)
      ifThen(warpgroup == kConsumers, widen, consume);
    else
      consume();
  });
}
