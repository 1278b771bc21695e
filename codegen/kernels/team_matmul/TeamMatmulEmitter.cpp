// Matrix kernels by teams: where tiles are, and what follows the product.
#include "codegen/kernels/TeamEmitters.h"
#include "codegen/kernels/Vectors.h"
#include "codegen/kernels/matmul/Epilogue.h"
#include "codegen/kernels/matmul/GatedEpilogue.h"
#include "codegen/kernels/matmul/ProductTile.h"
#include "codegen/kernels/team_matmul/FragmentDot.h"
#include "codegen/kernels/team_matmul/TeamDot.h"
#include "codegen/kernels/team_matmul/TeamRowSum.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <numeric>

using namespace mlir;
using namespace moec;
using namespace moec::codegen;

/// What a schedule has whose products are matrix instructions': StagedOperand::kSlice.
static constexpr llvm::StringLiteral kSliceSize = "slice";
/// Up to so many rows, threads multiply without matrix instructions: reading the weight takes
/// longer, and nothing waits for shared memory.
static constexpr int64_t kFewRows = 8;
static constexpr int64_t kManyRows = 4096; // when no program says how many there are

namespace {

/// The product of a kernel's body.
struct Product {
  Operation *op = nullptr;
  Value x, weight;

  explicit Product(kern::KernelOp kernel) {
    for (Operation &other : kernel.getBody().front())
      if (isa<moe::LinearOp, moe::GroupedLinearOp, moe::HeadLinearOp>(other) && !op)
        op = &other;
    if (op) {
      x = op->getOperand(0);
      weight = op->getOperand(1);
    }
  }
  moe::HeadLinearOp getHeads() const { return dyn_cast_or_null<moe::HeadLinearOp>(op); }
  moe::GroupedLinearOp getGrouped() const { return dyn_cast_or_null<moe::GroupedLinearOp>(op); }
  int64_t getWeightRows() const { return moe::getShape(weight.getType()).drop_back().back(); }

  /// Columns of the result that one head, or all, make.
  int64_t getColumns(kern::KernelOp kernel) const {
    if (moe::HeadLinearOp heads = getHeads())
      return heads.getTransposed() ? moe::getShape(weight.getType())[1] : heads.getWSize();
    return GatedEpilogue::matches(kernel) ? GatedEpilogue::getColumns(kernel) : getWeightRows();
  }
  bool isTransposed() const {
    moe::HeadLinearOp heads = getHeads();
    return heads && heads.getTransposed();
  }
  /// Terms of each sum.
  int64_t getDepth() const {
    return isTransposed() ? int64_t(getHeads().getWSize()) : moe::getShape(weight.getType()).back();
  }
  /// Whether matrix instructions can compute it.
  bool suitsFragments() const {
    if (!StagedOperand::accepts(x.getType()))
      return false;
    if (!isTransposed())
      return StagedOperand::accepts(weight.getType());
    moe::HeadLinearOp heads = getHeads();
    int64_t rows = getWeightRows() / int64_t(heads.getHeads());
    return StagedOperand::acceptsTransposed(weight.getType(), getDepth(),
                                            std::gcd(rows, int64_t(heads.getWOffset())));
  }
};

/// Emits one kernel.
class TeamProduct {
public:
  TeamProduct(TileFunction &tile, const Product &product)
      : tile(tile), b(tile.b), team(tile.getTeam()), product(product), x(tile, product.x),
        weight(tile, product.weight), tileColumns(tile.getScheduleSize("columns")),
        tileTokens(tile.getScheduleSize("tokens")), columns(product.getColumns(tile.kernel)) {}

  LogicalResult emit();

private:
  LogicalResult readBody();
  void emitLinear();
  void emitGrouped();
  void emitHeads();
  struct Place {
    Value block, numTokens;
    llvm::function_ref<Value(Value)> source, resultRow;
    Value expert = {};
    Value weightColumn = {}; // of a transposed weight
  };
  void emitDot(const TeamDot::Range &range);
  Value getSums() const { return fragmentDot ? fragmentDot->getSums() : dot->getSums(); }
  void emitPlace(const Place &place);
  void emitGated(const Place &place, Value column, const ColumnBlock &block);
  void emitPlain(const Place &place, Value weightRow, Value xColumn, Value resultColumn,
                 const ColumnBlock &block);
  void emitTransposed(const Place &place, Value token, Value weightRow, Value column, Value xColumn,
                      int64_t count);
  Value divide(Value value, int64_t by) {
    return arith::DivUIOp::create(b, value, constantIndex(b, by));
  }
  Value remainder(Value value, int64_t by) {
    return arith::RemUIOp::create(b, value, constantIndex(b, by));
  }
  Value countTokens(Value first, Value end) {
    return arith::MinUIOp::create(b, arith::SubIOp::create(b, end, first).getResult(),
                                  constantIndex(b, tileTokens));
  }

