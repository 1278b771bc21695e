// Checking, page bookkeeping and the choice of programs. Everything that a
// kernel could misuse (ids, positions, page numbers) is made or checked here.
#include "runtime/core/Session.h"

#include "runtime/bundle/Error.h"

#include <algorithm>

namespace moec::rt {

Session::Session(const Model &model, const SessionOptions &wanted)
    : model(model), options(wanted), logits(model.device()), chosen(model.device()) {
  const fb::Manifest &m = model.manifest();
  if (!m.weights_present())
    fail(ErrorKind::Argument, "bundle '", model.bundle().path(),
         "' was compiled with --weights none and cannot run; compile it with "
         "--weights copy or --weights synthetic");
  if (!options.maxSequences)
    options.maxSequences = m.max_batch();
  if (options.maxSequences > m.max_batch())
    fail(ErrorKind::Argument, options.maxSequences,
         " sequences wanted, the bundle was compiled with --max-batch ", m.max_batch());
  sequences.resize(options.maxSequences);
  uint64_t pages = options.cacheTokens ? pagesFor(options.cacheTokens)
                                       : uint64_t(options.maxSequences) * pagesFor(m.max_context());
  if (pages > INT32_MAX)
    fail(ErrorKind::Capacity, "the cache would have ", pages,
         " pages; ask for fewer sequences or cache tokens");
  allocate(uint32_t(pages));
  bindPrograms();
}

SequenceId Session::addSequence() {
  for (size_t id = 0; id < sequences.size(); ++id)
    if (!sequences[id].used) {
      sequences[id].used = true;
      return SequenceId(id);
    }
  fail(ErrorKind::Capacity, "all ", sequences.size(),
       " sequences of the session are in use; remove one first");
}

void Session::removeSequence(SequenceId id) {
  Sequence &s = sequence(id);
  truncate(id, 0);
  s.used = false;
}

void Session::truncate(SequenceId id, uint32_t length) {
  Sequence &s = sequence(id);
  if (length > s.length)
    fail(ErrorKind::Argument, "sequence ", id, " has ", s.length, " tokens, it cannot be cut to ",
         length);
  for (; s.pages.size() > pagesFor(length); s.pages.pop_back())
    cache->pages().release(s.pages.back());
  s.length = length;
}

uint32_t Session::length(SequenceId id) const {
  return const_cast<Session *>(this)->sequence(id).length;
}

Session::Sequence &Session::sequence(SequenceId id) {
  if (id < 0 || size_t(id) >= sequences.size() || !sequences[id].used)
    fail(ErrorKind::Argument, "sequence ", id, " does not exist");
  return sequences[id];
}

uint32_t Session::pagesFor(uint64_t tokens) const {
  uint32_t rows = model.manifest().cache()->page_rows();
  return uint32_t((tokens + rows - 1) / rows);
}

uint64_t Session::cacheBytes() const {
  return PagedCache::bytes(*model.manifest().cache(), cache->pages().totalPages());
}

void Session::checkFeeds(std::span<const Feed> feeds) {
  uint64_t newPages = 0;
  std::vector<bool> seen(sequences.size());
  for (const Feed &feed : feeds) {
    const Sequence &s = sequence(feed.sequence);
    if (seen[feed.sequence])
      fail(ErrorKind::Argument, "sequence ", feed.sequence, " is fed twice in one step");
    seen[feed.sequence] = true;
    if (feed.tokens.empty())
      fail(ErrorKind::Argument, "sequence ", feed.sequence, " is fed no tokens");
    for (size_t i = 0; i < feed.tokens.size(); ++i)
      if (feed.tokens[i] < 0 || uint32_t(feed.tokens[i]) >= model.vocabSize())
        fail(ErrorKind::Argument, "token ", i, " has id ", feed.tokens[i],
             ", the vocabulary has ids 0 to ", model.vocabSize() - 1);
    uint64_t length = s.length + uint64_t(feed.tokens.size());
    if (length > model.maxContext())
      fail(ErrorKind::Capacity, "sequence ", feed.sequence, " would have ", length,
           " tokens, the bundle's context is ", model.maxContext(),
           "; shorten the prompt or compile with a larger --max-context");
    newPages += pagesFor(length) - s.pages.size();
  }
  if (newPages > cache->pages().freePages())
    fail(ErrorKind::Capacity, "the step needs ", newPages, " more cache pages of ",
         cache->pageRows(), " tokens, ", cache->pages().freePages(), " of ",
         cache->pages().totalPages(),
         " are free; remove a sequence or make the session's cache larger");
}

void Session::grow(Sequence &s, uint64_t tokens) {
  while (s.pages.size() < pagesFor(tokens))
    s.pages.push_back(cache->pages().allocate());
}

void Session::pretendLength(SequenceId id, uint32_t length) {
  Sequence &s = sequence(id);
  if (s.length || length > model.maxContext() || pagesFor(length) > cache->pages().freePages())
    fail(ErrorKind::Capacity, "sequence ", id, " cannot become ", length, " tokens long: it has ",
         s.length, ", the context is ", model.maxContext());
  grow(s, length);
  s.length = length;
}

void Session::reserveLogits(size_t rows) {
  logits.reserve(rows * model.vocabSize() * sizeof(float), "the logits on the host");
}

/// Rows of the output to rows of `logits`. Waits for the program.
void Session::fetchLogits(size_t toRow, size_t fromRow, size_t rows) {
  size_t bytes = model.vocabSize() * sizeof(float);
  model.device().copyOut(logitsAt(toRow), static_cast<uint8_t *>(output.data()) + fromRow * bytes,
                         rows * bytes);
}

/// Rows of the output, from 0 on, to those that feeds `which` have in `logits`; rows that lie
/// together on both sides together.
void Session::fetchRows(std::span<const size_t> which) {
  for (size_t i = 0, end; i < which.size(); i = end) {
    for (end = i + 1; end < which.size() && which[end] == which[end - 1] + 1; ++end)
      ;
    fetchLogits(which[i], i, end - i);
  }
}

void Session::runFeeds(std::span<const Feed> feeds, const OutputSink &sink) {
  std::vector<size_t> single;
  for (size_t i = 0; i < feeds.size(); ++i)
    if (feeds[i].tokens.size() == 1) {
      single.push_back(i);
    } else {
      prefill(feeds[i]);
      sink({&i, 1});
    }
  const fb::Program &largest = decodePrograms.back()->program;
  size_t limit = std::min(largest.max_sequences(), largest.max_output_rows());
  std::span<const size_t> rest = single;
  while (!rest.empty()) {
    size_t count = std::min(limit, rest.size());
    decode(feeds, rest.first(count));
    sink(rest.first(count));
    rest = rest.subspan(count);
  }
}

std::vector<const float *> Session::step(std::span<const Feed> feeds) {
  checkFeeds(feeds);
  reserveLogits(feeds.size());
  runFeeds(feeds, [&](std::span<const size_t> which) { fetchRows(which); });
  std::vector<const float *> rows;
  rows.reserve(feeds.size());
  for (size_t i = 0; i < feeds.size(); ++i)
    rows.push_back(logitsAt(i));
  return rows;
}

std::vector<int32_t> Session::stepTokens(std::span<const Feed> feeds,
                                         std::span<Sampler *const> samplers) {
  if (samplers.size() != feeds.size())
    fail(ErrorKind::Argument, feeds.size(), " feeds have ", samplers.size(), " samplers");
  checkFeeds(feeds);
  std::vector<int32_t> out(feeds.size());
  if (!hasSampleEntry()) {
    reserveLogits(feeds.size());
    runFeeds(feeds, [&](std::span<const size_t> which) { fetchRows(which); });
    for (size_t i = 0; i < feeds.size(); ++i)
      out[i] = samplers[i]->sample({logitsAt(i), model.vocabSize()});
    return out;
  }
  std::vector<TokenChoice> choices;
  for (Sampler *sampler : samplers)
    choices.push_back(sampler->next());
  runFeeds(feeds, [&](std::span<const size_t> which) {
    std::vector<TokenChoice> rows;
    for (size_t i : which)
      rows.push_back(choices[i]);
    std::vector<int32_t> ids(which.size());
    runSample(rows, ids);
    for (size_t row = 0; row < which.size(); ++row)
      out[which[row]] = ids[row];
  });
  return out;
}

/// Adds the tokens to the batch as its next row of the block table.
void Session::append(SequenceId id, std::span<const int32_t> tokens) {
  Sequence &s = sequence(id);
  grow(s, s.length + tokens.size());
  for (int32_t token : tokens) {
    batch.tokens.push_back(token);
    batch.positions.push_back(int32_t(s.length++));
    batch.rows.push_back(int32_t(batch.sequences.size()));
  }
  batch.sequences.push_back(id);
}

void Session::decode(std::span<const Feed> feeds, std::span<const size_t> which) {
  batch.clear();
  for (size_t i = 0; i < which.size(); ++i) {
    append(feeds[which[i]].sequence, feeds[which[i]].tokens);
    batch.outputRows.push_back(int32_t(i));
  }
  run(decodePrograms);
}

/// Chunks of the largest bucket; only the last chunk asks for logits.
void Session::prefill(const Feed &feed) {
  size_t limit = prefillPrograms.back()->program.max_tokens();
  for (size_t begin = 0; begin < feed.tokens.size(); begin += limit) {
    size_t count = std::min(limit, feed.tokens.size() - begin);
    batch.clear();
    append(feed.sequence, feed.tokens.subspan(begin, count));
    if (begin + count == feed.tokens.size())
      batch.outputRows.push_back(int32_t(count - 1));
    run(prefillPrograms);
  }
}

void Session::prefillAll(SequenceId id, std::span<const int32_t> tokens, const RowSink &sink) {
  Feed feed{id, tokens};
  checkFeeds({&feed, 1});
  size_t limit = 1;
  for (const auto &p : prefillPrograms)
    limit = std::max<size_t>(limit, p->program.max_output_rows());
  reserveLogits(std::min(limit, tokens.size()));
  for (size_t begin = 0; begin < tokens.size(); begin += limit) {
    size_t count = std::min(limit, tokens.size() - begin);
    batch.clear();
    append(id, tokens.subspan(begin, count));
    for (size_t i = 0; i < count; ++i)
      batch.outputRows.push_back(int32_t(i));
    run(prefillPrograms);
    fetchLogits(0, 0, count);
    sink(uint32_t(count), logitsAt(0));
  }
}

} // namespace moec::rt
