// moe.linear and moe.grouped_linear on the host against the reference interpreter.
#include "test/codegen/KernelHarness.h"
#include "test/codegen/MatrixKernels.h"

#include "gtest/gtest.h"

#include <cmath>

using namespace moec::test;

namespace {

/// Both widths of code run on machines with AVX-512; elsewhere only what the machine has.
std::vector<std::string> getTargets() {
  std::vector<std::string> targets = {"cpu:x86-64-v3"};
  if (__builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw"))
    targets.push_back("cpu:x86-64-v4");
  return targets;
}

class Matmul : public testing::TestWithParam<std::tuple<std::string, std::string>> {
protected:
  std::string weight = std::get<0>(GetParam()), target = std::get<1>(GetParam());
  void check(const LinearText &text, std::initializer_list<int64_t> tokens) {
    checkText(text.str(), tokens);
  }
  void checkText(const std::string &text, std::initializer_list<int64_t> tokens) {
    KernelHarness harness(text, {}, target);
    for (int64_t t : tokens) {
      harness.setDims({.tokens = t});
      EXPECT_LE(harness.compare()[0], 3e-7) << text << "tokens = " << t;
    }
  }
};

TEST_P(Matmul, OddShapes) {
  check({.columns = 129, .depth = 129, .weight = weight}, {1, 3, 17});
  check({.columns = 129, .depth = 576, .weight = weight}, {1, 2, 17});
}

TEST_P(Matmul, LessThanAVector) { check({.columns = 3, .depth = 7, .weight = weight}, {1, 2}); }

TEST_P(Matmul, SeveralPanels) { check({.columns = 40, .depth = 2500, .weight = weight}, {1, 5}); }

TEST_P(Matmul, SeveralBlocksOfTokens) {
  check({.columns = 20, .depth = 40, .weight = weight}, {300});
}

TEST_P(Matmul, StridedRows) {
  check({.columns = 33, .depth = 65, .weight = weight, .xStride = 100, .yStride = 77}, {1, 3});
}

TEST_P(Matmul, AddResidual) {
  check({.columns = 70, .depth = 130, .weight = weight, .add = true}, {1, 3});
}

TEST_P(Matmul, Bias) {
  check({.columns = 129, .depth = 130, .weight = weight, .bias = "bf16"}, {1, 3, 17});
  check({.columns = 70, .depth = 130, .weight = weight, .add = true, .bias = "f32"}, {1, 3});
}

TEST_P(Matmul, QuantizedActivations) {
  check({.columns = 129, .depth = 576, .weight = weight, .x = "f8"}, {1, 3, 17});
  check({.columns = 20, .depth = 1200, .weight = weight, .x = "f8"}, {1, 2});
}

INSTANTIATE_TEST_SUITE_P(Types, Matmul,
                         testing::Combine(testing::Values("f32", "bf16", "f16", "f8"),
                                          testing::ValuesIn(getTargets())));

class Targets : public testing::TestWithParam<std::string> {};

/// Every code against every other path: the weight is the identity's row of one code.
TEST_P(Targets, AllCodesAreExact) {
  KernelHarness harness(LinearText{.columns = 256, .depth = 40, .weight = "f8"}.str(),
                        {.tokens = 1}, GetParam());
  for (int64_t column = 0; column < 40; ++column) {
    harness.argument(0).set(0, column, column == 33 ? 1 : 0);
    for (int64_t row = 0; row < 256; ++row)
      harness.argument(1).setBits(row, column, column == 33 ? row : 0);
  }
  for (int64_t block = 0; block < 2; ++block)
    harness.argument(1, 1).set(block, 0, 1);
  harness.run();
  for (int64_t row = 0; row < 256; ++row) {
    double code = harness.argument(1).at(row, 33), result = harness.result(0).at(0, row);
    if (std::isnan(code))
      EXPECT_TRUE(std::isnan(result)) << row;
    else
      EXPECT_EQ(result, code) << row;
  }
}

/// A NaN code anywhere makes its own row of results NaN, and no other.
TEST_P(Targets, NanCodes) {
  LinearText text{.columns = 20, .depth = 200, .weight = "f8", .x = "f8"};
  for (int64_t tokens : {1, 3}) {
    KernelHarness harness(text.str(), {.tokens = tokens}, GetParam());
    for (int64_t column : {0, 63, 199}) {
      auto weight = harness.argument(1).bits(5, column), x = harness.argument(0).bits(0, column);
      harness.argument(1).setBits(5, column, 0x7F);
      harness.argument(0).setBits(0, column, 0xFF);
      harness.run();
      harness.argument(1).setBits(5, column, weight);
      harness.argument(0).setBits(0, column, x);
      for (int64_t token = 0; token < tokens; ++token)
        for (int64_t row = 0; row < 20; ++row)
          EXPECT_EQ(std::isnan(harness.result(0).at(token, row)), row == 5 || token == 0)
              << token << " " << row << " " << column;
    }
  }
}

/// Transposed, a NaN code reaches its own column only.
TEST_P(Targets, NanCodesTransposed) {
  HeadText text{.heads = 2,
                .inputs = 20,
                .rows = 20,
                .depth = 150,
                .xSize = 20,
                .wSize = 20,
                .transposed = true,
                .weight = "f8"};
  KernelHarness harness(text.str(), {.tokens = 2}, GetParam());
  harness.argument(1).setBits(25, 131, 0xFF);
  harness.run();
  for (int64_t token = 0; token < 2; ++token)
    for (int64_t column = 0; column < 300; ++column)
      EXPECT_EQ(std::isnan(harness.result(0).at(token, column)), column == 150 + 131) << column;
}

INSTANTIATE_TEST_SUITE_P(Cpu, Targets, testing::ValuesIn(getTargets()));

class Grouped : public Matmul {};

TEST_P(Grouped, RandomRouting) {
  for (bool gather : {true, false})
    for (std::string x : {"f32", "f8"}) {
      GroupedText text{.experts = 6,
                       .columns = 129,
                       .depth = 200,
                       .topK = gather ? 2 : 1,
                       .weight = weight,
                       .x = x,
                       .gather = gather};
      checkText(text.str(), {1, 3, 17});
    }
}

TEST_P(Grouped, OneExpertHasAll) {
  GroupedText text{.experts = 4, .columns = 33, .depth = 65, .topK = 1, .weight = weight};
  KernelHarness harness(text.str(), {.tokens = 300}, target);
  for (int64_t chosen : {0, 2, 3}) {
    for (int64_t expert = 0; expert <= 4; ++expert)
      harness.argument(2).setFlat(expert, expert > chosen ? 300 : 0);
    EXPECT_LE(harness.compare()[0], 3e-7) << chosen;
  }
}

INSTANTIATE_TEST_SUITE_P(Types, Grouped,
                         testing::Combine(testing::Values("bf16", "f8"),
                                          testing::ValuesIn(getTargets())));

class Gated : public Matmul {
protected:
  void check(const GatedText &text, std::initializer_list<int64_t> tokens) {
    KernelHarness harness(text.str(), {.tokens = 1}, target);
    for (int64_t t : tokens) {
      harness.setDims({.tokens = t});
      for (double error : harness.compare())
        EXPECT_LE(error, text.quantize ? 2e-3 : 1e-6) << text.str() << t;
    }
  }
};

TEST_P(Gated, Swiglu) {
  check({.columns = 65, .depth = 130, .weight = weight}, {1, 3, 17});
  check({.columns = 3, .depth = 7, .weight = weight}, {1, 2});
}

// 20: one block, not full; 256: two tiles; 300: the last tile is short.
TEST_P(Gated, Quantized) {
  check({.columns = 20, .depth = 40, .weight = weight, .quantize = true}, {1, 3});
  check({.columns = 256, .depth = 200, .weight = weight, .x = "f8", .quantize = true}, {1, 3});
  check({.columns = 300, .depth = 129, .weight = weight, .quantize = true, .keep = true}, {1, 3});
}

TEST_P(Gated, SeveralBlocksOfTokens) {
  check({.columns = 130, .depth = 40, .weight = weight, .quantize = true}, {300});
}

TEST_P(Gated, Experts) {
  check({.columns = 40, .depth = 200, .weight = weight, .experts = 6}, {1, 3, 17});
  check({.columns = 130, .depth = 200, .weight = weight, .x = "f8", .quantize = true, .experts = 6},
        {1, 3, 17});
}

// Blocks that are a part of a tile, a tile, several tiles, and more than there are columns.
TEST_P(Gated, Interleaved) {
  for (int64_t block : {16, 32, 128, 256, 512})
    check({.columns = 300, .depth = 129, .weight = weight, .block = block}, {1, 3});
  check({.columns = 300, .depth = 129, .weight = weight, .quantize = true, .block = 128}, {1, 17});
  check({.columns = 3, .depth = 7, .weight = weight, .block = 64}, {1, 2});
  check({.columns = 256,
         .depth = 200,
         .weight = weight,
         .x = "f8",
         .quantize = true,
         .experts = 6,
         .block = 128},
        {1, 3, 17});
}

INSTANTIATE_TEST_SUITE_P(Types, Gated,
                         testing::Combine(testing::Values("bf16", "f8"),
                                          testing::ValuesIn(getTargets())));

class Combined : public Matmul {};

TEST_P(Combined, RandomRouting) {
  for (bool add : {false, true})
    for (std::string x : {"f32", "f8"}) {
      CombineText text{.experts = 6,
                       .columns = 129,
                       .depth = 200,
                       .topK = 3,
                       .weight = weight,
                       .x = x,
                       .add = add};
      KernelHarness harness(text.str(), {.tokens = 1}, target);
      for (int64_t tokens : {1, 2, 17}) {
        harness.setDims({.tokens = tokens});
        EXPECT_LE(harness.compare()[0], 1e-6) << text.str() << tokens;
      }
    }
}

// Every token chooses every expert: more slots of one than a tile takes at once.
TEST_P(Combined, SeveralBlocksOfTokens) {
  CombineText text{.experts = 2, .columns = 20, .depth = 40, .topK = 2, .weight = weight};
  KernelHarness harness(text.str(), {.tokens = 300}, target);
  EXPECT_LE(harness.compare()[0], 1e-6);
}

INSTANTIATE_TEST_SUITE_P(Types, Combined,
                         testing::Combine(testing::Values("bf16", "f8"),
                                          testing::ValuesIn(getTargets())));

class Head : public Matmul {
protected:
  void check(const HeadText &text, std::initializer_list<int64_t> tokens) {
    checkText(text.str(), tokens);
  }
};

// Six heads of 50 rows: their scale blocks begin inside of heads, and heads inside of blocks.
TEST_P(Head, PerRow) {
  check({.heads = 6,
         .inputs = 129,
         .rows = 50,
         .depth = 129,
         .xSize = 129,
         .wOffset = 13,
         .wSize = 35,
         .weight = weight},
        {1, 3, 17});
  check({.heads = 2,
         .inputs = 300,
         .rows = 256,
         .depth = 256,
         .xOffset = 20,
         .xSize = 256,
         .wOffset = 128,
         .wSize = 128,
         .weight = weight},
        {1, 2});
}

TEST_P(Head, Transposed) {
  check({.heads = 6,
         .inputs = 47,
         .rows = 50,
         .depth = 129,
         .xOffset = 3,
         .xSize = 31,
         .wOffset = 11,
         .wSize = 31,
         .transposed = true,
         .weight = weight},
        {1, 3, 70});
  check({.heads = 2,
         .inputs = 192,
         .rows = 256,
         .depth = 512,
         .xSize = 128,
         .wSize = 128,
         .transposed = true,
         .weight = weight},
        {1, 2});
}

/// The query's projection and rope in front; heads that begin inside scale blocks.
TEST_P(Head, Query) {
  for (const char *layout : {"interleaved", "half"}) {
    QueryText odd{.heads = 3,
                  .inputs = 150,
                  .nope = 31,
                  .rope = 6,
                  .rows = 50,
                  .latent = 145,
                  .projection = weight,
                  .up = weight,
                  .layout = layout};
    KernelHarness harness(odd.str(), {}, target);
    for (int64_t tokens : {1, 3, 70}) {
      harness.setDims({.tokens = tokens});
      std::vector<double> errors = harness.compare();
      EXPECT_LE(errors[0], 2e-6) << layout << ", " << tokens;
      EXPECT_LE(errors[1], 2e-6) << layout << ", " << tokens;
    }
  }
}

/// The sizes of DeepSeek V3, two heads of them, with quantized activations.
TEST_P(Head, QuantizedQuery) {
  QueryText text{.heads = 2,
                 .inputs = 1536,
                 .nope = 128,
                 .rope = 64,
                 .rows = 256,
                 .latent = 512,
                 .projection = "f8",
                 .up = weight,
                 .x = "f8"};
  KernelHarness harness(text.str(), {}, target);
  for (int64_t tokens : {1, 5}) {
    harness.setDims({.tokens = tokens});
    std::vector<double> errors = harness.compare();
    EXPECT_LE(errors[0], 2e-6) << tokens;
    EXPECT_LE(errors[1], 2e-6) << tokens;
  }
}

INSTANTIATE_TEST_SUITE_P(Types, Head,
                         testing::Combine(testing::Values("f32", "bf16", "f8"),
                                          testing::ValuesIn(getTargets())));

TEST(MatmulErrors, UnreadableScheme) {
  std::string text = LinearText{.columns = 20, .depth = 40, .weight = "f8"}.str();
  EXPECT_NE(getFailure(replaceAll(text, "128, 128", "16, 16"))
                .find("read f8E4M3FN codes with f32 scales in blocks of 32 n columns"),
            std::string::npos);
}

TEST(MatmulErrors, OtherEpilogue) {
  std::string text = LinearText{.columns = 20, .depth = 40, .add = true}.str();
  EXPECT_NE(getFailure(replaceAll(text, "moe.add", "moe.swiglu"))
                .find("apply moe.swiglu to two slices of their product only"),
            std::string::npos);
}

TEST(MatmulErrors, CombineWithoutRows) {
  std::string text = CombineText{.experts = 2, .columns = 20, .depth = 40, .topK = 2}.str();
  text = replaceAll(text, "%weights, %rows :", "%weights :");
  text = replaceAll(text, "tensor<?x2xf32>, tensor<?xi32>) ->", "tensor<?x2xf32>) ->");
  EXPECT_NE(getFailure(text).find("combines the slots of its product needs the combine's rows"),
            std::string::npos);
}

TEST(MatmulErrors, GatedEpilogue) {
  GatedText text{.columns = 20, .depth = 40};
  EXPECT_NE(getFailure(replaceAll(text.str(), "kern.yield",
                                  "%9 = moe.add %3, %1 : tensor<?x20xf32>\nkern.yield"))
                .find("has moe.slice, one moe.swiglu and moe.quantize behind its product"),
            std::string::npos);
  EXPECT_NE(getFailure(replaceAll(text.str(), "kern.yield %3", "kern.yield %1"))
                .find("yields its result and quantizations of that"),
            std::string::npos);
  text.quantize = true;
  text.columns = 600;
  EXPECT_NE(getFailure(replaceAll(text.str(), "block = [1, 128]", "block = [1, 0]"))
                .find("has at most 256 columns; one scale is for all columns"),
            std::string::npos);
}

TEST(MatmulErrors, OpsBeforeTheProduct) {
  std::string text = LinearText{.columns = 40, .depth = 40, .add = true}.str();
  text = replaceAll(text, "%0 = moe.linear %x,",
                    "%2 = moe.add %x, %x : tensor<?x40xf32>\n%0 = moe.linear %2,");
  EXPECT_NE(getFailure(text).find("have no prologue ops"), std::string::npos);
}

TEST(MatmulErrors, YieldsAnArgument) {
  std::string text = LinearText{.columns = 40, .depth = 40, .add = true}.str();
  text = replaceAll(text, "kern.yield %1", "kern.yield %r");
  EXPECT_NE(getFailure(text).find("yields what it computes, not an argument"), std::string::npos);
}

} // namespace