  TileFunction &tile;
  ImplicitLocOpBuilder &b;
  const Team &team;
  Product product;
  Operand x, weight;
  int64_t tileColumns, tileTokens, columns;
  std::optional<TeamDot> dot; // one of these
  std::optional<FragmentDot> fragmentDot;
  std::optional<Epilogue> epilogue;
  std::optional<GatedEpilogue> gated;
};

} // namespace

LogicalResult TeamProduct::readBody() {
  if (GatedEpilogue::matches(tile.kernel)) {
    auto found = GatedEpilogue::get(tile, product.op, team);
    if (failed(found))
      return failure();
    gated = *found;
    return success();
  }
  auto found = Epilogue::get(tile, product.op, team);
  if (failed(found))
    return failure();
  epilogue = *found;
  return success();
}

LogicalResult TeamProduct::emit() {
  if (failed(readBody()))
    return failure();
  if (tile.getScheduleSize(kSliceSize))
    fragmentDot.emplace(tile, x, weight,
                        FragmentDot::Shape{.tokens = tileTokens,
                                           .columns = tileColumns,
                                           .parts = gated ? 2 : 1,
                                           .depth = product.getDepth(),
                                           .isTransposed = product.isTransposed()});
  else
    dot.emplace(tile, x, weight, tileTokens, gated ? 2 * tileColumns : tileColumns);
  if (product.getHeads())
    emitHeads();
  else if (product.getGrouped())
    emitGrouped();
  else
    emitLinear();
  return success();
}

void TeamProduct::emitDot(const TeamDot::Range &range) {
  if (fragmentDot)
    fragmentDot->emit(range);
  else
    dot->emit(range);
}

void TeamProduct::emitLinear() {
  int64_t blocks = llvm::divideCeil(columns, tileColumns);
  Value token = mulIndex(b, divide(tile.getTile(), blocks), tileTokens);
  auto row = [&](Value t) { return addIndex(b, token, t); };
  emitPlace({.block = remainder(tile.getTile(), blocks),
             .numTokens = countTokens(token, tile.getResult(0).rows),
             .source = row,
             .resultRow = row});
}

void TeamProduct::emitGrouped() {
  moe::GroupedLinearOp op = product.getGrouped();
  int64_t blocks = llvm::divideCeil(columns, tileColumns);
  Value expert = divide(tile.getTile(), blocks);
  Value offsets = tile.getArgument(op.getOffsets()).data;
  Value rows = op.getRows() ? tile.getArgument(op.getRows()).data : Value();
  Value end = loadIndex(b, offsets, {addIndex(b, expert, 1)});
  forRange(b, loadIndex(b, offsets, {expert}), end, tileTokens, [&](Value begin) {
    auto slot = [&](Value token) { return addIndex(b, begin, token); };
    auto source = [&](Value token) -> Value {
      return rows ? divide(loadIndex(b, rows, {slot(token)}), op.getTopK()) : slot(token);
    };
    emitPlace({.block = remainder(tile.getTile(), blocks),
               .numTokens = countTokens(begin, end),
               .source = source,
               .resultRow = slot,
               .expert = expert});
    barrier(b, team); // the next tokens' sums take the place of these
  });
}

void TeamProduct::emitPlace(const Place &place) {
  Value column = mulIndex(b, place.block, tileColumns);
  ColumnBlock block = getColumnBlock(b, column, columns, tileColumns);
  if (gated)
    emitGated(place, column, block);
  else
    emitPlain(place, column, constantIndex(b, 0), column, block);
}

