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

/// Feeds tokens and chooses the next one. Logits are fetched only when the request wants them.
class Generator {
public:
  Generator(const Model &model, Session &session, Sampler &sampler, const GenerateRequest &request)
      : model(model), session(session), sampler(sampler), request(request) {}

  int32_t prefill() {
    if (!request.logits)
      return step(request.prompt);
    uint32_t vocab = model.vocabSize();
    std::vector<float> last(vocab);
    session.prefillAll(request.sequence, request.prompt, [&](uint32_t rows, const float *logits) {
      request.logits->append(logits, rows);
      std::copy_n(logits + uint64_t(rows - 1) * vocab, vocab, last.begin());
    });
    return sampler.sample(last);
  }

  int32_t step(std::span<const int32_t> tokens) {
    Feed feed{request.sequence, tokens};
    if (!request.logits) {
      Sampler *samplers[] = {&sampler};
      return session.stepTokens({&feed, 1}, samplers)[0];
    }
    const float *logits = session.step({&feed, 1})[0];
    request.logits->append(logits, 1);
    return sampler.sample({logits, model.vocabSize()});
  }

private:
  const Model &model;
  Session &session;
  Sampler &sampler;
  const GenerateRequest &request;
};

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
  Generator generator(model, session, sampler, request);
  int32_t token = generator.prefill();
  stats.prefillSeconds = secondsSince(start);
  start = Clock::now();
  while (stats.newTokens < request.maxNewTokens) {
    if (interrupted)
      throw Interrupted();
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
    token = generator.step({&token, 1});
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
