// Random weights and inputs: the same for a seed, of sensible size, consistent.
#include "dialects/reference/Random.h"
#include "dialects/reference/RandomInputs.h"
#include "dialects/reference/SmallFloat.h"
#include "test/dialects/reference/Fixture.h"

#include <cmath>
#include <set>

using namespace moec;
using namespace moec::reference;
using namespace moec::reference::test;

namespace {
class RandomTest : public ReferenceTest {
protected:
  LeafData load(uint64_t seed, const std::string &name, const std::string &type) {
    return llvm::cantFail(RandomWeights(seed).load({name, mlir::parseType(type, &context)}));
  }
  Values inputs(const std::string &text, InputDims dims = {}, uint64_t seed = 1) {
    parse(text);
    auto function = module->lookupSymbol<mlir::FunctionOpInterface>("f");
    return llvm::cantFail(makeRandomInputs(function, dims, seed));
  }
  static double deviation(const std::vector<double> &values, double mean = 0) {
    double sum = 0;
    for (double value : values)
      sum += (value - mean) * (value - mean);
    return std::sqrt(sum / double(values.size()));
  }
};
} // namespace

TEST_F(RandomTest, WeightsDependOnSeedAndName) {
  auto values = [&](uint64_t seed, const char *name) {
    return load(seed, name, "tensor<4x4xf32>").values;
  };
  EXPECT_EQ(values(1, "a"), values(1, "a"));
  EXPECT_NE(values(1, "a"), values(2, "a"));
  EXPECT_NE(values(1, "a"), values(1, "b"));
}

TEST_F(RandomTest, WeightsAreOfSensibleSize) {
  EXPECT_NEAR(deviation(load(1, "w", "tensor<64x64xf32>").values), 1.0 / 8, 0.01);
  EXPECT_NEAR(deviation(load(1, "norm.weight", "tensor<512xf32>").values, 1), 0.1, 0.02);
  EXPECT_NEAR(deviation(load(1, "gate.bias", "tensor<512xf32>").values, 0), 0.1, 0.02);
  auto data = load(1, "q", "!moe.qtensor<64x64xf8E4M3FN, block = [32, 32], scale = f32>");
  Quantized weight{Tensor({64, 64}, data.values), Tensor({2, 2}, data.scales), {32, 32}};
  EXPECT_NEAR(deviation(weight.dequantize().data), 1.0 / 8, 0.05);
  for (double code : data.values)
    ASSERT_EQ(SmallFloat::e4m3().round(code), code);
  for (double scale : data.scales)
    ASSERT_EQ(double(float(scale)), scale);
}

TEST_F(RandomTest, StepsAreConsistent) {
  auto in = inputs(R"(
    module attributes {moe.max_context = 9 : i64} {
      func.func @f(%ids: tensor<?xi32> {moe.input = "token_ids"}, %p: tensor<?xi32> {moe.input = "positions"},
          %s: tensor<?xi32> {moe.input = "sequence_ids"}, %b: tensor<?x?xi32> {moe.input = "block_table"},
          %r: tensor<?xi32> {moe.input = "output_rows"}, %c: !moe.cache<3xf32, page = 4> {moe.input = "cache"},
          %t: tensor<17x3xf32>) {
        %0 = moe.embedding %ids, %t : (tensor<?xi32>, tensor<17x3xf32>) -> tensor<?x3xf32>
        return
      }
    })",
                   {7, 3, 2});
  const auto &positions = std::get<Ints>(*in[1]), &sequences = std::get<Ints>(*in[2]),
             &table = std::get<Ints>(*in[3]);
  const auto &cache = std::get<Cache>(*in[5]);
  EXPECT_EQ(positions.rows(), 7);
  EXPECT_EQ(table.rows(), 3);
  EXPECT_EQ(std::get<Ints>(*in[4]).rows(), 2);
  for (int32_t id : intData(in[0]))
    EXPECT_TRUE(id >= 0 && id < 17);
  std::set<int32_t> pages(table.data.begin(), table.data.end());
  EXPECT_EQ(pages.size(), table.data.size()) << "no page is used twice";
  EXPECT_EQ(cache.rows.rows(), int64_t(pages.size()) * 4);
  for (int t = 0; t < 7; ++t) {
    EXPECT_LT(positions.data[t], 9) << "within the context";
    EXPECT_LT(positions.data[t] / 4, table.columns());
    if (t && sequences.data[t] == sequences.data[t - 1])
      EXPECT_EQ(positions.data[t], positions.data[t - 1] + 1);
  }
  EXPECT_EQ(sequences.data.back(), 2);
}

