// Weights, groups, launches, and what cannot be interpreted.
#include "test/dialects/reference/Fixture.h"

using namespace moec;
using namespace moec::reference;
using namespace moec::reference::test;

using InterpreterTest = ReferenceTest;

namespace {
/// Leaves by name; counts what is asked for.
class FixedWeights : public WeightProvider {
public:
  llvm::Expected<LeafData> load(const moe::Leaf &leaf) override {
    ++loads;
    auto found = leaves.find(leaf.tensor);
    if (found == leaves.end())
      return llvm::createStringError("no tensor '" + leaf.tensor + "'");
    return found->second;
  }
  std::map<std::string, LeafData> leaves;
  int loads = 0;
};

const char *twoParts = R"(
  moe.weight @w : !moe.qtensor<4x2xf8E4M3FN, block = [2, 2], scale = f32>
    = #moe.concat<axis = 0, sizes = [2, 2], [#moe.checkpoint<"a">, #moe.checkpoint<"b">]>
  func.func @f() -> !moe.qtensor<4x2xf8E4M3FN, block = [2, 2], scale = f32> {
    %w = moe.param @w : !moe.qtensor<4x2xf8E4M3FN, block = [2, 2], scale = f32>
    return %w : !moe.qtensor<4x2xf8E4M3FN, block = [2, 2], scale = f32>
  })";
} // namespace

TEST_F(InterpreterTest, WeightsAreAssembledAsThePackerDoes) {
  parse(twoParts);
  FixedWeights fixed;
  fixed.leaves["a"] = {{1, 2, 3, 4}, {10}};
  fixed.leaves["b"] = {{5, 6, 7, 8}, {100}};
  WeightStore store(fixed);
  auto out = llvm::cantFail(Interpreter(*module, store).run("f", {}));
  const auto &weight = std::get<Quantized>(*out[0]);
  EXPECT_EQ(weight.codes.data, (std::vector<double>{1, 2, 3, 4, 5, 6, 7, 8}));
  EXPECT_EQ(weight.scales.data, (std::vector<double>{10, 100}));
  llvm::cantFail(Interpreter(*module, store).run("f", {}));
  EXPECT_EQ(fixed.loads, 2) << "assembled weights are kept";
}

TEST_F(InterpreterTest, LeavesOfTheWrongSizeAreRefused) {
  parse(twoParts);
  FixedWeights fixed;
  WeightStore store(fixed);
  auto error = [&] { return llvm::toString(Interpreter(*module, store).run("f", {}).takeError()); };
  EXPECT_EQ(error(), "no tensor 'a'");
  fixed.leaves["a"] = {{1, 2, 3}, {10}};
  EXPECT_EQ(error(), "tensor 'a' has 3 elements; expected 4 for !moe.qtensor<2x2xf8E4M3FN, "
                     "block = [2, 2], scale = f32>");
  fixed.leaves["a"] = {{1, 2, 3, 4}, {}};
  EXPECT_EQ(error(), "tensor 'a' has 0 scales; expected 1 for !moe.qtensor<2x2xf8E4M3FN, "
                     "block = [2, 2], scale = f32>");
}

TEST_F(InterpreterTest, RopeTablesAreComputed) {
  parse(R"(
    moe.weight @t : tensor<2x2xf32> = #moe.rope_table<<dim = 2, theta = 1.0e4, layout = half>, 2>
    func.func @f() -> tensor<2x2xf32> {
      %t = moe.param @t : tensor<2x2xf32>
      return %t : tensor<2x2xf32>
    })");
  expectNear(run({})[0], {1, 0, double(std::cos(1.0f)), double(std::sin(1.0f))});
}

TEST_F(InterpreterTest, GroupsAndLaunchesAreTheirBodies) {
  parse(R"(
    kern.kernel @k(%x: tensor<?x1xf32>, %y: tensor<?x1xf32>) -> (tensor<?x1xf32>, tensor<?x1xf32>)
        attributes {hero = #kern.hero<pointwise>, rows = [unit, unit, unit, unit],
                    row_strides = array<i64: 1, 1, 1, 1>} {
      %0 = moe.add %x, %y : tensor<?x1xf32>
      kern.yield %0, %x : tensor<?x1xf32>, tensor<?x1xf32>
    }
    func.func @f(%x: tensor<?x1xf32>) -> (tensor<?x1xf32>, tensor<?x1xf32>) {
      %0 = kern.group {
        %1 = moe.add %x, %x : tensor<?x1xf32>
        kern.yield %1 : tensor<?x1xf32>
      } : tensor<?x1xf32>
      %2, %3 = kern.launch @k(%0, %x) : (tensor<?x1xf32>, tensor<?x1xf32>) -> (tensor<?x1xf32>, tensor<?x1xf32>)
      return %2, %3 : tensor<?x1xf32>, tensor<?x1xf32>
    })");
  auto out = run({floats({1, 1}, {1})});
  expectNear(out[0], {3});
  expectNear(out[1], {2});
}

