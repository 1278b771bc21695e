// Prints one of Hopper's building blocks, or a kernel made of them, as a module of the LLVM and
// NVVM dialects:
//
//   emit-hopper ring | wgmma | wgmma_bf16 | values | bulk | cluster | roles | staged | quad |
//   launch emit-hopper matmul n=2112 k=7168 rows=128 columns=192 ... emit-hopper streaming n=2112
//   k=7168 rows=16 k_warps=28 ...
//
//   emit-hopper latent heads=128 tokens=2 ...
//   emit-hopper dense n=3584 k=3584 rows=128 columns=256 ...
//   emit-hopper dense_ring n=3584 k=3584 tokens=8 rows=64 split=2 ...
//   emit-hopper head heads=128 x=192 w=256 w_size=128 w_columns=512 transposed=1 fp8=1 ...
//
// What a launch needs is printed first, as comments.
#include "codegen/target/nvidia/hopper/BlockScaledMatmul.h"
#include "codegen/target/nvidia/hopper/Cluster.h"
#include "codegen/target/nvidia/hopper/DenseMatmul.h"
#include "codegen/target/nvidia/hopper/DenseRing.h"
#include "codegen/target/nvidia/hopper/ExpandedAttention.h"
#include "codegen/target/nvidia/hopper/HeadMatmul.h"
#include "codegen/target/nvidia/hopper/LatentAttention.h"
#include "codegen/target/nvidia/hopper/MbarrierRing.h"
#include "codegen/target/nvidia/hopper/PagedAttention.h"
#include "codegen/target/nvidia/hopper/QuadShuffle.h"
#include "codegen/target/nvidia/hopper/StreamingMatmul.h"
#include "codegen/target/nvidia/hopper/WarpRoles.h"
#include "codegen/target/nvidia/hopper/WgmmaTile.h"
#include "codegen/target/nvidia/hopper/WgmmaValues.h"

#include "mlir/IR/Verifier.h"
#include "mlir/InitAllDialects.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/raw_ostream.h"

#include <cmath>

using namespace moec::hopper;
using llvm::StringRef;

namespace {

/// name=number on the command line.
class Sizes {
public:
  Sizes(int argc, char **argv) {
    for (int i = 2; i < argc; ++i) {
      auto [name, text] = StringRef(argv[i]).split('=');
      int64_t value = 0;
      if (text.getAsInteger(10, value)) {
        llvm::errs() << "error: '" << argv[i] << "' is not <name>=<number>\n";
        exit(1);
      }
      sizes[name] = value;
    }
  }
  int64_t get(StringRef name, int64_t otherwise = 0) const {
    auto found = sizes.find(name);
    return found == sizes.end() ? otherwise : found->second;
  }

private:
  llvm::StringMap<int64_t> sizes;
};

} // namespace

//===----------------------------------------------------------------------===//
// Blocks. Slot 0 is read, slot 1 written.
//===----------------------------------------------------------------------===//

static TensorMap makeMap() {
  TensorMap map = TensorMap::ofOperand(0, 512, Extent::of(1, 1), 64);
  return map;
}

/// One thread fills two buffers in turn, the others read them.
static void emitRing(KernelFrame &frame) {
  Builder &b = frame.b;
  Value map = frame.addTensorMap(makeMap());
  MbarrierRing ring(frame, 2, 64 * 128);
  ifThen(getThread(b) == 0, [&] {
    ring.init(1, 4);
    fenceBarrierInit(b);
    prefetchMap(b, map);
  });
  syncBlock(b);
  Int steps = frame.getDim(1);
  WarpRoles{1}.split(
      b,
      [&] {
        forLoop(Int(b, 0), steps, Int(b, 1), ring.getFillerStart().getValues(),
                [&](Int i, mlir::ValueRange carried) {
                  auto at = ring.getPosition(carried);
                  ring.beginFill(at, 64 * 128);
                  copyBox(ring.getBuffer(at), map, {Int(b, 0).value, (i * 64).value},
                          ring.getFull(at));
                  return ring.advance(at).getValues();
                });
      },
      [&](Int) {
        Int thread = getThread(b);
        forLoop(Int(b, 0), steps, Int(b, 1), ring.getUserStart().getValues(),
                [&](Int i, mlir::ValueRange carried) {
                  auto at = ring.getPosition(carried);
                  ring.waitFull(at);
                  Value word = load(ring.getBuffer(at) + thread * 4, b.getI32Type(), 4);
                  ring.release(at, (thread & 31) == 0);
                  store(word, frame.getSlot(1).at(i, 512) + thread * 4, 4);
                  return ring.advance(at).getValues();
                });
      });
}

