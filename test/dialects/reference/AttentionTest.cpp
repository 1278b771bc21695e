// The paged cache, and attention against a formula without pages.
#include "dialects/reference/Random.h"
#include "test/dialects/reference/Fixture.h"

#include <cmath>

using namespace moec::reference;
using namespace moec::reference::test;

namespace {
// Two heads; latent 3, rope 2, nope 2, value 2; pages of 2 rows.
class AttentionTest : public ReferenceTest {
protected:
  AttentionTest() {
    for (double &element : cache.rows.data)
      element = numbers.normal();
  }

  Tensor draw(Shape shape) {
    Tensor tensor(shape);
    for (double &element : tensor.data)
      element = numbers.normal();
    return tensor;
  }

  /// Row p of sequence s.
  const double *cached(int s, int p) { return cache.rows.row(table[s * 2 + p / 2] * 2 + p % 2); }

  std::vector<double> softmax(std::vector<double> scores) {
    double sum = 0;
    for (double &score : scores)
      sum += score = std::exp(score);
    for (double &score : scores)
      score /= sum;
    return scores;
  }

  Random numbers{3};
  std::vector<int32_t> table{3, 0, 1, 2}; // [2 sequences, 2 pages]
  std::vector<int32_t> positions{2, 0, 3}, sequences{0, 1, 1};
  Cache cache{Tensor({8, 5}), 2};
  const char *step = "tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>";

  Values withStep(Values values) {
    values.push_back(ints({3}, positions));
    values.push_back(ints({3}, sequences));
    values.push_back(ints({2, 2}, table));
    return values;
  }
};
} // namespace

TEST_F(AttentionTest, CacheAppendFindsRowsThroughTheBlockTable) {
  Tensor rows({3, 5}, 1);
  for (int i = 0; i < 5; ++i)
    rows.at(2, i) = 2;
  auto out = evaluate("moe.cache_append",
                      "!moe.cache<5xf32, page = 2>, tensor<?x5xf32>, " + std::string(step), "",
                      "!moe.cache<5xf32, page = 2>", withStep({share(cache), share(rows)}));
  const Cache &after = std::get<Cache>(*out[0]);
  for (int slot = 0; slot < 8; ++slot) {
    // (0, 2) -> page 0, row 0; (1, 0) -> page 1, row 0; (1, 3) -> page 2, row 1.
    double expected = slot == 0 || slot == 2 ? 1 : slot == 5 ? 2 : cache.rows.at(slot, 4);
    EXPECT_EQ(after.rows.at(slot, 4), expected) << slot;
  }
}

TEST_F(AttentionTest, A16BitCacheRoundsItsRows) {
  auto out = evaluate("moe.cache_append",
                      "!moe.cache<1xbf16, page = 2>, tensor<?x1xf32>, " + std::string(step), "",
                      "!moe.cache<1xbf16, page = 2>",
                      withStep({share(Cache{Tensor({8, 1}), 2}), floats({3, 1}, {0.1, 0.1, 0.1})}));
  EXPECT_EQ(std::get<Cache>(*out[0]).rows.data[0], 0.10009765625);
}

// Two codes by two scales, and a column behind them in bf16.
TEST_F(AttentionTest, AQuantizedCacheHoldsCodesScalesAndATail) {
  std::string type =
      "!moe.cache<6x!moe.qtensor<1x4xf8E4M3FN, block = [1, 2], scale = f32>, page = 2>";
  std::vector<double> rows;
  for (int row = 0; row < 3; ++row)
    rows.insert(rows.end(), {448, 100, 0, 0.9, 0.1, -3});
  auto out = evaluate("moe.cache_append", type + ", tensor<?x6xf32>, " + std::string(step), "",
                      type, withStep({share(Cache{Tensor({8, 6}), 2}), floats({3, 6}, rows)}));
  const double *row = std::get<Cache>(*out[0]).rows.row(0);
  EXPECT_EQ(row[0], 448);
  EXPECT_EQ(row[1], 96); // codes near 100 are 96 and 104; 100 lies between, to even
  EXPECT_EQ(row[2], 0);
  EXPECT_EQ(row[3],
            0.875); // 224 / 256, and 0.9 * 256 / 448 is more than a half: scales are powers of 2
  EXPECT_EQ(row[4], 0.10009765625);
  EXPECT_EQ(row[5], -3);
}

TEST_F(AttentionTest, PlacesOutsideTheCacheAreErrors) {
  auto error = [&] {
    return fail("moe.cache_append",
                "!moe.cache<5xf32, page = 2>, tensor<?x5xf32>, " + std::string(step), "",
                "!moe.cache<5xf32, page = 2>", withStep({share(cache), share(Tensor({3, 5}))}));
  };
  positions[0] = 4;
  EXPECT_EQ(error(), "'moe.cache_append': position 4 is outside 0 .. 3");
  positions[0] = 0;
  sequences[0] = 2;
  EXPECT_EQ(error(), "'moe.cache_append': sequence 2 is outside 0 .. 1");
  sequences[0] = 0;
  table[0] = 4;
  EXPECT_EQ(error(), "'moe.cache_append': cache row 8 is outside 0 .. 7");
}

