#include "runtime/tools/moec-run/Generation.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>

namespace moec::rt {
namespace {

volatile std::sig_atomic_t interrupted = 0;

using Clock = std::chrono::steady_clock;
double secondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Feeds the prompt; the logits after its last token.
std::vector<float> prefill(const Model &model, Session &session, const GenerateRequest &request) {
  uint32_t vocab = model.vocabSize();
  if (!request.logits) {
    Feed feed{request.sequence, request.prompt};
    const float *row = session.step({&feed, 1})[0];
    return {row, row + vocab};
  }
  std::vector<float> last(vocab);
  session.prefillAll(request.sequence, request.prompt, [&](uint32_t rows, const float *logits) {
    request.logits->append(logits, rows);
    std::copy_n(logits + uint64_t(rows - 1) * vocab, vocab, last.begin());
  });
  return last;
}

} // namespace

InterruptGuard::InterruptGuard() {
  interrupted = 0;
  struct sigaction action = {};
  action.sa_handler = [](int) { interrupted = 1; };
  action.sa_flags = SA_RESETHAND | SA_RESTART;
  for (int signal : {SIGINT, SIGTERM})
    ::sigaction(signal, &action, nullptr);
}

InterruptGuard::~InterruptGuard() {
  for (int signal : {SIGINT, SIGTERM})
    std::signal(signal, SIG_DFL);
  interrupted = 0;
}

GenerateStats generate(const Model &model, Session &session, Sampler &sampler,
                       const GenerateRequest &request) {
  GenerateStats stats;
  stats.promptTokens = request.prompt.size();
  const std::vector<int32_t> &stops = model.stopTokens();
  auto start = Clock::now();
  std::vector<float> first = prefill(model, session, request);
  std::span<const float> logits = first;
  stats.prefillSeconds = secondsSince(start);
  start = Clock::now();
  while (stats.newTokens < request.maxNewTokens) {
    if (interrupted)
      throw Interrupted();
    int32_t token = sampler.sample(logits);
    bool stop = !request.ignoreEos && std::find(stops.begin(), stops.end(), token) != stops.end();
    ++stats.newTokens;
    request.onToken(token, stop);
    bool full = session.length(request.sequence) == model.maxContext();
    if (stop || full) {
      stats.reason = stop ? StopReason::StopToken : StopReason::ContextFull;
      break;
    }
    if (stats.newTokens == request.maxNewTokens)
      break;
    Feed feed{request.sequence, {&token, 1}};
    logits = {session.step({&feed, 1})[0], model.vocabSize()};
    if (request.logits)
      request.logits->append(logits.data(), 1);
  }
  stats.decodeSeconds = secondsSince(start);
  return stats;
}

void printStats(const GenerateStats &stats) {
  const char *reason = stats.reason == StopReason::StopToken     ? "stop token"
                       : stats.reason == StopReason::ContextFull ? "context full"
                                                                 : "--max-new-tokens reached";
  double steps = stats.newTokens ? double(stats.newTokens - 1) : 0;
  std::fprintf(stderr, "prefill: %zu tokens in %.3f s, %.1f tokens/s\n", stats.promptTokens,
               stats.prefillSeconds, double(stats.promptTokens) / stats.prefillSeconds);
  std::fprintf(stderr, "decode: %zu tokens in %.3f s, %.1f tokens/s (%s)\n", stats.newTokens,
               stats.decodeSeconds, stats.decodeSeconds > 0 ? steps / stats.decodeSeconds : 0.0,
               reason);
}

} // namespace moec::rt