static void emitProduct(KernelFrame &frame, Operand type) {
  Builder &b = frame.b;
  Shared x = frame.allocate(64 * 128, 1024), w = frame.allocate(16 * 128, 1024);
  WgmmaTile tile(b, type, 16);
  Values sums = tile.wait(tile.start(tile.describe(x), tile.skipRows(tile.describe(w), 8), {}));
  sums = anchor(b, sums);
  for (auto [i, sum] : llvm::enumerate(sums))
    store(sum, frame.getSlot(1) + 4 * i, 4);
}

/// Scores of 64 rows of 64 columns, as weights of 128 columns of the same rows.
static void emitValues(KernelFrame &frame) {
  Builder &b = frame.b;
  Shared queries = frame.allocate(64 * 128, 1024);
  Shared rows = frame.allocate(2 * WgmmaValues::kBoxBytes, 1024);
  WgmmaTile scores(b, Operand::BFloat16, 64);
  WgmmaValues values(b, 128);
  Values zeros(64, constantFloat(b, 0));
  Values weights = scores.wait(scores.start(scores.describe(queries), scores.describe(rows), {}));
  Values sums = values.start(values.pack(weights), values.describe(rows), zeros);
  for (auto [i, sum] : llvm::enumerate(waitProducts(b, 0, sums)))
    store(sum, frame.getSlot(1) + getThread(b) * 256 + 4 * i, 4);
  arriveNamed(b, 3, 256);
}

static void emitBulk(KernelFrame &frame) {
  Builder &b = frame.b;
  Value map = frame.addTensorMap(makeMap());
  Shared buffer = frame.allocate(64 * 128, 1024), barrier = frame.allocate(8, 8);
  ifThen(getThread(b) == 0, [&] {
    initBarrier(barrier, 1);
    fenceBarrierInit(b);
    arriveExpecting(barrier, Int(b, 64 * 128 + 256));
    copyBox(buffer, map, {Int(b, 0).value, Int(b, 64).value}, barrier, /*multicast=*/3);
    copyBulk(buffer, frame.getSlot(0), Int(b, 256), barrier);
    waitBarrier(barrier, Int(b, 0));
    storeBox(map, {Int(b, 0).value, Int(b, 0).value}, buffer);
    commitStores(b);
    waitStores(b, 0, /*read=*/false);
  });
}

static void emitCluster(KernelFrame &frame) {
  Builder &b = frame.b;
  Cluster cluster{2};
  Shared barrier = frame.allocate(8, 8);
  ifThen(getThread(b) == 0, [&] {
    initBarrier(barrier, 2);
    fenceBarrierInit(b);
  });
  cluster.meet(b);
  cluster.release(barrier, getThread(b) & 31);
  waitBarrier(barrier, Int(b, 0));
  store(getClusterRank(b).value, frame.getSlot(1), 4);
  cluster.meet(b);
}

static void emitRoles(KernelFrame &frame) {
  Builder &b = frame.b;
  WarpRoles{2}.split(
      b, [&] { store(Int(b, 1).value, frame.getSlot(1), 4); },
      [&](Int warpgroup) {
        syncNamed(b, warpgroup + 1, 128);
        store(warpgroup.value, frame.getSlot(1) + getThread(b) * 4, 4);
      });
}

