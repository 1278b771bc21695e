// Row-wise ops behind a product, computed by the last tile of a row block.
#include "test/codegen/KernelHarness.h"
#include "test/codegen/MatrixKernels.h"

#include <gtest/gtest.h>

using namespace moec;
using namespace moec::test;

namespace {

constexpr const char *kRows = "#kern.rows<tokens * 1>";

/// o_proj, the residual sum, its norm and the quantization of that.
std::string residualNorm(const std::string &n, const std::string &weight) {
  std::string x = "tensor<?x96xf32>", w = weightType(n + "x96", weight),
              y = "tensor<?x" + n + "xf32>", q = rowsType("?x" + n, "f8"), rows = kRows;
  return "kern.kernel @k(%x: " + x + ", %w: " + w + ", %r: " + y + ", %n: tensor<" + n +
         "xf32>) -> (" + y + ", " + y + ", " + q +
         ") attributes {hero = #kern.hero<matmul>, rows = [" + rows + ", unit, " + rows +
         ", unit, " + rows + ", " + rows + ", " + rows + "], row_strides = array<i64: 96, 96, " +
         n + ", 0, " + n + ", " + n + ", " + n + ">} {\n" + "%0 = moe.linear %x, %w : (" + x +
         ", " + w + ") -> " + y + "\n" + "%1 = moe.add %0, %r : " + y + "\n" +
         "%2 = moe.rms_norm %1, %n {epsilon = 1.0e-6 : f64} : (" + y + ", tensor<" + n +
         "xf32>) -> " + y + "\n" + "%3 = moe.quantize %2 : (" + y + ") -> " + q + "\n" +
         "kern.yield %1, %2, %3 : " + y + ", " + y + ", " + q + "\n}\n";
}

/// A router: 24 experts in 6 groups.
const char *const kRouter = R"(
kern.kernel @k(%x: tensor<?x80xf32>, %w: tensor<24x80xbf16>, %b: tensor<24xf32>)
    -> (tensor<?x24xf32>, tensor<?x5xi32>, tensor<?x5xf32>)
    attributes {hero = #kern.hero<matmul>, rows = [#kern.rows<tokens * 1>, unit, unit, #kern.rows<tokens * 1>,
    #kern.rows<tokens * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 80, 80, 0, 24, 5, 5>} {
  %0 = moe.linear %x, %w : (tensor<?x80xf32>, tensor<24x80xbf16>) -> tensor<?x24xf32>
  %ids, %weights = moe.gate %0, %b {scoring = #moe<scoring sigmoid>, top_k = 5 : i64, groups = 6 : i64, top_groups = 3 : i64,
      normalize = true} : (tensor<?x24xf32>, tensor<24xf32>) -> (tensor<?x5xi32>, tensor<?x5xf32>)
  kern.yield %0, %ids, %weights : tensor<?x24xf32>, tensor<?x5xi32>, tensor<?x5xf32>
}
)";

/// A router that also sorts, as one block of rows can.
const char *const kSortingRouter = R"(
kern.kernel @k(%x: tensor<?x80xf32>, %w: tensor<10x80xf32>)
    -> (tensor<?x10xf32>, tensor<?x3xi32>, tensor<?x3xf32>, tensor<?xi32>, tensor<?x3xi32>, tensor<11xi32>)
    attributes {hero = #kern.hero<matmul>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>,
    #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<tokens * 3>, #kern.rows<tokens * 1>, unit],
    row_strides = array<i64: 80, 80, 10, 3, 3, 1, 3, 0>} {
  %0 = moe.linear %x, %w : (tensor<?x80xf32>, tensor<10x80xf32>) -> tensor<?x10xf32>
  %ids, %weights = moe.gate %0 {scoring = #moe<scoring softmax>, top_k = 3 : i64} : (tensor<?x10xf32>) -> (tensor<?x3xi32>, tensor<?x3xf32>)
  %rows, %slots, %offsets = moe.permute %ids : (tensor<?x3xi32>) -> (tensor<?xi32>, tensor<?x3xi32>, tensor<11xi32>)
  kern.yield %0, %ids, %weights, %rows, %slots, %offsets : tensor<?x10xf32>, tensor<?x3xi32>, tensor<?x3xf32>,
      tensor<?xi32>, tensor<?x3xi32>, tensor<11xi32>
}
)";

