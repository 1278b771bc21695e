// Projection, rotation and absorption of one head's query.
#include "codegen/kernels/head_matmul/QueryTile.h"

#include "codegen/kernels/Vectors.h"
#include "codegen/kernels/rows/RowParts.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace moec;
using namespace moec::codegen;

//===----------------------------------------------------------------------===//
// What it takes
//===----------------------------------------------------------------------===//

/// The product behind the rotated query `value`, or null.
static moe::HeadLinearOp findProduct(Value value) {
  for (Operation *user : value.getUsers())
    if (auto product = dyn_cast<moe::HeadLinearOp>(user))
      if (product.getTransposed() && product.getX() == value)
        return product;
  return {};
}

static std::optional<std::string> refuseRope(moe::RopeOp rope) {
  if (!rope.getTable())
    return "a rope needs its table; run attach-rope-tables first";
  moe::HeadLinearOp product = findProduct(rope.getResult());
  if (!product)
    return "the host's head_matmul kernels rotate only what a transposed head_linear multiplies";
  if (product.getHeads() != rope.getHeads())
    return "the rope has " + std::to_string(rope.getHeads()) + " heads, the product " +
           std::to_string(product.getHeads());
  return std::nullopt;
}

static std::optional<std::string> refuseProjection(moe::LinearOp linear) {
  auto rope = linear->hasOneUse() ? dyn_cast<moe::RopeOp>(*linear->user_begin()) : moe::RopeOp();
  if (!rope || refuseRope(rope))
    return "the host's head_matmul kernels project only a query that is rotated next and read by "
           "nothing else";
  if (linear.getBias())
    return "the host's head_matmul kernels add no bias to a query";
  return std::nullopt;
}

std::optional<std::string> QueryTile::refuse(Operation *op) {
  if (auto rope = dyn_cast<moe::RopeOp>(op))
    return refuseRope(rope);
  if (auto linear = dyn_cast<moe::LinearOp>(op))
    return refuseProjection(linear);
  return ("the host's head_matmul kernels begin with a linear and a rope, not with " +
          op->getName().getStringRef())
      .str();
}

bool QueryTile::matches(moe::HeadLinearOp product) {
  return static_cast<bool>(product.getX().getDefiningOp());
}

static moe::RopeOp getRope(moe::HeadLinearOp product) {
  return product.getX().getDefiningOp<moe::RopeOp>();
}

static moe::LinearOp getProjection(moe::HeadLinearOp product) {
  return getRope(product).getX().getDefiningOp<moe::LinearOp>();
}

/// Reports a body that is not linear, rope and product.
static LogicalResult check(moe::HeadLinearOp product) {
  for (Operation &op : product->getBlock()->without_terminator()) {
    if (&op == product)
      continue;
    if (std::optional<std::string> reason = QueryTile::refuse(&op))
      return op.emitError() << *reason;
  }
  moe::RopeOp rope = getRope(product);
  if (!rope || !getProjection(product))
    return product.emitError() << "the host's head_matmul kernels hold a product alone, or with "
                                  "the rope and the linear before it";
  return success();
}

//===----------------------------------------------------------------------===//
// Schedule
//===----------------------------------------------------------------------===//

static int64_t getHeadColumns(moe::HeadLinearOp product) {
  return moe::getShape(product.getX().getType())[1] / product.getHeads();
}

Candidate QueryTile::getCandidate(kern::KernelOp kernel, const Machine &machine) {
  auto product = findHero<moe::HeadLinearOp>(kernel);
  Candidate candidate = RowSumTile::getCandidate(kernel, machine);
  auto size = [&](StringRef name) { return candidate.schedule.get(name); };
  int64_t rows = 4, group = getTokenGroup(machine);
  int64_t columns = llvm::alignTo(getHeadColumns(product), rows);
  candidate.schedule = makeSchedule(
      kernel.getContext(), {{"vector", size("vector")},
                            {"columns", size("columns")},
                            {"tokens", size("tokens")},
                            {"token_group", size("token_group")},
                            {"chunks", size("chunks")},
                            {"query_rows", rows},
                            {"query_group", group},
                            {"depth", getPanelDepth(kernel, machine, columns, rows, group)}});
  return candidate;
}

kern::GridAttr QueryTile::getGrid(kern::KernelOp kernel) {
  auto product = findHero<moe::HeadLinearOp>(kernel);
  auto [dim, multiplier] = getRows(kernel);
  return kern::GridAttr::get(kernel.getContext(), dim, multiplier,
                             kernel.getSchedule()->get("tokens"), /*cap=*/0, product.getHeads());
}

static DotSizes getDotSizes(const TileFunction &tile, moe::HeadLinearOp product) {
  auto size = [&](StringRef name) { return tile.getScheduleSize(name); };
  int64_t columns = llvm::alignTo(getHeadColumns(product), size("query_rows"));
  return {size("vector"),      columns,      size("tokens"), size("query_rows"),
          size("query_group"), size("depth")};
}