static void emitStaged(KernelFrame &frame) {
  Builder &b = frame.b;
  StagedStore staged(frame, 4, 2);
  Value map = frame.addTensorMap(StagedStore::getMap(1, 256, 128, Extent::of(1, 1)));
  Int thread = getThread(b);
  Int lane = thread & 31, warp = thread >> 5;
  Values blocks;
  for (int64_t i = 0; i < 16; ++i)
    blocks.push_back((thread + i).value);
  StagedStore::Target target{map, frame.getSlot(1), 256, 128, frame.getDim(1)};
  staged.store(target, warp, lane, warp * 16, Int(b, 0), blocks, 0);
  staged.finish(lane);
}

static void emitQuad(KernelFrame &frame) {
  Builder &b = frame.b;
  Int thread = getThread(b);
  Values items;
  for (int64_t i = 0; i < 4; ++i)
    items.push_back((thread * 4 + i).value);
  store(makeVector(b, transposeQuad(b, thread & 31, items)), frame.getSlot(1) + thread * 16, 16);
}

/// A dependent launch: weights first, then what the kernel before wrote.
static void emitLaunch(KernelFrame &frame) {
  Builder &b = frame.b;
  launchDependents(b);
  Values weight = loadStreaming(frame.getSlot(0));
  waitDependencies(b);
  Value word = load(frame.getSlot(1), b.getI32Type(), 4);
  store((Int(b, word) + Int(b, weight[0])).value, frame.getSlot(1), 4);
}

static bool emitBlock(StringRef name, mlir::ModuleOp module) {
  LaunchShape shape;
  shape.threads = name == "ring" ? 256 : name == "roles" ? 384 : 128;
  shape.cluster = name == "cluster" || name == "bulk" ? 2 : 1;
  KernelFrame frame(module, name, /*numSlots=*/2, shape);
  if (name == "ring")
    emitRing(frame);
  else if (name == "wgmma")
    emitProduct(frame, Operand::E4M3);
  else if (name == "wgmma_bf16")
    emitProduct(frame, Operand::BFloat16);
  else if (name == "values")
    emitValues(frame);
  else if (name == "bulk")
    emitBulk(frame);
  else if (name == "cluster")
    emitCluster(frame);
  else if (name == "roles")
    emitRoles(frame);
  else if (name == "staged")
    emitStaged(frame);
  else if (name == "quad")
    emitQuad(frame);
  else if (name == "launch")
    emitLaunch(frame);
  else
    return false;
  llvm::cantFail(frame.finish());
  return true;
}

//===----------------------------------------------------------------------===//
// Kernels. Slots: x codes, x scales, w codes, w scales, addend, result, quantized codes, scales,
// offsets, rows.
//===----------------------------------------------------------------------===//

static void printLaunch(const KernelFrame &frame) {
  const LaunchShape &shape = frame.getShape();
  auto &os = llvm::outs();
  os << "// launch " << shape.threads << " " << frame.getSharedBytes() << " " << shape.cluster
     << " " << shape.maxBlocks << " " << shape.earlyLaunch << "\n";
  for (const TensorMap &map : frame.getTensorMaps()) {
    os << "// map " << map.slot << " " << map.offset << " " << map.getElementBytes() << " "
       << map.sizes.size();
    for (const Extent &size : map.sizes)
      os << " " << size.dim << " " << size.multiplier << " " << size.addend;
    for (uint64_t stride : map.strides)
      os << " " << stride;
    for (uint32_t box : map.box)
      os << " " << box;
    os << " " << map.swizzle << " " << map.l2Promotion << "\n";
  }
}

static EpilogueSpec makeEpilogue(const Sizes &sizes, int64_t columns) {
  using Element = EpilogueSpec::Element;
  EpilogueSpec spec;
  spec.columns = columns;
  spec.gated = sizes.get("gated");
  Element element = sizes.get("f32") ? Element::Float32 : Element::BFloat16;
  int64_t rowBytes = columns * (sizes.get("f32") ? 4 : 2);
  if (sizes.get("add"))
    spec.addends.push_back({4, element, rowBytes});
  if (sizes.get("quantize"))
    spec.quantized = EpilogueSpec::Quantized{6, 7, columns, columns / 128 * 4};
  if (!sizes.get("quantize") || sizes.get("both"))
    spec.stores.push_back({5, element, rowBytes});
  return spec;
}

