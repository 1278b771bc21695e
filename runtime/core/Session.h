// Sequences of tokens that run through a model together. A session owns the KV
// cache, the arena and the input and output buffers, and binds every program
// of the bundle to them once.
#pragma once

#include "runtime/core/Model.h"
#include "runtime/core/PagedCache.h"
#include "runtime/core/Sampler.h"

#include <functional>
#include <optional>
#include <span>

namespace moec::rt {

struct SessionOptions {
  uint32_t maxSequences = 0; // 0: the bundle's max_batch; it may not be more
  uint64_t cacheTokens = 0;  // tokens the cache holds; 0: maxSequences * max_context
#if defined(MOEC_POISON)
  bool poison = true; // fill arena and logits with NaN before every program
#else
  bool poison = false;
#endif
};

using SequenceId = int32_t;

/// Tokens for one sequence.
struct Feed {
  SequenceId sequence;
  std::span<const int32_t> tokens;
};

/// Used by one thread at a time. The model must outlive it.
class Session {
public:
  explicit Session(const Model &model, const SessionOptions &options = {});

  /// A new, empty sequence. Throws Error(Capacity) when all are in use.
  SequenceId addSequence();
  /// Forgets a sequence; its pages and its id become free.
  void removeSequence(SequenceId id);
  /// Forgets a sequence's tokens from position `length` on.
  void truncate(SequenceId id, uint32_t length);
  uint32_t length(SequenceId id) const;

  /// Appends tokens to sequences; returns one pointer per feed to the logits
  /// [vocab_size] after its last token, valid until the next call. Feeds of
  /// one token run together through "decode", longer ones in chunks through
  /// "prefill". Checks everything first: an error changes nothing.
  std::vector<const float *> step(std::span<const Feed> feeds);

  /// step(), then a token for each feed, chosen by its sampler: by the bundle's
  /// entry "sample" where it has one, so that no logits leave the device. The same tokens
  /// as from Sampler::sample() of the logits. Samplers draw once all is checked.
  std::vector<int32_t> stepTokens(std::span<const Feed> feeds, std::span<Sampler *const> samplers);
  /// Whether the bundle chooses tokens itself.
  bool hasSampleEntry() const { return !samplePrograms.empty(); }

  /// Appends tokens to one sequence, in chunks of as many rows as a prefill program has, and hands
  /// over the logits of every one of them: `sink(rows, logits)` gets [rows, vocab_size] in order of
  /// position.
  using RowSink = std::function<void(uint32_t rows, const float *logits)>;
  void prefillAll(SequenceId id, std::span<const int32_t> tokens, const RowSink &sink);

  /// Makes an empty sequence `length` tokens long without computing them (the
  /// cache keeps its old bytes): for benchmarks only.
  void pretendLength(SequenceId id, uint32_t length);

  /// From now on the steps record the seconds of each launch of the last
  /// program that they run, sampling aside.
  void setProfiling(bool on) { profiling = on; }
  const std::vector<double> &launchSeconds() const { return seconds; }
  /// The last program that ran, sampling aside; null before the first.
  const fb::Program *lastProgram() const { return last; }

  uint64_t cacheBytes() const;
  uint32_t freePages() const { return cache->pages().freePages(); }

private:
  struct Sequence {
    bool used = false;
    uint32_t length = 0;
    std::vector<int32_t> pages;
  };
  /// The inputs of one program run, on the host.
  struct Batch {
    std::vector<int32_t> tokens, positions, rows, outputRows;
    std::vector<SequenceId> sequences; // per row of the block table
    void clear();
  };

  /// Sizes of the buffers that all programs share, in bytes.
  struct Sizes {
    uint64_t arena = 1, output = 0, tokens = 0, inputs = 0, launches = 0;
  };
  Sizes sizes() const;
  void allocate(uint32_t pages);
  void bindPrograms();
  BufferView view(const fb::Program &program, const fb::Arg &arg) const;

  Sequence &sequence(SequenceId id);
  void checkFeeds(std::span<const Feed> feeds);
  uint32_t pagesFor(uint64_t tokens) const;
  void grow(Sequence &sequence, uint64_t tokens);

  /// Called when the first rows of the output are the logits of feeds `which`.
  using OutputSink = std::function<void(std::span<const size_t> which)>;
  void runFeeds(std::span<const Feed> feeds, const OutputSink &sink);
  void append(SequenceId id, std::span<const int32_t> tokens);
  void decode(std::span<const Feed> feeds, std::span<const size_t> which);
  void prefill(const Feed &feed);
  using Programs = std::vector<std::unique_ptr<BoundProgram>>;
  void run(const Programs &entry);
  void runSample(std::span<const TokenChoice> choices, std::span<int32_t> tokens);
  std::span<const uint8_t> inputBlock(const fb::Program &program);
  void reserveLogits(size_t rows);
  void fetchLogits(size_t toRow, size_t fromRow, size_t rows);
  void fetchRows(std::span<const size_t> which);
  float *logitsAt(size_t row) const {
    return static_cast<float *>(logits.data()) + row * model.vocabSize();
  }

  const Model &model;
  SessionOptions options;
  std::vector<Sequence> sequences;
  std::optional<PagedCache> cache;
  DeviceBuffer arena, output, tokens, counters;
  DeviceBuffer inputs; // dims and inputs, laid out for each program (InputLayout)
  Programs prefillPrograms, decodePrograms, samplePrograms; // the last may be empty
  Batch batch;
  std::vector<uint8_t> block; // what goes into `inputs`
  HostBuffer logits;          // [rows, vocab_size] F32
  HostBuffer chosen;          // [rows] I32
  bool profiling = false;
  std::vector<double> seconds;
  const fb::Program *last = nullptr;
};

} // namespace moec::rt