TEST_F(InterpreterTest, ValuesOf16BitsAreRounded) {
  auto out = evaluate("moe.add", "tensor<?x1xbf16>, tensor<?x1xbf16>", "", "tensor<?x1xbf16>",
                      {floats({1, 1}, {1}), floats({1, 1}, {0.001})});
  EXPECT_EQ(data(out[0])[0], 1);
}

// The result's type decides, whatever the operands'.
TEST_F(InterpreterTest, ResultsAreRoundedOnce) {
  Values in = {floats({1, 1}, {1}), floats({1, 1}, {0.001})};
  auto out = evaluate("moe.add", "tensor<?x1xf32>, tensor<?x1xf32>", "", "tensor<?x1xbf16>", in);
  EXPECT_EQ(data(out[0])[0], 1);
  out = evaluate("moe.add", "tensor<?x1xbf16>, tensor<?x1xf32>", "", "tensor<?x1xf32>", in);
  EXPECT_EQ(data(out[0])[0], 1.001);
  out = evaluate("moe.rms_norm", "tensor<?x1xf32>, tensor<1xf32>", "epsilon = 0.0 : f64",
                 "tensor<?x1xbf16>", {floats({1, 1}, {2}), floats({1}, {1.001})});
  EXPECT_EQ(data(out[0])[0], 1);
}

TEST_F(InterpreterTest, ArgumentsMustFit) {
  auto error = [&](Values arguments) {
    parse("func.func @f(%x: tensor<?x2xf32>) -> tensor<?x2xf32> { return %x : tensor<?x2xf32> }");
    return llvm::toString(Interpreter(*module, weights).run("f", arguments).takeError());
  };
  EXPECT_EQ(error({}), "'f' takes 1 arguments; got 0");
  EXPECT_EQ(error({floats({1, 3}, {1, 2, 3})}),
            "argument 0 of 'f': expected a value of type tensor<?x2xf32>; got shape 1x3");
  EXPECT_EQ(error({ints({1, 2}, {1, 2})}), "argument 0 of 'f': expected a value of type "
                                           "tensor<?x2xf32>; got another kind of value, shape 1x2");
}

TEST_F(InterpreterTest, WhatHasNoMeaningIsSaid) {
  parse(R"(
    func.func private @g()
    func.func @f() { call @g() : () -> () return })");
  auto error = [&](const char *name) {
    return llvm::toString(Interpreter(*module, weights).run(name, {}).takeError());
  };
  EXPECT_EQ(error("f"), "'func.call': only ops of moe and kern can be interpreted");
  EXPECT_EQ(error("g"), "'g' has no body");
  EXPECT_EQ(error("h"), "no function named 'h'");
  parse("func.func @f(%x: f32) { return }");
  EXPECT_EQ(llvm::toString(Interpreter(*module, weights).run("f", {floats({1}, {1})}).takeError()),
            "argument 0 of 'f': a value of type f32 cannot be interpreted");
}

TEST_F(InterpreterTest, ErrorsNameThePlaceInTheModel) {
  parse(R"(
    func.func @f(%ids: tensor<?xi32>, %t: tensor<2x1xf32>) -> tensor<?x1xf32> {
      %0 = moe.embedding %ids, %t : (tensor<?xi32>, tensor<2x1xf32>) -> tensor<?x1xf32> loc("embed_tokens")
      return %0 : tensor<?x1xf32>
    })");
  EXPECT_EQ(llvm::toString(Interpreter(*module, weights)
                               .run("f", {ints({1}, {2}), floats({2, 1}, {1, 2})})
                               .takeError()),
            "'moe.embedding' (embed_tokens): id 2 is outside 0 .. 1");
}

TEST_F(InterpreterTest, TheObserverSeesEachOp) {
  parse(R"(
    func.func @f(%x: tensor<?x1xf32>) -> tensor<?x1xf32> {
      %0 = moe.add %x, %x : tensor<?x1xf32>
      %1 = moe.add %0, %0 : tensor<?x1xf32>
      return %1 : tensor<?x1xf32>
    })");
  std::vector<double> seen;
  Interpreter interpreter(*module, weights);
  interpreter.observer = [&](mlir::Operation *, const Values &values) {
    seen.push_back(data(values[0])[0]);
  };
  llvm::cantFail(interpreter.run("f", {floats({1, 1}, {1})}));
  EXPECT_EQ(seen, (std::vector<double>{2, 4}));
}