static std::optional<RowGroups> makeGroups(const Sizes &sizes) {
  if (!sizes.get("groups"))
    return std::nullopt;
  RowGroups groups;
  groups.offsets = 8;
  groups.count = sizes.get("groups");
  groups.topK = sizes.get("top_k", 1);
  if (sizes.get("gather"))
    groups.rows = 9;
  return groups;
}

static BlockScaledProblem makeProblem(const Sizes &sizes) {
  BlockScaledProblem problem;
  problem.k = sizes.get("k", 7168);
  problem.columns = sizes.get("n", 4096);
  problem.interleave = sizes.get("interleave");
  problem.weightRows = problem.columns * (sizes.get("gated") ? 2 : 1);
  problem.groups = makeGroups(sizes);
  if (auto reason = problem.refuse()) {
    llvm::errs() << "error: " << *reason << "\n";
    exit(1);
  }
  return problem;
}

template <typename Problem> MatmulSize makeSize(const Sizes &sizes, const Problem &problem) {
  return {.m = sizes.get("m", 1),
          .n = problem.columns,
          .k = problem.k,
          .columnWaves = sizes.get("gated") ? 2 : 1,
          .columnMultiple = sizes.get("quantize") ? 128 : 8,
          .canStage = !sizes.get("quantize") && !sizes.get("f32"),
          .interleave = problem.interleave,
          .groups = sizes.get("groups"),
          .isGathered = problem.isGathered()};
}

static int finish(KernelFrame &frame) {
  if (auto error = frame.finish()) {
    llvm::errs() << "error: " << llvm::toString(std::move(error)) << "\n";
    return 1;
  }
  printLaunch(frame);
  return 0;
}

static int emitStreaming(mlir::ModuleOp module, const Sizes &sizes) {
  BlockScaledProblem problem = makeProblem(sizes);
  StreamingTile tile;
  if (sizes.get("m"))
    tile = getStreamingTiles(makeSize(sizes, problem), 132).front();
  tile.tokens = sizes.get("tokens", tile.tokens);
  tile.rows = sizes.get("rows", tile.rows);
  tile.rowWarps = sizes.get("row_warps", tile.rowWarps);
  tile.kWarps = sizes.get("k_warps", tile.kWarps);
  tile.steps = sizes.get("steps", tile.steps);
  tile.minBlocks = sizes.get("min_blocks", tile.minBlocks);
  tile.buffers = sizes.get("buffers", tile.buffers);
  llvm::outs() << "// tile rows " << tile.rows << " warps " << tile.rowWarps << " x " << tile.kWarps
               << " steps " << tile.steps << " min_blocks " << tile.minBlocks << " buffers "
               << tile.buffers << "\n// grid " << getNumBlocks(tile, problem) << "\n";
  LaunchShape shape = getLaunchShape(tile);
  shape.earlyLaunch = sizes.get("early");
  KernelFrame frame(module, "streaming", /*numSlots=*/10, shape);
  emitStreamingMatmul(frame, problem, tile, makeEpilogue(sizes, problem.columns));
  return finish(frame);
}

