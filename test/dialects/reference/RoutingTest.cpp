// The gate's choices in every corner, and the experts in both forms.
#include "dialects/reference/Random.h"
#include "test/dialects/reference/Fixture.h"

#include <cmath>

using namespace moec::reference;
using namespace moec::reference::test;

namespace {
class RoutingTest : public ReferenceTest {
protected:
  /// Ids and weights of one row of logits.
  std::pair<std::vector<int32_t>, std::vector<double>> gate(std::vector<double> logits, int topK,
                                                            std::string attributes,
                                                            std::vector<double> bias = {}) {
    std::string experts = std::to_string(logits.size()), k = std::to_string(topK);
    std::string types = "tensor<?x" + experts + "xf32>";
    Values arguments{floats({1, int64_t(logits.size())}, logits)};
    if (!bias.empty()) {
      types += ", tensor<" + experts + "xf32>";
      arguments.push_back(floats({int64_t(bias.size())}, bias));
    }
    auto out = evaluate("moe.gate", types, "top_k = " + k + " : i64, " + attributes,
                        "tensor<?x" + k + "xi32>, tensor<?x" + k + "xf32>", arguments);
    return {intData(out[0]), data(out[1])};
  }

  static double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

  Tensor draw(Shape shape) {
    Tensor tensor(shape);
    for (double &element : tensor.data)
      element = numbers.normal();
    return tensor;
  }
  Random numbers{5};
};

using Choice = std::vector<int32_t>;
const std::string sigmoidScores = "scoring = #moe<scoring sigmoid>";
} // namespace

TEST_F(RoutingTest, GateOrdersByFallingScore) {
  auto [ids, weights] = gate({0, 2, 1, -1}, 3, sigmoidScores);
  EXPECT_EQ(ids, (Choice{1, 2, 0}));
  EXPECT_DOUBLE_EQ(weights[0], sigmoid(2));
  EXPECT_DOUBLE_EQ(weights[2], 0.5);
}

TEST_F(RoutingTest, SharedExpertsAreEveryRows) {
  auto out = evaluate("moe.gate", "tensor<?x4xf32>",
                      "top_k = 1 : i64, shared = 2 : i64, scale = 3.0, " + sigmoidScores,
                      "tensor<?x3xi32>, tensor<?x3xf32>", {floats({1, 4}, {0, 2, 1, -1})});
  EXPECT_EQ(intData(out[0]), (Choice{1, 4, 5}));
  expectNear(out[1], {3 * sigmoid(2), 1, 1});
}

TEST_F(RoutingTest, GateTiesGoToTheLowerIndex) {
  EXPECT_EQ(gate({1, 1, 1, 1}, 2, sigmoidScores).first, (Choice{0, 1}));
  EXPECT_EQ(gate({0, 1, 1, 2}, 2, sigmoidScores).first, (Choice{3, 1}));
}

TEST_F(RoutingTest, BiasDecidesTheChoiceButNotTheWeight) {
  auto [ids, weights] = gate({5, 0, 0, 0}, 1, sigmoidScores, {0, 0, 7, 0});
  EXPECT_EQ(ids, (Choice{2}));
  EXPECT_DOUBLE_EQ(weights[0], 0.5);
}

TEST_F(RoutingTest, NegativeBiasedChoicesBeatMaskedOnes) {
  // Group 1 wins; its choices are negative, the masked group's are -infinity.
  auto [ids, weights] =
      gate({0, 0, 0, 0}, 2, sigmoidScores + ", groups = 2 : i64", {-9, -9, -8, -8});
  EXPECT_EQ(ids, (Choice{2, 3}));
}

TEST_F(RoutingTest, GroupsRankByTheSumOfTwoOrByTheLargest) {
  std::vector<double> bias{4, 0, 3, 2}; // group sums 4 + 0 and 3 + 2
  auto attributes = sigmoidScores + ", groups = 2 : i64, top_groups = 1 : i64, group_score = ";
  EXPECT_EQ(gate({0, 0, 0, 0}, 2, attributes + "#moe<group_score top2_sum>", bias).first,
            (Choice{2, 3}));
  EXPECT_EQ(gate({0, 0, 0, 0}, 2, attributes + "#moe<group_score max>", bias).first,
            (Choice{0, 1}));
}

TEST_F(RoutingTest, GroupTiesGoToTheLowerGroup) {
  auto attributes = sigmoidScores + ", groups = 3 : i64, top_groups = 2 : i64";
  EXPECT_EQ(gate({0, 0, 0, 0, 0, 0}, 4, attributes).first, (Choice{0, 1, 2, 3}));
  EXPECT_EQ(gate({0, 0, 0, 0, 1, 0}, 3, attributes).first, (Choice{4, 0, 1}));
}

TEST_F(RoutingTest, WeightsAreNormalisedThenScaled) {
  auto [ids, weights] = gate({0, 0, 1, 1}, 2,
                             sigmoidScores + ", normalize = true, epsilon = 0.5 : f64, "
                                             "scale = 2.5 : f64");
  EXPECT_DOUBLE_EQ(weights[0], sigmoid(1) / (2 * sigmoid(1) + 0.5) * 2.5);
}

TEST_F(RoutingTest, SoftmaxScoresSurviveLargeLogits) {
  auto [ids, weights] = gate({1000, 1000, 0}, 3, "scoring = #moe<scoring softmax>");
  EXPECT_EQ(ids, (Choice{0, 1, 2}));
  EXPECT_DOUBLE_EQ(weights[0], 0.5);
  EXPECT_DOUBLE_EQ(weights[2], 0);
}

TEST_F(RoutingTest, GateEndsOnNan) {
  double nan = std::nan("");
  EXPECT_EQ(gate({nan, nan, 1}, 2, sigmoidScores).first.size(), 2u);
}