/// A merged down-projection: one slice normalized, the other written to the cache.
const char *const kLatent = R"(
kern.kernel @k(%x: tensor<?x72xf32>, %w: tensor<104x72xf32>, %n: tensor<64xf32>, %cache: !moe.cache<40xf32, page = 4>,
    %p: tensor<?xi32>, %s: tensor<?xi32>, %t: tensor<?x?xi32>)
    -> (tensor<?x104xf32>, tensor<?x64xf32>, !moe.cache<40xf32, page = 4>)
    attributes {hero = #kern.hero<matmul>, rows = [#kern.rows<tokens * 1>, unit, unit, unit, #kern.rows<tokens * 1>,
    #kern.rows<tokens * 1>, #kern.rows<sequences * 1>, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, unit],
    row_strides = array<i64: 72, 72, 0, 0, 1, 1, 0, 104, 64, 0>} {
  %0 = moe.linear %x, %w : (tensor<?x72xf32>, tensor<104x72xf32>) -> tensor<?x104xf32>
  %a = moe.slice %0 {offset = 0 : i64} : (tensor<?x104xf32>) -> tensor<?x64xf32>
  %b = moe.slice %0 {offset = 64 : i64} : (tensor<?x104xf32>) -> tensor<?x40xf32>
  %1 = moe.rms_norm %a, %n {epsilon = 1.0e-6 : f64} : (tensor<?x64xf32>, tensor<64xf32>) -> tensor<?x64xf32>
  %2 = moe.cache_append %cache, %b, %p, %s, %t : (!moe.cache<40xf32, page = 4>, tensor<?x40xf32>, tensor<?xi32>,
      tensor<?xi32>, tensor<?x?xi32>) -> !moe.cache<40xf32, page = 4>
  kern.yield %0, %1, %2 : tensor<?x104xf32>, tensor<?x64xf32>, !moe.cache<40xf32, page = 4>
}
)";

/// A merged projection of query, key and value with its bias; then rope, and the cache's row.
const char *const kQueryKeyValue = R"(
#rope = #moe.rope<dim = 8, theta = 1.0e4, layout = half>
kern.kernel @k(%x: tensor<?x72xf32>, %w: tensor<64x72xbf16>, %b: tensor<64xbf16>, %cache: !moe.cache<32xf32, page = 4>,
    %p: tensor<?xi32>, %s: tensor<?xi32>, %t: tensor<?x?xi32>, %a: tensor<300x8xf32>)
    -> (tensor<?x64xf32>, tensor<?x32xf32>, !moe.cache<32xf32, page = 4>)
    attributes {hero = #kern.hero<matmul>, rows = [#kern.rows<tokens * 1>, unit, unit, unit, #kern.rows<tokens * 1>,
    #kern.rows<tokens * 1>, #kern.rows<sequences * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, unit],
    row_strides = array<i64: 72, 72, 0, 0, 1, 1, 0, 8, 64, 32, 0>} {
  %0 = moe.linear %x, %w, %b : (tensor<?x72xf32>, tensor<64x72xbf16>, tensor<64xbf16>) -> tensor<?x64xf32>
  %q = moe.slice %0 {offset = 0 : i64} : (tensor<?x64xf32>) -> tensor<?x32xf32>
  %k = moe.slice %0 {offset = 32 : i64} : (tensor<?x64xf32>) -> tensor<?x16xf32>
  %v = moe.slice %0 {offset = 48 : i64} : (tensor<?x64xf32>) -> tensor<?x16xf32>
  %1 = moe.rope %q, %p, %a {heads = 4 : i64, rope = #rope} : (tensor<?x32xf32>, tensor<?xi32>, tensor<300x8xf32>) -> tensor<?x32xf32>
  %2 = moe.rope %k, %p, %a {heads = 2 : i64, rope = #rope} : (tensor<?x16xf32>, tensor<?xi32>, tensor<300x8xf32>) -> tensor<?x16xf32>
  %3 = moe.concat %2, %v : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x32xf32>
  %4 = moe.cache_append %cache, %3, %p, %s, %t : (!moe.cache<32xf32, page = 4>, tensor<?x32xf32>, tensor<?xi32>,
      tensor<?xi32>, tensor<?x?xi32>) -> !moe.cache<32xf32, page = 4>
  kern.yield %0, %1, %4 : tensor<?x64xf32>, tensor<?x32xf32>, !moe.cache<32xf32, page = 4>
}
)";

void expectClose(const std::string &text, int64_t tokens, double tolerance) {
  KernelHarness harness(text, {tokens, std::min<int64_t>(tokens, 3), 1});
  harness.run();
  for (double error : harness.compare())
    EXPECT_LE(error, tolerance) << tokens << " tokens";
}

} // namespace

