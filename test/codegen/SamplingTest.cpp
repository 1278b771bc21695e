// Kernels that choose tokens, against the reference interpreter: every token is the same.
#include "dialects/reference/Scope.h"
#include "runtime/core/Sampler.h"
#include "test/codegen/KernelHarness.h"

#include "llvm/ADT/bit.h"
#include "llvm/Support/FormatVariadic.h"
#include "gtest/gtest.h"

#include <cmath>
#include <limits>

using namespace moec;
using namespace moec::test;

namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr float kLog2E = 1.4426950408889634f;

std::string maximaKernel(int64_t columns) {
  int64_t chunks = (columns + 127) / 128;
  return llvm::formatv(R"(
    kern.kernel @k(%l: tensor<?x{0}xf32>) -> tensor<?x{1}xf32> attributes {{hero = #kern.hero<rows>,
        rows = [#kern.rows<output_rows * 1>, #kern.rows<output_rows * 1>], row_strides = array<i64: {0}, {1}>} {{
      %m = moe.chunk_maxima %l {{chunk = 128 : i64} : (tensor<?x{0}xf32>) -> tensor<?x{1}xf32>
      kern.yield %m : tensor<?x{1}xf32>
    })",
                       columns, chunks);
}

std::string massesKernel(int64_t columns) {
  int64_t chunks = (columns + 127) / 128;
  return llvm::formatv(R"(
    kern.kernel @k(%l: tensor<?x{0}xf32>, %m: tensor<?x{1}xf32>, %s: tensor<?x4xi32>) -> tensor<?x{2}xi32>
        attributes {{hero = #kern.hero<rows>, rows = [#kern.rows<output_rows * 1>, #kern.rows<output_rows * 1>,
        #kern.rows<output_rows * 1>, #kern.rows<output_rows * 1>], row_strides = array<i64: {0}, {1}, 4, {2}>} {{
      %r = moe.chunk_masses %l, %m, %s {{chunk = 128 : i64}
          : (tensor<?x{0}xf32>, tensor<?x{1}xf32>, tensor<?x4xi32>) -> tensor<?x{2}xi32>
      kern.yield %r : tensor<?x{2}xi32>
    })",
                       columns, chunks, 2 * chunks);
}

std::string sampleKernel(int64_t columns) {
  int64_t chunks = (columns + 127) / 128;
  return llvm::formatv(R"(
    kern.kernel @k(%l: tensor<?x{0}xf32>, %m: tensor<?x{1}xf32>, %c: tensor<?x{2}xi32>, %s: tensor<?x4xi32>)
        -> tensor<?xi32> attributes {{hero = #kern.hero<rows>, rows = [#kern.rows<output_rows * 1>,
        #kern.rows<output_rows * 1>, #kern.rows<output_rows * 1>, #kern.rows<output_rows * 1>, #kern.rows<output_rows * 1>],
        row_strides = array<i64: {0}, {1}, {2}, 4, 1>} {{
      %r = moe.sample %l, %m, %c, %s {{chunk = 128 : i64}
          : (tensor<?x{0}xf32>, tensor<?x{1}xf32>, tensor<?x{2}xi32>, tensor<?x4xi32>) -> tensor<?xi32>
      kern.yield %r : tensor<?xi32>
    })",
                       columns, chunks, 2 * chunks);
}

template <typename T> reference::Dense<T> read(const SlotMemory &memory) {
  reference::Dense<T> dense{{memory.rows(), memory.columns()}};
  for (int64_t i = 0; i < memory.size(); ++i)
    dense.data[i] = T(memory.atFlat(i));
  return dense;
}

template <typename T> void write(SlotMemory &memory, const reference::Dense<T> &dense) {
  for (int64_t i = 0; i < memory.size(); ++i)
    memory.setFlat(i, dense.data[i]);
}

/// A sample kernel whose logits and parameters a test sets.
class Sampling {
public:
  Sampling(int64_t columns, int64_t rows)
      : harness(sampleKernel(columns), {.outputRows = rows}), rows(rows), columns(columns) {}

  void setLogits(llvm::function_ref<double(int64_t row, int64_t column)> logit) {
    for (int64_t row = 0; row < rows; ++row)
      for (int64_t column = 0; column < columns; ++column)
        harness.argument(0).set(row, column, logit(row, column));
  }
  /// The same for every row, but the random numbers, which are spread evenly.
  void setSampling(float factor, int32_t topK, double topP) {
    SlotMemory &sampling = harness.argument(3);
    for (int64_t row = 0; row < rows; ++row) {
      sampling.setBits(row, 0, llvm::bit_cast<uint32_t>(factor));
      sampling.setBits(row, 1, topK);
      sampling.setBits(row, 2, topP < 1 ? uint32_t(std::lround(topP * 0x1p32)) : 0);
      sampling.setBits(row, 3, uint32_t((uint64_t(row) << 32) / rows + row));
    }
  }
  void setRow(int64_t row, const std::array<uint32_t, 4> &parameters) {
    for (int64_t i = 0; i < 4; ++i)
      harness.argument(3).setBits(row, i, parameters[i]);
  }
  /// Tokens that differ from the interpreter's.
  double compare() {
    auto logits = read<double>(harness.argument(0));
    write(harness.argument(1), reference::getChunkMaxima(logits, 128));
    write(harness.argument(2), reference::getChunkMasses(logits, getParameters(), 128));
    return harness.compare()[0];
  }
  int64_t token(int64_t row) { return int64_t(harness.result(0).at(row)); }

private:
  reference::Ints getParameters() { return read<int32_t>(harness.argument(3)); }
  KernelHarness harness;
  int64_t rows, columns;
};

/// The kernels that `makeText` makes for `columns` logits, on random rows. One image is loaded at a
/// time.
void expectSameOnRandomRows(std::string (*makeText)(int64_t columns), int64_t columns,
                            llvm::StringRef target, llvm::ArrayRef<int64_t> rowCounts) {
  KernelHarness harness(makeText(columns), {}, target);
  for (int64_t rows : rowCounts) {
    harness.setDims({.tokens = rows, .sequences = 1, .outputRows = rows}, columns + rows);
    EXPECT_EQ(harness.compare()[0], 0)
        << harness.getKernel().getBody().front().front().getName().getStringRef().str() << ": "
        << columns << " columns, " << rows << " rows on " << target.str();
  }
}

TEST(Sampling, RandomRowsOfEverySize) {
  for (int64_t columns : {1, 100, 130, 5000})
    for (const char *target : {"cpu", "cpu:x86-64-v3"})
      for (auto makeText : {maximaKernel, massesKernel, sampleKernel})
        expectSameOnRandomRows(makeText, columns, target, {1, 3, 17, 128});
}

TEST(Sampling, Vocabularies) {
  for (int64_t columns : {129280, 151936})
    for (auto makeText : {maximaKernel, massesKernel, sampleKernel})
      expectSameOnRandomRows(makeText, columns, "cpu", {7});
}

/// Every way to draw, from `logits` of 64 rows.
void expectSame(int64_t columns, llvm::function_ref<double(int64_t, int64_t)> logit) {
  Sampling sampling(columns, 64);
  sampling.setLogits(logit);
  struct {
    float factor;
    int32_t topK;
    double topP;
  } ways[] = {{0, 0, 1},      {kLog2E, 0, 1},   {kLog2E, 1, 1},     {kLog2E, 50, 1},
              {3, 0, 0.95},   {kLog2E, 0, 0.5}, {kLog2E, 0, 1e-9},  {kLog2E, 40, 0.9},
              {0.5, 4500, 1}, {1, 1 << 20, .7}, {kLog2E, 4500, .9}, {0.1f, 0, 0.999}};
  for (auto [factor, topK, topP] : ways) {
    sampling.setSampling(factor, topK, topP);
    EXPECT_EQ(sampling.compare(), 0) << factor << ", top_k " << topK << ", top_p " << topP;
  }
}

TEST(Sampling, PeakedLogits) {
  expectSame(5000, [](int64_t row, int64_t column) {
    return -4 * std::log(1 + (column * 7919 + row * 31) % 5000) + std::sin(double(column));
  });
}

TEST(Sampling, EqualLogitsGoByTheirIds) {
  // More equals than the workspace holds, then a few steps of equals.
  expectSame(5000, [](int64_t, int64_t) { return 1.5; });
  expectSame(5000, [](int64_t, int64_t column) { return double(column % 7); });
  expectSame(700, [](int64_t, int64_t column) { return column % 2 ? 0.0 : -0.0; });
}

TEST(Sampling, OddLogits) {
  expectSame(300, [](int64_t row, int64_t column) {
    return column % 3 == 0 ? kNan : column % 3 == 1 ? -kInf : double(column + row);
  });
  expectSame(300, [](int64_t, int64_t column) { return column % 90 == 7 ? kInf : column; });
  expectSame(300, [](int64_t, int64_t) { return -kInf; });
  expectSame(300, [](int64_t row, int64_t) { return row % 2 ? kNan : 1; });
}

TEST(Sampling, TheHostChoosesTheSame) {
  constexpr int64_t kColumns = 3000, kRows = 40;
  Sampling sampling(kColumns, kRows);
  auto logit = [](int64_t row, int64_t column) {
    return float(3 * std::sin(double(column * (row + 2))) + (column * 31) % 17 * 0.25);
  };
  sampling.setLogits(logit);
  for (auto [temperature, topK, topP] : {std::tuple(0.0, 0u, 1.0),
                                         {0.6, 0u, 1.0},
                                         {0.6, 0u, 0.95},
                                         {1.0, 40u, 1.0},
                                         {1.5, 40u, 0.9}}) {
    rt::Sampler sampler({temperature, topK, topP, 5});
    std::vector<int32_t> tokens;
    for (int64_t row = 0; row < kRows; ++row) {
      rt::TokenChoice choice = sampler.next();
      sampling.setRow(row, llvm::bit_cast<std::array<uint32_t, 4>>(choice));
      std::vector<float> logits;
      for (int64_t column = 0; column < kColumns; ++column)
        logits.push_back(logit(row, column));
      tokens.push_back(sampler.choose(logits, choice));
    }
    EXPECT_EQ(sampling.compare(), 0);
    for (int64_t row = 0; row < kRows; ++row)
      EXPECT_EQ(sampling.token(row), tokens[row]) << temperature << " " << topK << " " << topP;
  }
}

// Of three equals, each of weight 2^30, 4/3 * 2^30 parts of 2^32 are half a unit more than one is.
TEST(Sampling, TopPIsRoundedUp) {
  Sampling sampling(300, 1);
  sampling.setLogits([](int64_t, int64_t column) { return column < 3 ? 0 : -kInf; });
  constexpr uint32_t kTopP = 1431655766, kLargestRandom = ~0u;
  sampling.setRow(0, {llvm::bit_cast<uint32_t>(kLog2E), 0, kTopP, kLargestRandom});
  EXPECT_EQ(sampling.compare(), 0);
  EXPECT_EQ(sampling.token(0), 1);
}

TEST(Sampling, NothingToChooseFromIsNoToken) {
  Sampling sampling(300, 2);
  sampling.setLogits([](int64_t, int64_t) { return kNan; });
  sampling.setSampling(kLog2E, 5, 0.5);
  EXPECT_EQ(sampling.compare(), 0);
  EXPECT_EQ(sampling.token(0), -1);
  EXPECT_EQ(sampling.token(1), -1);
}

TEST(Sampling, RefusesOtherOpsInTheKernel) {
  std::string text = maximaKernel(130);
  text = replaceAll(text, "kern.yield %m", "%n = moe.add %m, %m : tensor<?x2xf32>\n kern.yield %n");
  EXPECT_NE(getFailure(text).find("that chooses tokens must hold one op"), std::string::npos)
      << getFailure(text);
}

} // namespace
