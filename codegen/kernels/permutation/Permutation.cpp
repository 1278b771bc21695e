// Kernels with hero permutation: a stable counting sort of (token, choice)
// pairs by expert, in one tile.
#include "codegen/kernels/Emitter.h"
#include "codegen/kernels/Vectors.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace moec;
using namespace moec::codegen;

namespace {

class PermutationEmitter : public KernelEmitter {
public:
  std::optional<std::string> refuseFusion(Operation *op, bool) const override {
    if (isa<moe::PermuteOp>(op))
      return std::nullopt;
    return "a permutation is a kernel of its own: it needs the experts of all tokens";
  }

  SmallVector<Candidate> getCandidates(kern::KernelOp kernel, const Machine &) const override {
    return {{makeSchedule(kernel.getContext(), {}), 0}};
  }

  kern::GridAttr getGrid(kern::KernelOp kernel) const override {
    return kern::GridAttr::get(kernel.getContext(), kern::Dim::One, 1, 1, 0, 1);
  }

  LogicalResult emit(TileFunction &tile) const override;
};

/// The sort while it is emitted.
struct Sort {
  ImplicitLocOpBuilder &b;
  Buffer ids, rows, slots, offsets; // results that the kernel does not yield are null
  int64_t topK, experts;
  Value cursors; // [experts] i32: pairs of each expert, then its next free slot

  Value number(int64_t value) { return arith::ConstantIntOp::create(b, value, 32); }
  Value add(Value lhs, Value rhs) { return arith::AddIOp::create(b, lhs, rhs); }

  /// Calls `body(token, choice, expert)` for every pair in order.
  void forPairs(llvm::function_ref<void(Value, Value, Value)> body) {
    Value zero = constantIndex(b, 0);
    forRange(b, zero, ids.rows, 1, [&](Value token) {
      forRange(b, zero, constantIndex(b, topK), 1,
               [&](Value choice) { body(token, choice, loadIndex(b, ids.data, {token, choice})); });
    });
  }

  /// Adds one to an expert's cursor; returns it as it was.
  Value advance(Value expert) {
    Value cursor = memref::LoadOp::create(b, cursors, expert);
    memref::StoreOp::create(b, add(cursor, number(1)), cursors, expert);
    return cursor;
  }

  void emit() {
    Value zero = constantIndex(b, 0), end = constantIndex(b, experts);
    forRange(b, zero, end, 1,
             [&](Value expert) { memref::StoreOp::create(b, number(0), cursors, expert); });
    forPairs([&](Value, Value, Value expert) { advance(expert); });
    Value total = forRange(b, zero, end, 1, number(0),
                           [&](Value expert, ValueRange carried) -> SmallVector<Value> {
                             Value count = memref::LoadOp::create(b, cursors, expert);
                             memref::StoreOp::create(b, carried[0], cursors, expert);
                             if (offsets)
                               memref::StoreOp::create(b, carried[0], offsets.data, expert);
                             return {add(carried[0], count)};
                           })[0];
    if (offsets)
      memref::StoreOp::create(b, total, offsets.data, end);
    forPairs([&](Value token, Value choice, Value expert) {
      Value slot = advance(expert);
      if (slots)
        memref::StoreOp::create(b, slot, slots.data, {token, choice});
      if (!rows)
        return;
      Value pair = addIndex(b, mulIndex(b, token, topK), choice);
      Value wide = arith::IndexCastOp::create(b, b.getIndexType(), slot);
      memref::StoreOp::create(b, arith::IndexCastOp::create(b, b.getI32Type(), pair), rows.data,
                              wide);
    });
  }
};

} // namespace

LogicalResult PermutationEmitter::emit(TileFunction &tile) const {
  auto ops = tile.kernel.getBody().front().without_terminator();
  auto permute = llvm::hasSingleElement(ops) ? dyn_cast<moe::PermuteOp>(*ops.begin()) : nullptr;
  if (!permute)
    return tile.kernel.emitOpError() << "with hero permutation must hold one moe.permute";
  auto &b = tile.b;
  auto getResult = [&](Value value) {
    auto results = tile.getResultsOf(value);
    return results.empty() ? Buffer{} : tile.getResult(results.front());
  };
  Sort sort{b,
            tile.getArgument(permute.getIds()),
            getResult(permute.getRows()),
            getResult(permute.getSlots()),
            getResult(permute.getOffsets()),
            moe::getShape(permute.getIds().getType())[1],
            moe::getShape(permute.getOffsets().getType())[0] - 1,
            {}};
  sort.cursors = tile.allocate({sort.experts}, b.getI32Type());
  sort.emit();
  return success();
}

const KernelEmitter &moec::codegen::getPermutationEmitter() {
  static const PermutationEmitter emitter;
  return emitter;
}
