#include "codegen/target/nvidia/hopper/PromptSteps.h"

#include "codegen/target/nvidia/hopper/WarpReduce.h"

using namespace moec::hopper;
using mlir::ValueRange;

static constexpr int64_t kLanes = 32;

static Values dropFront(const Values &values, size_t count) {
  return Values(values.begin() + count, values.end());
}

static Values prepend(llvm::ArrayRef<Value> first, const Values &others) {
  Values all(first.begin(), first.end());
  all.append(others);
  return all;
}

Values PromptSteps::forEach(ValueRange init,
                            llvm::function_ref<Values(const PromptStep &, ValueRange)> body) const {
  // Carried: the next run's first token, the number of the step.
  Values start = prepend({Int(b, 0).value, Int(b, 0).value}, Values(init));
  Values last = whileLoop(
      b, start, [&](ValueRange at) { return Int(b, at[0]) < tokens.count; },
      [&](ValueRange at) {
        PromptStep run = findRun(Int(b, at[0]));
        Int heads = countHeads(run), all(b, tokens.heads);
        Values after =
            forLoop(Int(b, 0), all, heads, at.drop_front(1), [&](Int head, ValueRange carried) {
              PromptStep step = run;
              step.firstHead = head;
              step.heads = min(heads, all - head);
              step.number = Int(b, carried[0]);
              return prepend({(step.number + 1).value}, body(step, carried.drop_front(1)));
            });
        return prepend({(run.firstToken + run.tokens).value}, after);
      });
  return dropFront(last, 2);
}

/// The tokens from `first` on that belong to its sequence, and the longest of their contexts.
PromptStep PromptSteps::findRun(const Int &first) const {
  constexpr int64_t kParts = 8, kAtOnce = kParts * kLanes;
  Int lane = getThread(b) & (kLanes - 1), zero(b, 0);
  auto loadInt = [&](const Global &array, const Int &index) {
    return Int(b, load(array.at(index, 4), b.getI32Type(), 4));
  };
  PromptStep run;
  run.firstToken = first;
  run.sequence = loadInt(tokens.sequences, first);
  // Carried: tokens that were looked at, tokens of the run, the lane's last position.
  Values found = whileLoop(
      b, {zero.value, zero.value, zero.value},
      [&](ValueRange at) {
        return (Int(b, at[0]) == Int(b, at[1])) & (first + Int(b, at[0]) < tokens.count);
      },
      [&](ValueRange at) -> Values {
        Int begin = first + Int(b, at[0]), count(b, at[1]), most(b, at[2]);
        std::array<Int, kParts> sequences, positions;
        for (int64_t part = 0; part < kParts; ++part) {
          Int token = min(begin + part * kLanes + lane, tokens.count - 1);
          sequences[part] = loadInt(tokens.sequences, token);
          positions[part] = loadInt(tokens.positions, token);
        }
        for (int64_t part = 0; part < kParts; ++part) {
          Int looked = Int(b, at[0]) + part * kLanes;
          Int token = first + looked + lane;
          Int others = ballot((token >= tokens.count) | (sequences[part] != run.sequence));
          Int mine = select(count == looked, countTrailingZeros(others), zero);
          most = max(most, select(lane < mine, positions[part], zero));
          count = count + mine;
        }
        return {(Int(b, at[0]) + kAtOnce).value, count.value, most.value};
      });
  Int most = reduceWarp(Int(b, found[2]), max);
  run.tokens = broadcast(Int(b, found[1]), 0);
  run.length = broadcast(most, 0) + 1;
  run.paddedLength = ceilDiv(run.length, PromptStep::kBlockRows) * PromptStep::kBlockRows;
  return run;
}

Int PromptSteps::countHeads(const PromptStep &run) const {
  Int one(b, 1), all(b, tokens.heads);
  Int fitting = max(Int(b, rows) / run.paddedLength, one);
  Int wanted = ceilDiv(getNumBlocks(b) * rounds, run.getTiles(tokens.tileTokens));
  Int steps = ceilDiv(all, min(all, min(fitting, wanted)));
  return ceilDiv(all, steps);
}

Values
PromptSteps::forEachTile(const PromptStep &step, ValueRange init,
                         llvm::function_ref<Values(const AttentionItem &, ValueRange)> body) const {
  Int block = getBlock(b), blocks = getNumBlocks(b);
  Int tiles = step.getTiles(tokens.tileTokens), count = tiles * step.heads;
  auto getIndex = [&](const Int &round) {
    return round * blocks + select((round & 1) == 0, block, blocks - 1 - block);
  };
  Values last = whileLoop(
      b, prepend({Int(b, 0).value}, Values(init)),
      [&](ValueRange at) { return getIndex(Int(b, at[0])) < count; },
      [&](ValueRange at) {
        Int round(b, at[0]), index = getIndex(round);
        Int before = (tiles - 1 - index / step.heads) * tokens.tileTokens;
        AttentionItem item;
        item.firstToken = step.firstToken + before;
        item.tokens = min(step.tokens - before, Int(b, tokens.tileTokens));
        item.sequence = step.sequence;
        item.head = step.firstHead + index % step.heads;
        setContext(item, tokens);
        return prepend({(round + 1).value}, body(item, at.drop_front(1)));
      });
  return dropFront(last, 1);
}