//===----------------------------------------------------------------------===//
// The tile
//===----------------------------------------------------------------------===//

QueryTile::QueryTile(TileFunction &tile, moe::HeadLinearOp product, OperandReader x,
                     OperandReader projection, OperandReader up)
    : tile(tile), b(tile.b), product(product), rope(getRope(product)), projection(projection),
      up(up), lanes(tile.getScheduleSize("vector")), headColumns(getHeadColumns(product)),
      dot(tile, x, projection, getDotSizes(tile, product)),
      rowSum(tile, OperandReader::ofRows(tile, dot.getSums(), headColumns, lanes), up,
             product.getWSize()) {}

LogicalResult QueryTile::emit(TileFunction &tile, moe::HeadLinearOp product) {
  if (failed(check(product)))
    return failure();
  int64_t lanes = tile.getScheduleSize("vector"), tokens = tile.getScheduleSize("tokens");
  moe::LinearOp linear = getProjection(product);
  auto x = OperandReader::get(tile, linear.getX(), lanes);
  auto projection = OperandReader::get(tile, linear.getWeight(), lanes);
  auto up = OperandReader::get(tile, product.getWeight(), lanes);
  if (failed(x) || failed(projection) || failed(up))
    return failure();
  QueryTile query(tile, product, *x, *projection, *up);

  auto &b = tile.b;
  Value heads = constantIndex(b, product.getHeads());
  query.head = arith::RemUIOp::create(b, tile.getTile(), heads);
  query.token = mulIndex(b, arith::DivUIOp::create(b, tile.getTile(), heads), tokens);
  Value left = arith::SubIOp::create(b, tile.getResult(0).rows, query.token);
  query.numTokens = arith::MinUIOp::create(b, left, constantIndex(b, tokens));
  query.emitQuery();
  query.emitRope();
  query.emitLatent();
  return success();
}

void QueryTile::emitQuery() {
  int64_t rows = dot.getSizes().rows;
  dot.emit({.weightRow = mulIndex(b, head, headColumns),
            .numRows = constantIndex(b, headColumns),
            .numTokens = numTokens,
            .xColumn = constantIndex(b, 0),
            .source = [&](Value t) { return addIndex(b, token, t); },
            .expert = nullptr,
            .aligned = projection.sharesScales(rows) && headColumns % rows == 0});
}

/// Rotates the queries where they lie, then stores them for those who read them too.
void QueryTile::emitRope() {
  int64_t dim = rope.getRope().getDim();
  Buffer positions = tile.getArgument(rope.getPositions());
  Buffer angles = tile.getArgument(rope.getTable());
  Value firstColumn = mulIndex(b, head, headColumns);
  forRange(b, constantIndex(b, 0), numTokens, 1, [&](Value t) {
    Value row = addIndex(b, token, t), position = loadIndex(b, positions.data, {row});
    RowRef query{dot.getSums(), {}, t, 0, headColumns};
    RowRef table{angles.data, angles.scales, position, 0, dim};
    emitRotation(b, rope.getRope(), lanes, query, table, query,
                 constantIndex(b, headColumns - dim));
    for (unsigned result : tile.getResultsOf(rope.getResult()))
      forColumns(b, headColumns, lanes, [&](Value column, int64_t width) {
        storeFloats(b, query.load(b, column, width), tile.getResult(result).data,
                    {row, addIndex(b, firstColumn, column)});
      });
    if (!rope.getType().getElementType().isF32())
      forColumns(b, headColumns, lanes, [&](Value column, int64_t width) {
        query.store(b, column, roundFloats(b, query.load(b, column, width), rope.getType()));
      });
  });
}

void QueryTile::emitLatent() {
  int64_t heads = product.getHeads(), latent = up.getColumns(),
          columns = tile.getScheduleSize("columns");
  Value weightRow =
      addIndex(b, mulIndex(b, head, up.getRows() / heads), int64_t(product.getWOffset()));
  Value zero = constantIndex(b, 0), firstColumn = mulIndex(b, head, latent);
  auto store = [&](Value begin, int64_t count) {
    forRange(b, zero, numTokens, 1, [&](Value t) {
      Value row = addIndex(b, token, t);
      forColumns(b, count, lanes, [&](Value column, int64_t width) {
        Value values = loadFloats(b, rowSum.getSums(), {t, column}, width);
        for (unsigned result : tile.getResultsOf(product.getResult()))
          storeFloats(b, values, tile.getResult(result).data, {row, addIndex(b, begin, column)});
      });
    });
  };
  auto emitBlock = [&](Value column, int64_t count) {
    rowSum.emit({weightRow, column, constantIndex(b, product.getXOffset()), zero, numTokens},
                count);
    store(addIndex(b, firstColumn, column), count);
  };
  int64_t whole = latent / columns * columns;
  if (whole)
    forRange(b, zero, constantIndex(b, whole), columns,
             [&](Value column) { emitBlock(column, columns); });
  if (latent > whole)
    emitBlock(constantIndex(b, whole), latent - whole);
}