static int emitMatmul(mlir::ModuleOp module, const Sizes &sizes) {
  BlockScaledProblem problem = makeProblem(sizes);
  MatmulTile tile;
  if (sizes.get("m"))
    tile = getMatmulTiles(makeSize(sizes, problem), 132).front();
  tile.rows = sizes.get("rows", tile.rows);
  tile.brought = sizes.get("brought", tile.brought);
  tile.columns = sizes.get("columns", tile.columns);
  tile.columnWaves = sizes.get("gated") ? 2 : 1;
  tile.consumers = sizes.get("consumers", tile.consumers);
  tile.split = sizes.get("split", tile.split);
  tile.parts = sizes.get("parts", tile.parts);
  tile.stages = sizes.get("stages", tile.stages);
  tile.staged = sizes.get("staged", tile.staged);
  tile.tickets = sizes.get("tickets", tile.tickets);
  llvm::outs() << "// tile " << tile.rows << " x " << tile.columns << " consumers "
               << tile.consumers << " split " << tile.split << " stages " << tile.stages << "\n";
  if (tile.split > 1)
    llvm::outs() << "// grid "
                 << llvm::divideCeil(problem.columns, tile.columns) * tile.split *
                        llvm::divideCeil(sizes.get("m", tile.rows), tile.rows)
                 << "\n";
  LaunchShape shape = getLaunchShape(tile);
  shape.earlyLaunch = sizes.get("early");
  unsigned numSlots = 10;
  if (tile.tickets)
    problem.counters = numSlots++;
  KernelFrame frame(module, "matmul", numSlots, shape);
  emitBlockScaledMatmul(frame, problem, tile, makeEpilogue(sizes, problem.columns));
  return finish(frame);
}

/// Slots: x, bias, w, nothing, addend, result, quantized codes, scales, offsets, rows.
static DenseProblem makeDenseProblem(const Sizes &sizes) {
  DenseProblem problem;
  problem.w = 2;
  problem.k = sizes.get("k", 3584);
  problem.columns = sizes.get("n", 3584);
  problem.interleave = sizes.get("interleave");
  problem.weightRows = problem.columns * (sizes.get("gated") ? 2 : 1);
  problem.groups = makeGroups(sizes);
  if (auto reason = problem.refuse()) {
    llvm::errs() << "error: " << *reason << "\n";
    exit(1);
  }
  return problem;
}

static EpilogueSpec makeDenseEpilogue(const Sizes &sizes, int64_t columns) {
  EpilogueSpec spec = makeEpilogue(sizes, columns);
  if (sizes.get("bias"))
    spec.bias = {1, EpilogueSpec::Element::BFloat16};
  return spec;
}

static int emitDense(mlir::ModuleOp module, const Sizes &sizes) {
  DenseProblem problem = makeDenseProblem(sizes);
  DenseTile tile;
  if (sizes.get("m"))
    tile = getDenseTiles(makeSize(sizes, problem), 132).front();
  tile.rows = sizes.get("rows", tile.rows);
  tile.columns = sizes.get("columns", tile.columns);
  tile.columnWaves = sizes.get("gated") ? 2 : 1;
  tile.consumers = sizes.get("consumers", tile.consumers);
  tile.stages = sizes.get("stages", tile.stages);
  tile.staged = sizes.get("staged", tile.staged);
  llvm::outs() << "// tile " << tile.rows << " x " << tile.columns << " consumers "
               << tile.consumers << " stages " << tile.stages << " staged " << tile.staged << "\n";
  LaunchShape shape = getLaunchShape(tile);
  shape.earlyLaunch = sizes.get("early");
  KernelFrame frame(module, "dense", /*numSlots=*/10, shape);
  emitDenseMatmul(frame, problem, tile, makeDenseEpilogue(sizes, problem.columns));
  return finish(frame);
}

static int emitDenseRing(mlir::ModuleOp module, const Sizes &sizes) {
  DenseProblem problem = makeDenseProblem(sizes);
  MatmulSize size = makeSize(sizes, problem);
  DenseRingTile tile;
  if (sizes.get("m"))
    tile = getDenseRingTiles(size, 132).front();
  tile.tokens = sizes.get("tokens", tile.tokens);
  tile.rows = sizes.get("rows", tile.rows);
  tile.consumers = sizes.get("consumers", tile.consumers);
  tile.split = sizes.get("split", tile.split);
  tile.boxes = sizes.get("boxes", tile.boxes);
  tile.stages = sizes.get("stages", tile.stages);
  tile.blocks = sizes.get("blocks", tile.blocks);
  int64_t tiles = llvm::divideCeil(problem.columns, tile.rows) *
                  llvm::divideCeil(sizes.get("m", 1), tile.tokens);
  LaunchShape shape = getLaunchShape(tile);
  shape.earlyLaunch = sizes.get("early");
  llvm::outs() << "// tile " << tile.tokens << " x " << tile.rows << " consumers " << tile.consumers
               << " split " << tile.split << " boxes " << tile.boxes << " stages " << tile.stages
               << " blocks " << tile.blocks << "\n// grid "
               << (shape.maxBlocks ? std::min(tiles, shape.maxBlocks) : tiles * tile.split) << "\n";
  KernelFrame frame(module, "dense_ring", /*numSlots=*/10, shape);
  emitDenseRing(frame, problem, tile, makeDenseEpilogue(sizes, problem.columns));
  return finish(frame);
}

