// The toy model's kernels, following docs/contracts.md. A token's row is its
// embedding, kept in two caches (the second doubled); an output row is the
// average of the cached rows of its sequence, weighted by 1 / (1 + distance),
// plus half of the second cache's; logits are its products with a head.
#include "ToyShape.h"

#include <stdint.h>

typedef const int32_t *Ids;

static int64_t cacheRow(Ids blockTable, const int64_t *dims, int32_t sequence, int32_t position) {
  int32_t page = blockTable[sequence * dims[4] + position / TOY_PAGE_ROWS];
  return (int64_t)page * TOY_PAGE_ROWS + position % TOY_PAGE_ROWS;
}

// args: tokens, positions, sequence ids, block table, embedding, caches 0 and 1.
// One tile per token.
void toy_append(void *const *args, const int64_t *dims, int64_t tile, void *workspace) {
  int32_t position = ((Ids)args[1])[tile], sequence = ((Ids)args[2])[tile];
  int64_t row = cacheRow((Ids)args[3], dims, sequence, position);
  const float *embedding = (const float *)args[4] + (int64_t)((Ids)args[0])[tile] * TOY_WIDTH;
  for (int i = 0; i < TOY_WIDTH; ++i) {
    ((float *)args[5])[row * TOY_WIDTH + i] = embedding[i];
    ((float *)args[6])[row * TOY_WIDTH + i] = 2 * embedding[i];
  }
}

// args: positions, sequence ids, block table, output rows, caches 0 and 1,
// hidden [output rows, TOY_WIDTH]. One tile per output row.
void toy_attend(void *const *args, const int64_t *dims, int64_t tile, void *workspace) {
  int32_t token = ((Ids)args[3])[tile];
  int32_t position = ((Ids)args[0])[token], sequence = ((Ids)args[1])[token];
  float *hidden = (float *)args[6] + tile * TOY_WIDTH;
  for (int i = 0; i < TOY_WIDTH; ++i)
    hidden[i] = 0;
  for (int32_t p = 0; p <= position; ++p) {
    int64_t row = cacheRow((Ids)args[2], dims, sequence, p);
    float weight = 1.0f / (float)(1 + position - p);
    for (int i = 0; i < TOY_WIDTH; ++i)
      hidden[i] += weight * (((float *)args[4])[row * TOY_WIDTH + i] +
                             0.5f * ((float *)args[5])[row * TOY_WIDTH + i]);
  }
}

// args: logits, sampling [output rows, 4], tokens. The largest logit, or with a factor the
// random number, and top_k; one tile per row.
void toy_sample(void *const *args, const int64_t *dims, int64_t tile, void *workspace) {
  const float *logits = (const float *)args[0] + tile * TOY_VOCAB;
  const uint32_t *sampling = (const uint32_t *)args[1] + tile * 4;
  int32_t best = -1;
  for (int32_t v = 0; v < TOY_VOCAB; ++v)
    if (logits[v] == logits[v] && (best < 0 || logits[v] > logits[best]))
      best = v;
  if (sampling[0])
    best = (int32_t)((sampling[1] + sampling[3]) % TOY_VOCAB);
  ((int32_t *)args[2])[tile] = best;
}

// args: hidden, head [TOY_VOCAB, TOY_WIDTH], logits. TOY_SPLIT tiles per row.
void toy_head(void *const *args, const int64_t *dims, int64_t tile, void *workspace) {
  int64_t row = tile / TOY_SPLIT, part = tile % TOY_SPLIT;
  float *copy = (float *)workspace;
  for (int i = 0; i < TOY_WIDTH; ++i)
    copy[i] = ((const float *)args[0])[row * TOY_WIDTH + i];
  const int64_t share = TOY_VOCAB / TOY_SPLIT;
  for (int64_t v = part * share; v < (part + 1) * share; ++v) {
    float sum = 0;
    for (int i = 0; i < TOY_WIDTH; ++i)
      sum += copy[i] * ((const float *)args[1])[v * TOY_WIDTH + i];
    ((float *)args[2])[row * TOY_VOCAB + v] = sum;
  }
}
