// moec-run: generate, chat and bench on a bundle. This file only declares the
// command line.
#include "runtime/bundle/Error.h"
#include "runtime/tools/moec-run/Commands.h"
#include "runtime/tools/moec-run/Generation.h"

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>

using namespace moec::rt;

static void addCommon(CLI::App &app, CommonOptions &o) {
  app.add_option("bundle", o.bundle, "a folder that `moec compile` wrote, or one .moeb file")
      ->required();
  app.add_option("--threads", o.device.threads, "worker threads (default: one per CPU)")
      ->check(CLI::Range(1u, 4096u));
  app.add_option("--device", o.device.index,
                 "which GPU, of those that CUDA_VISIBLE_DEVICES leaves (default: 0)");
  app.add_flag("--launch-by-launch", o.device.launchByLaunch,
               "no graphs, wait after each kernel: a failing one is named");
  app.add_flag("--verbose", o.verbose, "say on standard error what loading took");
  app.add_flag("--skip-weight-check", o.skipCheck, "do not verify the weights' checksums");
}

static void addSampling(CLI::App &app, SamplerOptions &o) {
  app.add_option("--temperature", o.temperature, "0: greedy (default)");
  app.add_option("--top-k", o.topK, "keep the k likeliest tokens (0: all)");
  app.add_option("--top-p", o.topP, "keep the likeliest tokens that reach this probability");
  app.add_option("--seed", o.seed, "of the random choices");
}

static CLI::Option *addThinking(CLI::App &app, ThinkingOption &o) {
  return app
      .add_option("--thinking", o.thinking,
                  "on or off, for chat templates that can do without (default: the template's)")
      ->check(CLI::IsMember({"on", "off"}));
}

static void addGenerate(CLI::App &app, GenerateOptions &o) {
  addCommon(app, o);
  auto *input = app.add_option_group("input", "what to continue");
  input->add_option("--prompt", o.prompt, "raw text")->each([&](const std::string &) {
    o.hasPrompt = true;
  });
  auto *chat =
      input->add_option("--chat", o.chat, "one user message, through the model's chat template")
          ->each([&](const std::string &) { o.hasChat = true; });
  auto *chats = input->add_option("--chats", o.chats,
                                  "a file with one user message a line; prints a JSON object a "
                                  "line: message, reasoning, answer");
  input->add_option("--tokens", o.tokens, "token ids separated by commas; prints ids")
      ->each([&](const std::string &) { o.hasTokens = true; });
  input->require_option(1);
  addThinking(app, o)->needs(chat);
  app.add_option("--max-new-tokens", o.maxNewTokens, "default: until the context is full");
  addSampling(app, o.sampling);
  app.add_flag("--ignore-eos", o.ignoreEos, "go on after a stop token");
  app.add_option("--logits-out", o.logitsOut,
                 "write float32 logits [positions, vocab] to this safetensors file")
      ->excludes(chats);
}

static void addChat(CLI::App &app, ChatOptions &o) {
  addCommon(app, o);
  app.add_option("--system", o.system, "system message");
  addThinking(app, o);
  app.add_option("--max-new-tokens", o.maxNewTokens, "per answer");
  addSampling(app, o.sampling);
}

static void addBench(CLI::App &app, BenchOptions &o) {
  addCommon(app, o);
  app.add_option("--batch", o.batch, "sequences")->check(CLI::PositiveNumber);
  app.add_option("--context", o.context, "tokens in the cache before the first step");
  app.add_option("--prompt", o.prompt,
                 "tokens of each sequence in a step; more than 1: prompts, not decode steps")
      ->check(CLI::PositiveNumber);
  app.add_option("--steps", o.steps, "measured decode steps")->check(CLI::PositiveNumber);
  app.add_option("--warmup", o.warmup, "steps before them");
  app.add_option("--bandwidth-mib", o.bandwidthMiB,
                 "buffer for the read bandwidth (default: as large as the weights, 1 to 4 GiB)")
      ->check(CLI::Range(1u, 1u << 20));
  app.add_flag("--profile", o.profile, "time every launch");
  app.add_flag("--json", o.json, "print one JSON object");
}

static int run(int argc, char **argv) {
  CLI::App app{"Runs bundles that `moec compile` made.", "moec-run"};
  app.require_subcommand(1);
  GenerateOptions generate;
  ChatOptions chat;
  BenchOptions bench;
  auto *generateApp = app.add_subcommand("generate", "continue a prompt");
  auto *chatApp = app.add_subcommand("chat", "talk; /reset forgets, /quit ends");
  auto *benchApp = app.add_subcommand("bench", "time decode steps or prompts");
  addGenerate(*generateApp, generate);
  addChat(*chatApp, chat);
  addBench(*benchApp, bench);
  CLI11_PARSE(app, argc, argv);
  if (*generateApp)
    return generate.chats.empty() ? runGenerate(generate) : runChats(generate);
  if (*chatApp)
    return runChat(chat);
  return runBench(bench);
}

int main(int argc, char **argv) {
  // A file size limit becomes a write error, which is reported and cleaned up.
  std::signal(SIGXFSZ, SIG_IGN);
  try {
    return run(argc, argv);
  } catch (const Interrupted &) {
    std::fprintf(stderr, "moec-run: interrupted\n");
    return 130;
  } catch (const std::exception &error) {
    std::fprintf(stderr, "moec-run: error: %s\n", error.what());
    return 1;
  }
}