/// Slots: x, nothing, w, its scales, nothing, result.
static int emitHead(mlir::ModuleOp module, const Sizes &sizes) {
  HeadProblem problem;
  problem.w = 2;
  if (sizes.get("fp8"))
    problem.scales = 3;
  problem.heads = sizes.get("heads", 128);
  problem.xColumns = sizes.get("x", 192);
  problem.xOffset = sizes.get("x_offset");
  problem.xRowBytes = 2 * problem.heads * problem.xColumns;
  problem.weightRows = sizes.get("w", 256);
  problem.weightOffset = sizes.get("w_offset");
  problem.size = sizes.get("w_size", 128);
  problem.weightColumns = sizes.get("w_columns", 512);
  problem.transposed = sizes.get("transposed");
  if (auto reason = problem.refuse()) {
    llvm::errs() << "error: " << *reason << "\n";
    return 1;
  }
  HeadTile tile = getHeadTiles(problem, sizes.get("m", 1)).front();
  tile.tokens = sizes.get("tokens", tile.tokens);
  tile.columns = sizes.get("columns", tile.columns);
  llvm::outs() << "// tile " << tile.tokens << " x " << tile.columns << "\n// grid "
               << getNumBlocks(tile, problem) << "\n";
  LaunchShape shape = getLaunchShape(tile);
  shape.earlyLaunch = sizes.get("early");
  KernelFrame frame(module, "head", /*numSlots=*/8, shape);
  emitHeadMatmul(frame, problem, tile, makeEpilogue(sizes, problem.heads * problem.getColumns()));
  return finish(frame);
}

/// Slots: q, cache, positions, sequences, block table, result, counters, scratch.
static int emitAttention(mlir::ModuleOp module, const Sizes &sizes) {
  AttentionProblem problem;
  problem.cache = 1;
  problem.positions = 2;
  problem.sequences = 3;
  problem.blockTable = 4;
  problem.result = 5;
  problem.counters = 6;
  problem.scratch = 7;
  problem.heads = sizes.get("heads", 32);
  problem.keyValueHeads = sizes.get("kv_heads", 8);
  problem.keyColumns = sizes.get("key", 128);
  problem.valueColumns = sizes.get("value", 128);
  problem.page = sizes.get("page", 64);
  problem.qStride = problem.heads * problem.keyColumns;
  problem.resultStride = problem.heads * problem.valueColumns;
  problem.scale = 1 / std::sqrt(static_cast<double>(problem.keyColumns));
  if (auto reason = problem.refuse()) {
    llvm::errs() << "error: " << *reason << "\n";
    return 1;
  }
  AttentionTile tile;
  tile.consumers = sizes.get("consumers", tile.consumers);
  tile.stages = sizes.get("stages", tile.stages);
  tile.blocks = sizes.get("blocks", tile.blocks);
  tile.split = sizes.get("split", tile.split);
  tile.mostTokens = sizes.get("tokens", tile.mostTokens);
  tile.leastPart = sizes.get("least", tile.leastPart);
  tile.pingPong = sizes.get("ping_pong", tile.pingPong);
  llvm::outs() << "// counters " << tile.getNumCounters() << " scratch "
               << tile.getScratchBytes(problem) << "\n";
  KernelFrame frame(module, "attention", /*numSlots=*/8, getLaunchShape(tile));
  emitPagedAttention(frame, problem, tile);
  return finish(frame);
}

