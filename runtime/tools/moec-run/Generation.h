// One sequence, continued token by token: what generate and chat share.
#pragma once

#include "runtime/core/Sampler.h"
#include "runtime/core/Session.h"
#include "runtime/tools/moec-run/LogitsFile.h"

#include <functional>

namespace moec::rt {

/// Thrown between two steps after SIGINT or SIGTERM.
struct Interrupted {};

/// While it lives, the first SIGINT or SIGTERM makes generate() throw
/// Interrupted after its current step; the second one ends the process.
class InterruptGuard {
public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard &) = delete;
  InterruptGuard &operator=(const InterruptGuard &) = delete;
};

struct GenerateRequest {
  SequenceId sequence;
  std::span<const int32_t> prompt; // what is new to the sequence
  uint64_t maxNewTokens;
  bool ignoreEos = false;
  LogitsFile *logits = nullptr; // receives a row per position
  /// Called for each new token as it is chosen; `stop`: it ends the text.
  std::function<void(int32_t token, bool stop)> onToken;
};

enum class StopReason { StopToken, MaxNewTokens, ContextFull };

struct GenerateStats {
  size_t promptTokens = 0, newTokens = 0;
  double prefillSeconds = 0, decodeSeconds = 0; // decode: newTokens - 1 steps
  StopReason reason = StopReason::MaxNewTokens;
};

GenerateStats generate(const Model &model, Session &session, Sampler &sampler,
                       const GenerateRequest &request);

/// Tokens/s and the reason of the end, on standard error.
void printStats(const GenerateStats &stats);

} // namespace moec::rt
