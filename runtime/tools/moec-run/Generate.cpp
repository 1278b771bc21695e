// moec-run generate: standard output gets the text (or ids) and nothing else.
#include "runtime/bundle/Error.h"
#include "runtime/core/ModelText.h"
#include "runtime/tools/moec-run/Commands.h"
#include "runtime/tools/moec-run/Generation.h"
#include "runtime/tools/moec-run/TextPrinter.h"

#include <charconv>

namespace moec::rt {
namespace {

std::vector<int32_t> parseTokens(std::string_view list) {
  std::vector<int32_t> tokens;
  while (true) {
    std::string_view item = list.substr(0, list.find(','));
    int32_t token = 0;
    auto [end, error] = std::from_chars(item.data(), item.data() + item.size(), token);
    if (error != std::errc() || end != item.data() + item.size())
      fail(ErrorKind::Argument, "--tokens: '", std::string(item),
           "' is no token id; expected numbers separated by commas");
    tokens.push_back(token);
    if (item.size() == list.size())
      return tokens;
    list.remove_prefix(item.size() + 1);
  }
}

/// What the options ask to continue, as tokens.
struct Prompt {
  std::vector<int32_t> tokens;
  bool opensReasoning = false;
};

Prompt readPrompt(const GenerateOptions &options, const std::optional<ModelText> &text) {
  Prompt prompt;
  if (options.hasTokens) {
    prompt.tokens = parseTokens(options.tokens);
  } else if (options.hasPrompt) {
    prompt.tokens = text->encode(options.prompt, /*addSpecial=*/true);
  } else {
    std::string rendered =
        text->renderChat({{"user", options.chat}}, {.thinking = options.wanted()});
    prompt.tokens = text->encode(rendered, /*addSpecial=*/false);
    prompt.opensReasoning = text::ReasoningSplitter::promptOpensReasoning(rendered);
  }
  if (prompt.tokens.empty())
    fail(ErrorKind::Argument, "the prompt is empty: there is nothing to continue");
  return prompt;
}

void checkPrompt(const Model &model, const std::vector<int32_t> &tokens) {
  if (tokens.size() > model.maxContext())
    fail(ErrorKind::Capacity, "the prompt has ", tokens.size(), " tokens, the bundle's context is ",
         model.maxContext(), "; shorten it or compile with a larger --max-context");
}

/// Only as much cache as this run can use.
SessionOptions sessionOptions(const Model &model, size_t promptTokens, uint64_t maxNewTokens) {
  uint64_t room = model.maxContext() - promptTokens;
  return {.maxSequences = 1, .cacheTokens = promptTokens + std::min(room, maxNewTokens)};
}

/// Prints new ids, separated by commas.
struct TokenPrinter {
  bool first = true;
  void push(int32_t token) {
    writeOut(joined(first ? "" : ",", token));
    first = false;
  }
};

} // namespace

int runGenerate(const GenerateOptions &options) {
  Model model(options.bundle, options.model());
  std::optional<ModelText> text;
  if (!options.hasTokens)
    text.emplace(model.bundle());
  Prompt prompt = readPrompt(options, text);
  checkPrompt(model, prompt.tokens);
  Sampler sampler(options.sampling);
  Session session(model, sessionOptions(model, prompt.tokens.size(), options.maxNewTokens));
  if (options.verbose)
    reportLoad(model);

  InterruptGuard guard;
  std::optional<LogitsFile> logits;
  if (!options.logitsOut.empty())
    logits.emplace(options.logitsOut, model.vocabSize());
  std::optional<TextPrinter> printer;
  TokenPrinter ids;
  GenerateRequest request{.sequence = session.addSequence(),
                          .prompt = prompt.tokens,
                          .maxNewTokens = options.maxNewTokens,
                          .ignoreEos = options.ignoreEos,
                          .logits = logits ? &*logits : nullptr,
                          .onToken = {}};
  request.onToken = [&](int32_t token, bool stop) {
    if (!text)
      ids.push(token);
    else if (!stop) {
      if (!printer)
        printer.emplace(text->tokenizer(), prompt.opensReasoning);
      printer->push(token);
    }
  };
  GenerateStats stats = generate(model, session, sampler, request);
  if (printer)
    printer->finish();
  else
    writeOut("\n");
  if (logits)
    logits->finish();
  printStats(stats);
  return 0;
}

} // namespace moec::rt
