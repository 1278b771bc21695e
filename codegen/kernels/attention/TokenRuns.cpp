#include "codegen/kernels/attention/TokenRuns.h"

#include "codegen/kernels/Vectors.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace moec::codegen;

TokenRuns::TokenRuns(TileFunction &tile, Value positions, Value sequences)
    : b(tile.b), positions(tile.getArgument(positions).data),
      sequences(tile.getArgument(sequences).data) {}

Value TokenRuns::loadSequence(Value token) { return loadIndex(b, sequences, {token}); }

Value TokenRuns::loadContext(Value token) {
  return addIndex(b, loadIndex(b, positions, {token}), 1);
}

Value TokenRuns::countSeen(Value token, Value position, Value count) {
  Value seen = arith::MaxUIOp::create(b, loadContext(token), position);
  return arith::MinUIOp::create(b, arith::SubIOp::create(b, seen, position), count);
}

void TokenRuns::forEach(Value first, Value last, Body body) {
  // A run ends at the token whose successor is of another sequence.
  auto step = [&](Value token, ValueRange carried) -> SmallVector<Value> {
    Value begin = carried[0];
    Value context = arith::MaxUIOp::create(b, carried[1], loadContext(token));
    Value next = addIndex(b, token, 1), lastToken = addIndex(b, last, -1);
    auto equal = arith::CmpIPredicate::eq, differ = arith::CmpIPredicate::ne;
    Value atEnd = arith::CmpIOp::create(b, equal, next, last);
    Value successor = loadSequence(arith::MinUIOp::create(b, next, lastToken));
    Value other = arith::CmpIOp::create(b, differ, successor, loadSequence(token));
    Value ends = arith::OrIOp::create(b, atEnd, other);
    ifThen(b, ends, [&] { body(begin, next, context); });
    return {arith::SelectOp::create(b, ends, next, begin),
            arith::SelectOp::create(b, ends, constantIndex(b, 0), context)};
  };
  forRange(b, first, last, 1, {first, constantIndex(b, 0)}, step);
}
