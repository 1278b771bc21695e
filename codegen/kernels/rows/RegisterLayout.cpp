#include "codegen/kernels/rows/RegisterLayout.h"

#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace moec;
using namespace moec::codegen;

/// Steps that a thread's registers hold, for rows that no tile shares.
static constexpr int64_t kMostSteps = 16;
/// Threads of a tile where rows are divided: few, so that multiprocessors get equal shares of few
/// rows, but not so few that the number of blocks is the limit.
static constexpr int64_t kPartThreads = 128, kMostPartThreads = 256;

/// Whether `value` is an argument of the kernel, or columns of one.
static bool isInMemory(Value value) {
  while (auto slice = value.getDefiningOp<moe::SliceOp>())
    value = slice.getX();
  return isa<BlockArgument>(value) && isa<RankedTensorType>(value.getType());
}

static bool isYielded(Value value) {
  return llvm::any_of(value.getUsers(), [](Operation *user) { return isa<kern::YieldOp>(user); });
}

static int64_t getColumns(Value value) { return moe::getShape(value.getType()).back(); }

namespace {

/// What the ops of a kernel ask of a layout.
class Demands {
public:
  Demands(kern::KernelOp kernel, const Machine &machine) : kernel(kernel), machine(machine) {
    lanes = getMostLanes();
    for (Operation &op : kernel.getBody().front().without_terminator())
      refused |= !visit(&op);
    for (int64_t group : groups)
      refused |= !fitsSubgroup(group / lanes);
    refused |= needsPairs && lanes < 2;
  }

  bool refused = false;
  int64_t lanes = 0;
  int64_t widest = 0;  // columns
  bool isLocal = true; // no op needs more of a row than groups
  bool isEven = true;  // all rows have as many columns

private:
  /// 16 bytes of the narrowest rows that are read.
  int64_t getMostLanes() {
    int64_t bytes = 4;
    for (auto [i, type] : llvm::enumerate(kernel.getArgumentTypes())) {
      auto tensor = dyn_cast<RankedTensorType>(type);
      if (tensor && isa<kern::RowsAttr>(kernel.getRows()[i]) &&
          isa<FloatType>(tensor.getElementType()))
        bytes = std::min<int64_t>(bytes, tensor.getElementTypeBitWidth() / 8);
    }
    return std::clamp(machine.vectorBytes / bytes, machine.floatLanes(), 2 * machine.floatLanes());
  }
  bool divide(int64_t columns) {
    while (columns % lanes)
      lanes /= 2;
    return true;
  }
  bool fitsSubgroup(int64_t threads) const {
    return llvm::isPowerOf2_64(threads) && threads <= machine.subgroup;
  }
  /// Neighbours that share `columns`.
  bool group(int64_t columns) {
    groups.push_back(columns);
    return divide(columns);
  }
  bool addResult(Value result) {
    int64_t columns = getColumns(result);
    isEven &= !widest || columns == widest;
    widest = std::max(widest, columns);
    return divide(columns);
  }

  /// Whether an op may read `value` where its threads have it.
  static bool isRow(Value value) {
    if (isInMemory(value))
      return true;
    Operation *op = value.getDefiningOp();
    return op && isa<RankedTensorType>(value.getType()) && !isa<moe::SliceOp, moe::ConcatOp>(op);
  }
  static bool areArguments(ValueRange values) {
    return llvm::all_of(values, [](Value value) { return isa<BlockArgument>(value); });
  }