void TeamProduct::emitPlain(const Place &place, Value weightRow, Value xColumn, Value resultColumn,
                            const ColumnBlock &block) {
  emitDot({.weightRow = weightRow,
           .numRows = block.count,
           .numTokens = place.numTokens,
           .xColumn = xColumn,
           .source = place.source,
           .expert = place.expert,
           .weightColumn = place.weightColumn});
  barrier(b, team);
  epilogue->emit({.sums = getSums(),
                  .numTokens = place.numTokens,
                  .resultColumn = resultColumn,
                  .resultRow = place.resultRow,
                  .columns = tileColumns,
                  .block = block});
}

void TeamProduct::emitGated(const Place &place, Value column, const ColumnBlock &block) {
  for (bool isUp : {false, true}) {
    auto find = [&](Value at) -> Value {
      auto [gate, distance] = gated->findRows(at);
      return isUp ? arith::AddIOp::create(b, gate, distance).getResult() : gate;
    };
    auto findInTurn = [&](Value offset) { return find(addIndex(b, column, offset)); };
    llvm::function_ref<Value(Value)> source;
    if (gated->getLayout().block)
      source = findInTurn;
    emitDot({.weightRow = find(column),
             .weightSource = source,
             .numRows = block.count,
             .numTokens = place.numTokens,
             .xColumn = constantIndex(b, 0),
             .source = place.source,
             .expert = place.expert,
             .sumsColumn = isUp ? tileColumns : 0});
  }
  barrier(b, team);
  forItems(b, team, constantIndex(b, 0), place.numTokens, [&](Value token, const Team &part) {
    block.forWidth(b, tileColumns, [&](int64_t count) {
      gated->emit(part, {.sums = getSums(),
                         .token = token,
                         .row = place.resultRow(token),
                         .column = column,
                         .upColumn = tileColumns,
                         .columns = count});
    });
  });
}

void TeamProduct::emitHeads() {
  moe::HeadLinearOp op = product.getHeads();
  int64_t blocks = llvm::divideCeil(columns, tileColumns), heads = op.getHeads();
  Value rest = divide(tile.getTile(), blocks), head = remainder(rest, heads);
  Value column = mulIndex(b, remainder(tile.getTile(), blocks), tileColumns);
  Value token = mulIndex(b, divide(rest, heads), tileTokens);
  Value weightRow =
      addIndex(b, mulIndex(b, head, weight.getRows() / heads), int64_t(op.getWOffset()));
  Value xColumn = addIndex(b, mulIndex(b, head, x.getColumns() / heads), int64_t(op.getXOffset()));
  Value resultColumn = arith::AddIOp::create(b, mulIndex(b, head, columns), column);
  ColumnBlock block = getColumnBlock(b, column, columns, tileColumns);
  auto row = [&](Value t) { return addIndex(b, token, t); };
  Place place{.block = {},
              .numTokens = countTokens(token, tile.getResult(0).rows),
              .source = row,
              .resultRow = row};
  if (!op.getTransposed()) {
    weightRow = arith::AddIOp::create(b, weightRow, column);
    return emitPlain(place, weightRow, xColumn, resultColumn, block);
  }
  if (fragmentDot) {
    place.weightColumn = column;
    return emitPlain(place, weightRow, xColumn, resultColumn, block);
  }
  block.forWidth(b, tileColumns, [&](int64_t count) {
    emitTransposed(place, token, weightRow, column, xColumn, count);
  });
  barrier(b, team);
  epilogue->emit({.sums = getSums(),
                  .numTokens = place.numTokens,
                  .resultColumn = resultColumn,
                  .resultRow = row,
                  .columns = tileColumns,
                  .block = block});
}

void TeamProduct::emitTransposed(const Place &place, Value token, Value weightRow, Value column,
                                 Value xColumn, int64_t count) {
  Value lastToken = addIndex(b, place.numTokens, -1);
  forRange(b, constantIndex(b, 0), place.numTokens, TeamDot::kTokens, [&](Value group) {
    auto load = [&](int64_t t, Value i) -> Value {
      Value local = arith::MinUIOp::create(b, addIndex(b, group, t), lastToken);
      Value row = arith::AddIOp::create(b, token, local);
      return x.loadElement(b, row, arith::AddIOp::create(b, xColumn, i));
    };
    TeamRowSum sum{weight, weightRow, column,          int64_t(product.getHeads().getWSize()),
                   count,  load,      TeamDot::kTokens};
    sum.emit(b, team, [&](int64_t t, Value offset, Value values) {
      storeFloats(b, values, dot->getSums(), {addIndex(b, group, t), offset});
    });
  });
}

