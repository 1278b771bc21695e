#include "codegen/target/nvidia/hopper/PartialSums.h"

using namespace moec::hopper;
using mlir::ValueRange;

static constexpr int64_t kRows = 64, kWarps = 4, kLanes = 32, kVectorBytes = 16;
static constexpr int64_t kAtOnce = 8; // parts that are read together
static constexpr int64_t kBarrier = 1;

static int64_t getPlaceBytes(int64_t columns) { return kRows * (columns + 2) * 4; }

int64_t PartialSums::getScratchBytes(int64_t columns, int64_t blocks) {
  return 2 * blocks * getPlaceBytes(columns);
}

PartialSums::PartialSums(KernelFrame &frame, int64_t columns, Global scratch, Global counters)
    : b(frame.b), columns(columns), scratch(scratch), counters(counters),
      isLast(frame.allocate(4, 4)), thread(getThread(b)), lane(thread & (kLanes - 1)),
      ownWarp(broadcast(thread / kLanes, 0)) {}

Global PartialSums::getPlace(const Int &block, const Bool &begins) const {
  return scratch.at((block << 1) + toInt(begins), getPlaceBytes(columns));
}

Global PartialSums::getSums(const Global &place, const Int &columnBlock, const Int &warp) const {
  return place + ((columnBlock * kWarps + warp) * kLanes + lane) * kVectorBytes;
}

Global PartialSums::getRow(const Global &place, const Int &row) const {
  return place + (kRows * columns * 4) + row * 8;
}

void PartialSums::add(const AttentionItem &item, const Int &rows, ValueRange sums,
                      const SoftmaxRows::State &state,
                      llvm::function_ref<void(Int, Int, Value, Value)> emit) const {
  Int warps = ceilDiv(rows, 16);
  Int block = getBlock(b);
  ifThen(ownWarp < warps, [&] {
    Global place = getPlace(block, block == item.firstBlock);
    for (size_t i = 0; i < sums.size(); i += 4)
      store(makeVector(b, sums.slice(i, 4)), getSums(place, Int(b, i / 4), ownWarp), 16);
    ifThen((lane & 3) == 0, [&] {
      for (unsigned half : {0, 1}) {
        Int row = ownWarp * 16 + (lane >> 2) + 8 * half;
        store(makeVector(b, {state.reference[half], state.sum[half]}), getRow(place, row), 8);
      }
    });
  });
  fenceDevice(b);
  syncNamed(b, Int(b, kBarrier), kWarps * kLanes);
  ifThen(countParts(item), [&] {
    forLoop(Int(b, 0), warps, Int(b, 1), [&](Int warp) { combine(item, warp, emit); });
  });
}

/// Whether this was the last part.
Bool PartialSums::countParts(const AttentionItem &item) const {
  Int others = item.lastBlock - item.firstBlock;
  ifThen(thread == 0, [&] {
    Global counter = counters.at(item.firstBlock, 4);
    Int before = atomicAdd(counter, Int(b, 1));
    ifThen(before == others, [&] { store(Int(b, 0).value, counter, 4); });
    store(toInt(before == others).value, isLast, 4);
    fenceDevice(b);
  });
  syncNamed(b, Int(b, kBarrier), kWarps * kLanes);
  Int found(b, load(isLast, b.getI32Type(), 4));
  syncNamed(b, Int(b, kBarrier), kWarps * kLanes); // before `isLast` is used again
  fenceDevice(b);
  return found != 0;
}

/// Rows 16 * warp on; this warp takes every fourth block of 8 columns.
void PartialSums::combine(const AttentionItem &item, const Int &warp,
                          llvm::function_ref<void(Int, Int, Value, Value)> emit) const {
  int64_t mine = columns / 8 / kWarps;
  auto vector = [&](int64_t size) { return mlir::VectorType::get(size, b.getF32Type()); };
  Int parts = item.lastBlock - item.firstBlock + 1, firstRow = warp * 16 + (lane >> 2);
  Value least = constantFloat(b, SoftmaxRows::kLeast), zero = constantFloat(b, 0);
  Values init{least, least, zero, zero};
  init.append(4 * mine, zero);
  Values merged = forLoop(Int(b, 0), parts, Int(b, kAtOnce), init, [&](Int first, ValueRange got) {
    struct Part {
      std::array<Values, 2> rows;
      Values sums;
    };
    llvm::SmallVector<Part> read;
    for (int64_t i = 0; i < kAtOnce; ++i) {
      Int part = min(first + i, parts - 1);
      Global place = getPlace(item.firstBlock + part, part == 0);
      Part &to = read.emplace_back();
      Bool exists = first + i < parts;
      for (unsigned half : {0, 1}) {
        to.rows[half] = getElements(b, load(getRow(place, firstRow + 8 * half), vector(2), 8));
        to.rows[half][0] = select(exists, to.rows[half][0], least);
        to.rows[half][1] = select(exists, to.rows[half][1], zero);
      }
      for (int64_t j = 0; j < mine; ++j)
        to.sums.append(
            getElements(b, load(getSums(place, ownWarp + kWarps * j, warp), vector(4), 16)));
    }
    Values next(got);
    for (unsigned half : {0, 1}) {
      Value most = got[half];
      for (const Part &part : read)
        most = maxFloat(b, most, part.rows[half][0]);
      Value shrink = exp2Fast(b, subtractFloat(b, got[half], most));
      next[half] = most;
      next[2 + half] = multiplyFloat(b, got[2 + half], shrink);
      auto each = [&](auto change) {
        for (int64_t i = 0; i < 4 * mine; ++i)
          if (i / 2 % 2 == half)
            next[4 + i] = change(i);
      };
      each([&](int64_t i) { return multiplyFloat(b, got[4 + i], shrink); });
      for (auto [n, part] : llvm::enumerate(read)) {
        Value weight = exp2Fast(b, subtractFloat(b, part.rows[half][0], most));
        weight = select(first + n < parts, weight, zero);
        next[2 + half] = fma(b, weight, part.rows[half][1], next[2 + half]);
        each([&](int64_t i) { return fma(b, weight, part.sums[i], next[4 + i]); });
      }
    }
    return next;
  });
  for (unsigned half : {0, 1}) {
    Value inverse = divideFloat(b, constantFloat(b, 1), merged[2 + half]);
    for (int64_t j = 0; j < mine; ++j) {
      auto get = [&](unsigned e) {
        return multiplyFloat(b, merged[4 + 4 * j + 2 * half + e], inverse);
      };
      emit(firstRow + 8 * half, (ownWarp + kWarps * j) * 8 + ((lane & 3) << 1), get(0), get(1));
    }
  }
}