/// Slots as in ExpandedProblem; with fp8=1, scales come last.
static int emitExpanded(mlir::ModuleOp module, const Sizes &sizes) {
  ExpandedProblem problem;
  problem.heads = sizes.get("heads", 128);
  problem.page = sizes.get("page", 64);
  problem.qStride = problem.heads * ExpandedProblem::kKeyColumns;
  problem.resultStride = problem.heads * ExpandedProblem::kPart;
  problem.scale = 0.1352;
  if (sizes.get("fp8"))
    problem.scales = 9;
  if (auto reason = problem.refuse()) {
    llvm::errs() << "error: " << *reason << "\n";
    return 1;
  }
  ExpandedTile tile = getExpandedTile(problem, sizes.get("tokens", 4096),
                                      sizes.get("context", 4096), sizes.get("workers", 132));
  tile.stages = sizes.get("stages", tile.stages);
  llvm::outs() << "// rows " << tile.rows << " scratch " << tile.getScratchBytes(problem) << "\n";
  KernelFrame frame(module, "expanded", /*numSlots=*/10, getLaunchShape(tile));
  emitExpandedAttention(frame, problem, tile);
  return finish(frame);
}

/// Slots as in LatentProblem::Slots.
static int emitLatent(mlir::ModuleOp module, const Sizes &sizes) {
  LatentProblem problem;
  problem.heads = sizes.get("heads", 128);
  problem.queryColumns = sizes.get("query", 192);
  problem.page = sizes.get("page", 64);
  problem.scale = 0.1352;
  problem.latentStride = 2 * problem.heads * LatentProblem::kLatent;
  problem.queryStride = 2 * problem.heads * problem.queryColumns;
  problem.floatResult = sizes.get("f32");
  problem.quantizedCache = sizes.get("fp8");
  if (auto reason = problem.refuse()) {
    llvm::errs() << "error: " << *reason << "\n";
    return 1;
  }
  LatentTile tile{sizes.get("tokens", 1), sizes.get("workers", 132)};
  LatentSizes split(problem, tile);
  llvm::outs() << "// scratch " << split.getScratchBytes() << " counters " << split.getCounters()
               << " parts " << split.parts << " workers " << split.workers << " pieces "
               << split.limits.mostPieces << "\n";
  KernelFrame frame(module, "latent", /*numSlots=*/9, getLaunchShape(problem, tile));
  emitLatentAttention(frame, problem, tile);
  return finish(frame);
}

int main(int argc, char **argv) {
  StringRef name = argc > 1 ? argv[1] : "";
  Sizes sizes(argc, argv);
  mlir::DialectRegistry registry;
  mlir::registerAllDialects(registry);
  mlir::MLIRContext context(registry);
  mlir::OwningOpRef<mlir::ModuleOp> module =
      mlir::ModuleOp::create(mlir::UnknownLoc::get(&context));
  if (name == "matmul") {
    if (int failed = emitMatmul(*module, sizes))
      return failed;
  } else if (name == "dense") {
    if (int failed = emitDense(*module, sizes))
      return failed;
  } else if (name == "head") {
    if (int failed = emitHead(*module, sizes))
      return failed;
  } else if (name == "dense_ring") {
    if (int failed = emitDenseRing(*module, sizes))
      return failed;
  } else if (name == "streaming") {
    if (int failed = emitStreaming(*module, sizes))
      return failed;
  } else if (name == "latent") {
    if (int failed = emitLatent(*module, sizes))
      return failed;
  } else if (name == "expanded") {
    if (int failed = emitExpanded(*module, sizes))
      return failed;
  } else if (name == "attention") {
    if (int failed = emitAttention(*module, sizes))
      return failed;
  } else if (!emitBlock(name, *module)) {
    llvm::errs() << "error: no block named '" << name << "'\n";
    return 1;
  }
  if (failed(mlir::verify(*module)))
    return 1;
  module->print(llvm::outs());
  return 0;
}