TEST_F(RandomTest, UsesTellWhatUnmarkedArgumentsAreFor) {
  auto in = inputs(R"(
    kern.kernel @k(%y: tensor<?x4xf32>, %slots: tensor<?x3xi32>, %w: tensor<?x3xf32>) -> tensor<?x4xf32>
        attributes {hero = #kern.hero<permutation>, rows = [unit, unit, unit, unit],
                    row_strides = array<i64: 4, 3, 3, 4>} {
      %0 = moe.combine %y, %slots, %w : (tensor<?x4xf32>, tensor<?x3xi32>, tensor<?x3xf32>) -> tensor<?x4xf32>
      kern.yield %0 : tensor<?x4xf32>
    }
    func.func @f(%x: tensor<?x4xf32>, %w: tensor<5x4x4xf32>, %offsets: tensor<6xi32>, %rows: tensor<?xi32>,
                 %slots: tensor<?x3xi32>, %weights: tensor<?x3xf32>) -> tensor<?x4xf32> {
      %0 = moe.grouped_linear %x, %w, %offsets, %rows {top_k = 3 : i64}
        : (tensor<?x4xf32>, tensor<5x4x4xf32>, tensor<6xi32>, tensor<?xi32>) -> tensor<?x4xf32>
      %1 = kern.launch @k(%0, %slots, %weights) : (tensor<?x4xf32>, tensor<?x3xi32>, tensor<?x3xf32>) -> tensor<?x4xf32>
      return %1 : tensor<?x4xf32>
    })",
                   {4, 1, 1});
  const auto &offsets = intData(in[2]), &rows = intData(in[3]), &slots = intData(in[4]);
  ASSERT_EQ(rows.size(), 12u);
  EXPECT_EQ(offsets.back(), 12);
  EXPECT_TRUE(std::is_sorted(offsets.begin(), offsets.end()));
  for (int32_t pair = 0; pair < 12; ++pair)
    EXPECT_EQ(rows[slots[pair]], pair);
  run(in);
}

TEST_F(RandomTest, CrowdedExperts) {
  auto in = inputs(R"(
    func.func @f(%x: tensor<?x4xf32>, %w: tensor<6x4x4xf32>, %offsets: tensor<7xi32>, %rows: tensor<?xi32>) {
      %0 = moe.grouped_linear %x, %w, %offsets, %rows {top_k = 3 : i64}
        : (tensor<?x4xf32>, tensor<6x4x4xf32>, tensor<7xi32>, tensor<?xi32>) -> tensor<?x4xf32>
      return
    })",
                   {.tokens = 9, .sequences = 1, .crowded = true});
  const auto &offsets = intData(in[2]);
  EXPECT_EQ(offsets[1], 9) << "all tokens";
  EXPECT_EQ(offsets[2] - offsets[1], 1);
  EXPECT_EQ(offsets[6] - offsets[5], 0);
  EXPECT_EQ(offsets[6], 27);
}

TEST_F(RandomTest, EarlierTokens) {
  auto in = inputs(R"(
    func.func @f(%p: tensor<?xi32> {moe.input = "positions"}, %s: tensor<?xi32> {moe.input = "sequence_ids"},
        %b: tensor<?x?xi32> {moe.input = "block_table"}, %c: !moe.cache<3xf32, page = 4>) {
      return
    })",
                   {.tokens = 2, .sequences = 2, .earlierTokens = 0});
  EXPECT_EQ(intData(in[0]), (std::vector<int32_t>{0, 0}));
  EXPECT_EQ(std::get<Ints>(*in[2]).columns(), 1) << "one page is enough for one token";
}

TEST_F(RandomTest, KernelRowsCountRows) {
  parse(R"(
    kern.kernel @f(%x: tensor<?x4xf32>, %q: !moe.qtensor<?x130xf8E4M3FN, block = [1, 128], scale = f32>) attributes {
        hero = #kern.hero<rows>, rows = [#kern.rows<tokens * 3>, #kern.rows<output_rows * 1>],
        row_strides = array<i64: 4, 130>} {
      kern.yield
    })");
  auto in = llvm::cantFail(
      makeRandomInputs(module->lookupSymbol<mlir::FunctionOpInterface>("f"), {5, 1, 2}, 1));
  EXPECT_EQ(std::get<Tensor>(*in[0]).rows(), 15);
  EXPECT_EQ(std::get<Quantized>(*in[1]).scales.shape, (Shape{2, 2}));
}

TEST_F(RandomTest, BadRequestsAreErrors) {
  parse("func.func private @f()  func.func @g(%x: index) { return }");
  auto error = [&](const char *name, InputDims dims) {
    auto function = module->lookupSymbol<mlir::FunctionOpInterface>(name);
    return llvm::toString(makeRandomInputs(function, dims, 1).takeError());
  };
  EXPECT_EQ(error("f", {}), "'f' has no body");
  EXPECT_EQ(error("g", {}), "an argument is of a type that cannot be interpreted");
  EXPECT_EQ(error("g", {0, 1, 1}), "tokens, sequences and output rows must be positive");
}

// A kernel would read behind the table's end, where there may be no memory.
TEST_F(RandomTest, PositionsThatATableOfRotationsLacksAreAnError) {
  parse(R"(
    func.func @f(%x: tensor<9x8xf32>, %p: tensor<9xi32>, %t: tensor<6x4xf32>) -> tensor<9x8xf32> {
      %0 = moe.rope %x, %p, %t {heads = 2 : i64, rope = #moe.rope<dim = 4, theta = 1.0e4, layout = half>}
          : (tensor<9x8xf32>, tensor<9xi32>, tensor<6x4xf32>) -> tensor<9x8xf32>
      return %0 : tensor<9x8xf32>
    })");
  auto function = module->lookupSymbol<mlir::FunctionOpInterface>("f");
  auto error = [&](int64_t sequences, int64_t earlier) {
    return llvm::toString(makeRandomInputs(function, {9, sequences, 1, earlier}, 1).takeError());
  };
  EXPECT_EQ(error(3, 3), "");
  EXPECT_EQ(error(3, 4), "a sequence has position 6, a table of rotations 6 rows: divide the 9 "
                         "tokens among more than 3 sequences, or give them fewer earlier tokens");
  EXPECT_EQ(error(1, 0).substr(0, 24), "a sequence has position ");
}