TEST_F(RoutingTest, PermuteIsStableAndCountsEmptyExperts) {
  auto out =
      evaluate("moe.permute", "tensor<?x2xi32>", "",
               "tensor<?xi32>, tensor<?x2xi32>, tensor<5xi32>", {ints({3, 2}, {3, 0, 0, 3, 1, 3})});
  EXPECT_EQ(intData(out[0]), (Choice{1, 2, 4, 0, 3, 5}));
  EXPECT_EQ(intData(out[1]), (Choice{3, 0, 1, 4, 2, 5}));
  EXPECT_EQ(intData(out[2]), (Choice{0, 2, 3, 3, 6}));
  EXPECT_EQ(fail("moe.permute", "tensor<?x2xi32>", "",
                 "tensor<?xi32>, tensor<?x2xi32>, tensor<5xi32>", {ints({1, 2}, {4, 0})}),
            "'moe.permute': expert 4 is outside 0 .. 3");
}

TEST_F(RoutingTest, GroupedLinearUsesEachSlotsExpert) {
  auto w = floats({3, 1, 2}, {1, 0, 7, 7, 0, 1}); // expert 1 has no slot
  auto offsets = ints({4}, {0, 1, 1, 3});
  expectNear(evaluate("moe.grouped_linear", "tensor<?x2xf32>, tensor<3x1x2xf32>, tensor<4xi32>", "",
                      "tensor<?x1xf32>", {floats({3, 2}, {1, 2, 3, 4, 5, 6}), w, offsets})[0],
             {1, 4, 6});
  // Slots take row rows[s] / top_k.
  auto types = "tensor<?x2xf32>, tensor<3x1x2xf32>, tensor<4xi32>, tensor<?xi32>";
  auto x = floats({2, 2}, {1, 2, 3, 4});
  expectNear(evaluate("moe.grouped_linear", types, "top_k = 2 : i64", "tensor<?x1xf32>",
                      {x, w, offsets, ints({3}, {3, 0, 2})})[0],
             {3, 2, 4});
  EXPECT_EQ(fail("moe.grouped_linear", types, "top_k = 2 : i64", "tensor<?x1xf32>",
                 {x, w, offsets, ints({3}, {4, 0, 2})}),
            "'moe.grouped_linear': row 2 is outside 0 .. 1");
  EXPECT_EQ(fail("moe.grouped_linear", types, "top_k = 2 : i64", "tensor<?x1xf32>",
                 {x, w, ints({4}, {0, 1, 1, 4}), ints({3}, {3, 0, 2})}),
            "'moe.grouped_linear': slot 3 is outside 0 .. 2");
}

TEST_F(RoutingTest, CombineSumsWeightedSlots) {
  auto types = "tensor<?x2xf32>, tensor<?x2xi32>, tensor<?x2xf32>";
  auto y = floats({3, 2}, {1, 10, 2, 20, 3, 30});
  expectNear(evaluate("moe.combine", types, "", "tensor<?x2xf32>",
                      {y, ints({1, 2}, {2, 0}), floats({1, 2}, {0.5, 2})})[0],
             {3.5, 35});
  EXPECT_EQ(fail("moe.combine", types, "", "tensor<?x2xf32>",
                 {y, ints({1, 2}, {3, 0}), floats({1, 2}, {0.5, 2})}),
            "'moe.combine': slot 3 is outside 0 .. 2");
}

TEST_F(RoutingTest, ExpertsAreTheSameAsTheirParts) {
  parse(R"(
    func.func @f(%x: tensor<?x4xf32>, %ids: tensor<?x2xi32>, %w: tensor<?x2xf32>,
                 %gate: tensor<5x3x4xf32>, %up: tensor<5x3x4xf32>, %down: tensor<5x4x3xf32>)
        -> (tensor<?x4xf32>, tensor<?x4xf32>) {
      %whole = moe.experts %x, %ids, %w, %gate, %up, %down
        : (tensor<?x4xf32>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<5x3x4xf32>,
           tensor<5x3x4xf32>, tensor<5x4x3xf32>) -> tensor<?x4xf32>
      %rows, %slots, %offsets = moe.permute %ids
        : (tensor<?x2xi32>) -> (tensor<?xi32>, tensor<?x2xi32>, tensor<6xi32>)
      %g = moe.grouped_linear %x, %gate, %offsets, %rows {top_k = 2 : i64}
        : (tensor<?x4xf32>, tensor<5x3x4xf32>, tensor<6xi32>, tensor<?xi32>) -> tensor<?x3xf32>
      %u = moe.grouped_linear %x, %up, %offsets, %rows {top_k = 2 : i64}
        : (tensor<?x4xf32>, tensor<5x3x4xf32>, tensor<6xi32>, tensor<?xi32>) -> tensor<?x3xf32>
      %h = moe.swiglu %g, %u : tensor<?x3xf32>
      %y = moe.grouped_linear %h, %down, %offsets
        : (tensor<?x3xf32>, tensor<5x4x3xf32>, tensor<6xi32>) -> tensor<?x4xf32>
      %parts = moe.combine %y, %slots, %w
        : (tensor<?x4xf32>, tensor<?x2xi32>, tensor<?x2xf32>) -> tensor<?x4xf32>
      return %whole, %parts : tensor<?x4xf32>, tensor<?x4xf32>
    })");
  auto out = run({share(draw({3, 4})), ints({3, 2}, {4, 0, 0, 2, 4, 2}), share(draw({3, 2})),
                  share(draw({5, 3, 4})), share(draw({5, 3, 4})), share(draw({5, 4, 3}))});
  expectNear(out[0], data(out[1]));
}
