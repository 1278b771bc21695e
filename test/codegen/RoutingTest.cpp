// Routers, gates and permutations against the reference interpreter.
#include "test/codegen/KernelHarness.h"

#include "llvm/Support/FormatVariadic.h"
#include "gtest/gtest.h"

#include <algorithm>
#include <cmath>
#include <limits>

using namespace moec;
using namespace moec::test;

namespace {

/// A router of `experts` experts on 130 hidden columns.
std::string router(int64_t experts, int64_t topK, llvm::StringRef weight,
                   llvm::StringRef attributes) {
  return llvm::formatv(R"(
    kern.kernel @k(%x: tensor<?x130xf32>, %w: {2}, %b: tensor<{0}xf32>) -> (tensor<?x{1}xi32>, tensor<?x{1}xf32>)
        attributes {{hero = #kern.hero<routing>,
        rows = [#kern.rows<tokens * 1>, unit, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>],
        row_strides = array<i64: 200, 130, 0, {1}, {1}>} {{
      %l = moe.linear %x, %w : (tensor<?x130xf32>, {2}) -> tensor<?x{0}xf32>
      %i, %s = moe.gate %l, %b {{top_k = {1} : i64, {3}}
          : (tensor<?x{0}xf32>, tensor<{0}xf32>) -> (tensor<?x{1}xi32>, tensor<?x{1}xf32>)
      kern.yield %i, %s : tensor<?x{1}xi32>, tensor<?x{1}xf32>
    })",
                       experts, topK, weight, attributes);
}

void expectRouted(llvm::StringRef text) {
  for (const char *target : {"cpu", "cpu:x86-64-v3"}) {
    KernelHarness harness(text, {}, target);
    for (int64_t tokens : {1, 7, 100, 600}) {
      harness.setDims({.tokens = tokens});
      std::vector<double> errors = harness.compare();
      EXPECT_EQ(errors[0], 0) << "ids, " << tokens << " tokens on " << target;
      EXPECT_LE(errors[1], 1e-6) << "weights, " << tokens << " tokens on " << target;
    }
  }
}

TEST(Routing, DeepSeekV3) {
  expectRouted(router(24, 3, "tensor<24x130xf32>",
                      "scoring = #moe<scoring sigmoid>, groups = 4 : i64, top_groups = 2 : i64, "
                      "normalize = true, scale = 2.5"));
}

TEST(Routing, SoftmaxBestOfGroups) {
  expectRouted(router(16, 4, "tensor<16x130xbf16>",
                      "scoring = #moe<scoring softmax>, groups = 8 : i64, top_groups = 3 : i64, "
                      "group_score = #moe<group_score max>"));
}

TEST(Routing, BlockQuantizedWeight) {
  expectRouted(router(140, 6, "!moe.qtensor<140x130xf8E4M3FN, block = [128, 128], scale = f32>",
                      "scoring = #moe<scoring sigmoid>"));
}

/// The best of all experts by softmax, their weights renormalised: without groups, without a bias.
TEST(Routing, SoftmaxRenormalised) {
  for (auto [experts, topK] : {std::pair<int64_t, int64_t>(8, 2), {128, 8}, {5, 5}}) {
    std::string text = router(experts, topK, "tensor<" + std::to_string(experts) + "x130xf32>",
                              "scoring = #moe<scoring softmax>, normalize = true, epsilon = 0.0");
    std::string bias = "tensor<" + std::to_string(experts) + "xf32>";
    text = replaceAll(text, ", %b: " + bias, "");
    text = replaceAll(text, "unit, unit", "unit");
    text = replaceAll(text, "200, 130, 0", "200, 130");
    text = replaceAll(text, "moe.gate %l, %b", "moe.gate %l");
    text = replaceAll(text, "xf32>, " + bias + ") ->", "xf32>) ->");
    expectRouted(text);
  }
}

/// The best expert ranks its group, a bias chooses, and the weights are scaled as they are.
TEST(Routing, SoftmaxScaledNotRenormalised) {
  expectRouted(router(20, 3, "tensor<20x130xf32>",
                      "scoring = #moe<scoring softmax>, groups = 5 : i64, top_groups = 2 : i64, "
                      "group_score = #moe<group_score max>, scale = 16.0"));
}

TEST(Routing, LinearWithBias) {
  std::string text = router(24, 3, "tensor<24x130xbf16>", "scoring = #moe<scoring softmax>");
  text = replaceAll(
      text, "moe.linear %x, %w : (tensor<?x130xf32>, tensor<24x130xbf16>)",
      "moe.linear %x, %w, %b : (tensor<?x130xf32>, tensor<24x130xbf16>, tensor<24xf32>)");
  expectRouted(text);
}

TEST(Routing, SharedExperts) {
  std::string text = router(24, 5, "tensor<24x130xf32>",
                            "scoring = #moe<scoring sigmoid>, shared = 2 : i64, normalize = true, "
                            "scale = 2.5");
  text.replace(text.find("top_k = 5"), 9, "top_k = 3");
  expectRouted(text);
}

std::string gate(llvm::StringRef attributes) {
  return llvm::formatv(R"(
    kern.kernel @k(%l: tensor<?x8xf32>) -> (tensor<?x4xi32>, tensor<?x4xf32>)
        attributes {{hero = #kern.hero<routing>,
        rows = [#kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>],
        row_strides = array<i64: 8, 4, 4>} {{
      %i, %s = moe.gate %l {{top_k = 4 : i64, scoring = #moe<scoring sigmoid>, {0}}
          : (tensor<?x8xf32>) -> (tensor<?x4xi32>, tensor<?x4xf32>)
      kern.yield %i, %s : tensor<?x4xi32>, tensor<?x4xf32>
    })",
                       attributes);
}

std::vector<int> getIds(KernelHarness &harness, int64_t row) {
  std::vector<int> ids;
  for (int64_t j = 0; j < 4; ++j)
    ids.push_back(harness.result(0).at(row, j));
  return ids;
}

TEST(Routing, TiesGoToTheLowerIndex) {
  KernelHarness harness(gate("groups = 4 : i64, top_groups = 2 : i64"), {.tokens = 3});
  for (int64_t expert = 0; expert < 8; ++expert) {
    harness.argument(0).set(0, expert, 1);              // all alike
    harness.argument(0).set(1, expert, expert / 2 % 2); // groups 1 and 3 win
    harness.argument(0).set(2, expert, expert >= 6);    // group 3, then group 0
  }
  EXPECT_EQ(harness.compare()[0], 0);
  EXPECT_EQ(getIds(harness, 0), (std::vector<int>{0, 1, 2, 3}));
  EXPECT_EQ(getIds(harness, 1), (std::vector<int>{2, 3, 6, 7}));
  EXPECT_EQ(getIds(harness, 2), (std::vector<int>{6, 7, 0, 1}));
}

// A damaged checkpoint must not send the kernels after it outside of their buffers.
TEST(Routing, NanLogitsStillGiveDifferentExperts) {
  KernelHarness harness(gate("groups = 4 : i64, top_groups = 2 : i64"), {.tokens = 2});
  for (int64_t expert = 0; expert < 8; ++expert) {
    harness.argument(0).set(0, expert, std::numeric_limits<double>::quiet_NaN());
    harness.argument(0).set(1, expert,
                            expert < 4 ? -std::numeric_limits<double>::infinity() : std::nan(""));
  }
  harness.run();
  for (int64_t row : {0, 1}) {
    std::vector<int> ids = getIds(harness, row);
    std::sort(ids.begin(), ids.end());
    EXPECT_GE(ids.front(), 0);
    EXPECT_LT(ids.back(), 8);
    EXPECT_EQ(std::unique(ids.begin(), ids.end()), ids.end());
  }
}

TEST(Routing, SecondLinearIsRefused) {
  EXPECT_NE(getFailure(R"(
    kern.kernel @k(%x: tensor<?x8xf32>, %w: tensor<8x8xf32>) -> tensor<?x8xf32>
        attributes {hero = #kern.hero<routing>,
        rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>], row_strides = array<i64: 8, 8, 8>} {
      %0 = moe.linear %x, %w : (tensor<?x8xf32>, tensor<8x8xf32>) -> tensor<?x8xf32>
      %1 = moe.linear %x, %w : (tensor<?x8xf32>, tensor<8x8xf32>) -> tensor<?x8xf32>
      kern.yield %1 : tensor<?x8xf32>
    })")
                .find("is the second linear of a routing kernel"),
            std::string::npos);
}

std::string permute(int64_t topK, int64_t experts) {
  return llvm::formatv(R"(
    kern.kernel @k(%i: tensor<?x{0}xi32>) -> (tensor<?xi32>, tensor<?x{0}xi32>, tensor<{1}xi32>)
        attributes {{hero = #kern.hero<permutation>,
        rows = [#kern.rows<tokens * 1>, #kern.rows<tokens * {0}>, #kern.rows<tokens * 1>, unit],
        row_strides = array<i64: {0}, 1, {0}, 0>} {{
      %r, %s, %o = moe.permute %i : (tensor<?x{0}xi32>) -> (tensor<?xi32>, tensor<?x{0}xi32>, tensor<{1}xi32>)
      kern.yield %r, %s, %o : tensor<?xi32>, tensor<?x{0}xi32>, tensor<{1}xi32>
    })",
                       topK, experts + 1);
}

TEST(Permutation, SortsByExpert) {
  for (int64_t tokens : {1, 5, 200})
    for (int64_t experts : {3, 24, 256}) {
      KernelHarness harness(permute(3, experts), {.tokens = tokens});
      EXPECT_EQ(harness.compare(), (std::vector<double>{0, 0, 0}))
          << tokens << " tokens, " << experts << " experts";
    }
}

TEST(Permutation, ExpertsWithoutTokens) {
  KernelHarness harness(permute(2, 4), {.tokens = 3});
  for (int64_t i = 0; i < 6; ++i)
    harness.argument(0).setFlat(i, 2);
  EXPECT_EQ(harness.compare(), (std::vector<double>{0, 0, 0}));
  EXPECT_EQ(harness.result(2).atFlat(2), 0);
  EXPECT_EQ(harness.result(2).atFlat(3), 6);
}

} // namespace
