// The subcommands of moec-run. Each returns the process's exit status and
// throws Error for what the user got wrong.
#pragma once

#include "runtime/core/Model.h"
#include "runtime/core/Sampler.h"
#include "runtime/tools/moec-run/LoadReport.h"

#include <cstdint>
#include <optional>
#include <string>

namespace moec::rt {

struct CommonOptions {
  std::string bundle;
  DeviceOptions device;
  bool skipCheck = false;
  bool verbose = false;

  ModelOptions model() const {
    return {.device = device, .verifyWeights = !skipCheck, .progress = loadProgress()};
  }
};

/// What the chat template is told of thinking: "on", "off", or its own default.
struct ThinkingOption {
  std::string thinking;
  std::optional<bool> wanted() const {
    return thinking.empty() ? std::nullopt : std::optional(thinking == "on");
  }
};

struct GenerateOptions : CommonOptions, ThinkingOption {
  std::string prompt, chat, chats, tokens;
  bool hasPrompt = false, hasChat = false, hasTokens = false;
  uint64_t maxNewTokens = UINT64_MAX; // to the end of the context
  SamplerOptions sampling;
  bool ignoreEos = false;
  std::string logitsOut;
};

struct ChatOptions : CommonOptions, ThinkingOption {
  std::string system;
  uint64_t maxNewTokens = UINT64_MAX;
  SamplerOptions sampling;
};

struct BenchOptions : CommonOptions {
  uint32_t batch = 1;
  uint32_t context = 128; // tokens a sequence holds before the first step
  uint32_t prompt = 1;    // tokens of each sequence in a step
  uint32_t steps = 32;
  uint32_t warmup = 4;
  uint64_t bandwidthMiB = 0; // 0: from the size of the weights
  bool profile = false;
  bool json = false;
};

int runGenerate(const GenerateOptions &options);
/// Each line of the file `chats` is a conversation of one message.
int runChats(const GenerateOptions &options);
int runChat(const ChatOptions &options);
int runBench(const BenchOptions &options);

} // namespace moec::rt
