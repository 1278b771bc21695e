#include "codegen/kernels/team_matmul/TeamRowSum.h"

#include "codegen/kernels/Vectors.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace moec::codegen;

void TeamRowSum::emit(ImplicitLocOpBuilder &b, const Team &team,
                      llvm::function_ref<void(int64_t, Value, Value)> store) const {
  forColumns(b, columns, team, [&](Value offset, int64_t width) {
    Value at = arith::AddIOp::create(b, column, offset);
    auto step = [&](Value i, ValueRange carried) {
      Value row = arith::AddIOp::create(b, weightRow, i);
      Value values = weight.load(b, row, at, width), scale = weight.loadScale(b, row, at);
      SmallVector<Value> next;
      for (int64_t t = 0; t < tokens; ++t) {
        Value factor = load(t, i);
        if (scale)
          factor = arith::MulFOp::create(b, factor, scale);
        next.push_back(math::FmaOp::create(b, splat(b, factor, width), values, carried[t]));
      }
      return next;
    };
    SmallVector<Value> init(tokens, constantFloat(b, 0, width));
    auto totals = forRange(b, constantIndex(b, 0), constantIndex(b, depth), 1, init, step);
    for (int64_t t = 0; t < tokens; ++t)
      store(t, offset, totals[t]);
  });
}