  bool visit(Operation *op) {
    return llvm::TypeSwitch<Operation *, bool>(op)
        .Case<moe::AddOp, moe::SwigluOp>([&](auto same) {
          return llvm::all_of(same->getOperands(), isRow) && addResult(same.getResult());
        })
        .Case([&](moe::SliceOp slice) {
          return isInMemory(slice.getResult()) && !isYielded(slice.getResult());
        })
        .Case<moe::RmsNormOp, moe::QuantizeOp, moe::DequantizeOp, moe::EmbeddingOp,
              moe::GatherRowsOp, moe::CombineOp, moe::RopeOp, moe::ConcatOp, moe::CacheAppendOp>(
            [&](auto other) { return visitOp(other); })
        .Default(false);
  }
  bool visitOp(moe::RmsNormOp op) {
    isLocal &= op.getHeads() > 1;
    return isRow(op.getX()) && isa<BlockArgument>(op.getWeight()) && addResult(op.getResult()) &&
           (op.getHeads() == 1 || group(getColumns(op.getX()) / op.getHeads()));
  }
  bool visitOp(moe::QuantizeOp op) {
    auto onlyYielded = [](Operation *user) { return isa<kern::YieldOp>(user); };
    int64_t columns = getColumns(op.getX());
    ArrayRef<int64_t> shape = cast<moe::QTensorType>(op.getType()).getScheme().getBlock();
    int64_t block = shape[1] ? shape[1] : columns;
    return isRow(op.getX()) && addResult(op.getResult()) && shape[0] == 1 && columns % block == 0 &&
           group(block) && llvm::all_of(op->getUsers(), onlyYielded);
  }
  bool visitOp(moe::DequantizeOp op) {
    int64_t block = cast<moe::QTensorType>(op.getX().getType()).getScheme().getBlock()[1];
    return isa<BlockArgument>(op.getX()) && addResult(op.getResult()) && (!block || divide(block));
  }
  bool visitOp(moe::EmbeddingOp op) {
    return areArguments(op->getOperands()) && isInMemory(op.getTable()) &&
           addResult(op.getResult());
  }
  bool visitOp(moe::GatherRowsOp op) {
    return areArguments(op->getOperands()) && isInMemory(op.getX()) && addResult(op.getResult());
  }
  bool visitOp(moe::CombineOp op) {
    return areArguments({op.getY(), op.getSlots(), op.getWeights()}) && isInMemory(op.getY()) &&
           addResult(op.getResult());
  }
  bool visitOp(moe::RopeOp op) {
    int64_t head = getColumns(op.getX()) / op.getHeads(), dim = op.getRope().getDim();
    bool known = isRow(op.getX()) && op.getTable() && isInMemory(op.getTable()) &&
                 isa<BlockArgument>(op.getPositions()) && addResult(op.getResult());
    divide(head);
    divide(head - dim);
    if (op.getRope().getLayout() == moe::RopeLayout::Interleaved) {
      needsPairs = true;
      return known && divide(dim);
    }
    divide(dim / 2);
    if (isInMemory(op.getX()))
      return known;
    // Partners differ in one bit of their thread.
    return known && head % dim == 0 && group(dim);
  }
  bool visitOp(moe::ConcatOp op) {
    isLocal = false;
    auto stores = [](Operation *user) { return isa<kern::YieldOp, moe::CacheAppendOp>(user); };
    return llvm::all_of(op.getParts(), isRow) &&
           llvm::all_of(op.getParts(), [&](Value part) { return addResult(part); }) &&
           llvm::all_of(op->getUsers(), stores);
  }
  bool visitOp(moe::CacheAppendOp op) {
    isLocal = false;
    auto cache = cast<moe::CacheType>(op.getCache().getType());
    bool isKnown = isRow(op.getRows()) || op.getRows().getDefiningOp<moe::ConcatOp>();
    bool isRoot =
        isa<BlockArgument>(op.getCache()) || op.getCache().getDefiningOp<moe::CacheAppendOp>();
    if (isRow(op.getRows()))
      addResult(op.getRows());
    return isKnown && isRoot && isa<FloatType>(cache.getElementType()) &&
           cache.getElementType().getIntOrFloatBitWidth() >= 16 &&
           areArguments({op.getPositions(), op.getSequences(), op.getBlockTable()});
  }

  kern::KernelOp kernel;
  const Machine &machine;
  SmallVector<int64_t> groups;
  bool needsPairs = false;
};

} // namespace

/// A tile has `threads * lanes` columns of a row. More threads than wanted are better than fewer.
static SmallVector<RegisterLayout> divideRows(const Demands &demands, const Machine &machine) {
  int64_t units = llvm::divideCeil(demands.widest, demands.lanes);
  SmallVector<RegisterLayout> layouts;
  auto add = [&](int64_t threads) {
    layouts.push_back({demands.lanes, threads, int64_t(llvm::divideCeil(units, threads))});
  };
  int64_t most = std::min(kMostPartThreads, machine.threads), wanted = std::min(kPartThreads, most);
  auto addDivisor = [&](int64_t threads) {
    if (units % threads == 0)
      add(threads);
  };
  for (int64_t threads = wanted; threads <= most; threads += machine.subgroup)
    addDivisor(threads);
  for (int64_t threads = wanted - machine.subgroup; threads > 0; threads -= machine.subgroup)
    addDivisor(threads);
  if (layouts.empty())
    add(std::min<int64_t>(most, llvm::alignTo(units, machine.subgroup)));
  return layouts;
}

/// A tile has whole rows. Two steps a thread hide the latency of memory and leave few threads to
/// wait for at a barrier.
static SmallVector<RegisterLayout> keepRows(const Demands &demands, const Machine &machine) {
  int64_t units = llvm::divideCeil(demands.widest, demands.lanes);
  SmallVector<RegisterLayout> layouts;
  for (int64_t steps : {2, 4, 3, 1, 5, 6, 7, 8}) {
    int64_t threads = units / steps;
    if (units % steps == 0 && threads % machine.subgroup == 0 && threads &&
        threads <= machine.threads)
      layouts.push_back({demands.lanes, threads});
  }
  if (!layouts.empty())
    return layouts;
  int64_t threads = std::min<int64_t>(machine.threads,
                                      llvm::alignTo(llvm::divideCeil(units, 2), machine.subgroup));
  if (llvm::divideCeil(units, threads) <= uint64_t(kMostSteps))
    layouts.push_back({demands.lanes, threads});
  return layouts;
}

SmallVector<RegisterLayout> moec::codegen::getRegisterLayouts(kern::KernelOp kernel,
                                                              const Machine &machine) {
  Demands demands(kernel, machine);
  if (!machine.hasTeams() || demands.refused || !demands.widest)
    return {};
  return demands.isLocal && demands.isEven ? divideRows(demands, machine)
                                           : keepRows(demands, machine);
}