namespace {

class TeamMatmulEmitter : public KernelEmitter {
public:
  std::optional<std::string> refuseFusion(Operation *op, bool before) const override {
    if (isa<moe::LinearOp, moe::GroupedLinearOp, moe::HeadLinearOp>(op) && !before)
      for (Value operand : op->getOperands().take_front(2))
        if (auto reason = Operand::refuse(operand.getType()))
          return reason;
    if (before)
      return "team matrix kernels read their operands from memory";
    return ProductTile::refuse(op);
  }

  SmallVector<Candidate> getCandidates(kern::KernelOp kernel,
                                       const Machine &machine) const override {
    int64_t tileColumns = 16, threads = 128;
    if (GatedEpilogue::matches(kernel)) {
      // Whole quantization blocks.
      tileColumns = llvm::alignTo(tileColumns, GatedEpilogue::getColumnMultiple(kernel));
      threads = 256;
    } else if (moe::HeadLinearOp heads = Product(kernel).getHeads();
               heads && heads.getTransposed()) {
      tileColumns = 256;
      threads = 64;
    }
    threads = std::clamp(threads, machine.subgroup, machine.threads);
    bool hasFew = getMostRows(kernel, kManyRows) <= kFewRows;
    SmallVector<Candidate> candidates{
        {makeSchedule(kernel.getContext(),
                      {{"columns", tileColumns}, {"tokens", 16}, {"threads", threads}}),
         hasFew ? 0.0 : 1.0}};
    addFragmentCandidate(kernel, machine, hasFew ? 1.0 : 0.0, candidates);
    return candidates;
  }

  static void addFragmentCandidate(kern::KernelOp kernel, const Machine &machine, double cost,
                                   SmallVectorImpl<Candidate> &candidates) {
    Product product(kernel);
    if (!machine.fragments || !product.op || !product.suitsFragments())
      return;
    int64_t columns = 64, tokens = 64;
    if (GatedEpilogue::matches(kernel))
      columns = llvm::alignTo(columns, GatedEpilogue::getColumnMultiple(kernel));
    if (columns > 128)
      return;
    if (columns > 64) // the sums of gates and of what they gate
      tokens = 32;
    candidates.push_back(
        {makeSchedule(kernel.getContext(),
                      {{"columns", columns},
                       {"tokens", tokens},
                       {"threads", FragmentDot::countThreads(tokens, columns, machine.subgroup)},
                       {kSliceSize, StagedOperand::kSlice}}),
         cost});
  }

  kern::GridAttr getGrid(kern::KernelOp kernel) const override {
    Product product(kernel);
    kern::ScheduleAttr schedule = *kernel.getSchedule();
    int64_t blocks = llvm::divideCeil(product.getColumns(kernel), schedule.get("columns"));
    if (product.getGrouped()) {
      int64_t experts = moe::getShape(product.weight.getType())[0];
      return kern::GridAttr::get(kernel.getContext(), kern::Dim::One, 1, 1, 0, experts * blocks);
    }
    auto [dim, multiplier] = getRows(kernel);
    int64_t heads = product.getHeads() ? int64_t(product.getHeads().getHeads()) : 1;
    return kern::GridAttr::get(kernel.getContext(), dim, multiplier, schedule.get("tokens"),
                               /*cap=*/0, blocks * heads);
  }

  LogicalResult emit(TileFunction &tile) const override {
    Product product(tile.kernel);
    if (!product.op)
      return tile.kernel.emitError() << "holds no matrix product";
    for (Value operand : {product.x, product.weight}) {
      if (!tile.getArgument(operand))
        return product.op->emitError() << "reads what is no argument of the kernel";
      if (auto reason = Operand::refuse(operand.getType()))
        return product.op->emitError() << *reason;
    }
    return TeamProduct(tile, product).emit();
  }
};

} // namespace

ArrayRef<int64_t> moec::codegen::getTeamRowClasses(const Machine &machine) {
  static constexpr int64_t classes[] = {kFewRows};
  return machine.fragments ? ArrayRef(classes) : ArrayRef<int64_t>();
}

const KernelEmitter &moec::codegen::getTeamMatmulEmitter() {
  static const TeamMatmulEmitter emitter;
  return emitter;
}