TEST(RowTail, ResidualNormQuantize) {
  // 300 tokens are two row blocks; a code may differ where float32 rounds to the other neighbour.
  for (int64_t tokens : {1, 2, 7, 300}) {
    expectClose(residualNorm("200", "f32"), tokens, 2e-4);
    expectClose(residualNorm("128", "f8"), tokens, 2e-4);
  }
}

TEST(RowTail, Router) {
  for (int64_t tokens : {1, 3, 20})
    expectClose(kRouter, tokens, 1e-5);
}

TEST(RowTail, RouterThatSorts) {
  for (int64_t tokens : {1, 6, 255})
    expectClose(kSortingRouter, tokens, 1e-5);
}

TEST(RowTail, NormAndCacheWrite) {
  for (int64_t tokens : {1, 5, 9})
    expectClose(kLatent, tokens, 1e-5);
}

TEST(RowTail, RopeAndCacheWriteOfOneProduct) {
  for (int64_t tokens : {1, 5, 9})
    expectClose(kQueryKeyValue, tokens, 1e-5);
}

TEST(RowTail, SecondRunFindsCountersZero) {
  KernelHarness harness(kRouter, {4, 2, 1});
  harness.run();
  harness.run();
  for (double error : harness.compare())
    EXPECT_LE(error, 1e-5);
}

TEST(RowTail, ResultsMustHoldWhatIsRead) {
  std::string text = kRouter;
  // Not yielding the logits leaves the last tile without them.
  text = replaceAll(text, "-> (tensor<?x24xf32>, tensor<?x5xi32>", "-> (tensor<?x5xi32>");
  text = replaceAll(text, "unit, unit, #kern.rows<tokens * 1>,\n    #kern.rows<tokens * 1>,",
                    "unit, unit, #kern.rows<tokens * 1>,");
  text = replaceAll(text, "80, 80, 0, 24, 5, 5", "80, 80, 0, 5, 5");
  text =
      replaceAll(text, "yield %0, %ids, %weights : tensor<?x24xf32>, ", "yield %ids, %weights : ");
  EXPECT_NE(getFailure(text).find("must be a result of the kernel"), std::string::npos);
}

TEST(RowTail, CountersAreNeeded) {
  std::string schedule =
      "schedule = #kern.schedule<{vector = 8, columns = 16, tokens = 256, rows = 4, "
      "token_group = 2, depth = 128}>, hero";
  EXPECT_NE(getFailure(replaceAll(kRouter, "{hero", "{" + schedule))
                .find("needs counters; assign-schedules gives them"),
            std::string::npos);
}