TEST_F(AttentionTest, LatentAttentionIsSoftmaxOverCachedRows) {
  Tensor qLatent = draw({3, 6}), q = draw({3, 8}), expected({3, 6});
  for (int t = 0; t < 3; ++t)
    for (int h = 0; h < 2; ++h) {
      std::vector<double> scores;
      for (int p = 0; p <= positions[t]; ++p) {
        double score = 0;
        for (int i = 0; i < 3; ++i)
          score += qLatent.at(t, h * 3 + i) * cached(sequences[t], p)[i];
        for (int i = 0; i < 2; ++i)
          score += q.at(t, h * 4 + 2 + i) * cached(sequences[t], p)[3 + i];
        scores.push_back(score * 0.3);
      }
      auto weights = softmax(scores);
      for (int p = 0; p <= positions[t]; ++p)
        for (int i = 0; i < 3; ++i)
          expected.at(t, h * 3 + i) += weights[p] * cached(sequences[t], p)[i];
    }
  auto out = evaluate("moe.latent_attention",
                      "tensor<?x6xf32>, tensor<?x8xf32>, !moe.cache<5xf32, page = 2>, " +
                          std::string(step),
                      "heads = 2 : i64, rope_dim = 2 : i64, scale = 0.3 : f64", "tensor<?x6xf32>",
                      withStep({share(qLatent), share(q), share(cache)}));
  expectNear(out[0], expected.data);
}

TEST_F(AttentionTest, HeadsInAGroupShareKeysAndValues) {
  // 4 heads over 2 heads of keys (2 columns) and values (1): rows [k0 k0 k1 k1 | v0 v1].
  cache = {draw({8, 6}), 2};
  Tensor q = draw({3, 8}), expected({3, 4});
  for (int t = 0; t < 3; ++t)
    for (int h = 0; h < 4; ++h) {
      std::vector<double> scores;
      for (int p = 0; p <= positions[t]; ++p) {
        const double *key = cached(sequences[t], p) + h / 2 * 2;
        scores.push_back((q.at(t, h * 2) * key[0] + q.at(t, h * 2 + 1) * key[1]) * 0.3);
      }
      auto weights = softmax(scores);
      for (int p = 0; p <= positions[t]; ++p)
        expected.at(t, h) += weights[p] * cached(sequences[t], p)[4 + h / 2];
    }
  auto out = evaluate(
      "moe.attention", "tensor<?x8xf32>, !moe.cache<6xf32, page = 2>, " + std::string(step),
      "heads = 4 : i64, kv_heads = 2 : i64, key_dim = 2 : i64, value_dim = 1 : i64, "
      "scale = 0.3 : f64",
      "tensor<?x4xf32>", withStep({share(q), share(cache)}));
  expectNear(out[0], expected.data);
}

TEST_F(AttentionTest, MlaAttentionExpandsKeysAndValues) {
  Tensor q = draw({3, 8}), up = draw({8, 3}), expected({3, 4});
  auto expand = [&](int h, int row, const double *latent) {
    double sum = 0;
    for (int i = 0; i < 3; ++i)
      sum += up.at(h * 4 + row, i) * latent[i];
    return sum;
  };
  for (int t = 0; t < 3; ++t)
    for (int h = 0; h < 2; ++h) {
      std::vector<double> scores;
      for (int p = 0; p <= positions[t]; ++p) {
        const double *row = cached(sequences[t], p);
        double score = 0;
        for (int i = 0; i < 2; ++i)
          score += q.at(t, h * 4 + i) * expand(h, i, row) + q.at(t, h * 4 + 2 + i) * row[3 + i];
        scores.push_back(score * 0.3);
      }
      auto weights = softmax(scores);
      for (int p = 0; p <= positions[t]; ++p)
        for (int i = 0; i < 2; ++i)
          expected.at(t, h * 2 + i) += weights[p] * expand(h, 2 + i, cached(sequences[t], p));
    }
  auto out = evaluate("moe.mla_attention",
                      "tensor<?x8xf32>, tensor<8x3xf32>, !moe.cache<5xf32, page = 2>, " +
                          std::string(step),
                      "heads = 2 : i64, nope_dim = 2 : i64, rope_dim = 2 : i64, v_dim = 2 : i64, "
                      "scale = 0.3 : f64",
                      "tensor<?x4xf32>", withStep({share(q), share(up), share(cache)}));
  expectNear(out[0], expected.data);
}
