// moec-run chat: a conversation, one line a message. Every turn renders the
// whole conversation again (templates drop earlier reasoning) and keeps what
// the cache already holds of it.
#include "runtime/bundle/Error.h"
#include "runtime/core/ModelText.h"
#include "runtime/tools/moec-run/Commands.h"
#include "runtime/tools/moec-run/Generation.h"
#include "runtime/tools/moec-run/TextPrinter.h"

#include <algorithm>
#include <iostream>
#include <unistd.h>

namespace moec::rt {
namespace {

class Conversation {
public:
  Conversation(const Model &model, const ChatOptions &options)
      : model(model), options(options), text(model.bundle()), sampler(options.sampling),
        session(model, {.maxSequences = 1}), sequence(session.addSequence()) {
    reset();
  }

  void reset() {
    messages.clear();
    if (!options.system.empty())
      messages.push_back({"system", options.system});
  }

  /// One turn. On an error the message is taken back.
  void say(const std::string &message) {
    messages.push_back({"user", message});
    try {
      answer();
    } catch (...) {
      messages.pop_back();
      throw;
    }
  }

private:
  void answer() {
    std::string rendered = text.renderChat(messages, {.thinking = options.wanted()});
    bool opened = text::ReasoningSplitter::promptOpensReasoning(rendered);
    std::vector<int32_t> tokens = text.encode(rendered, /*addSpecial=*/false);
    if (tokens.size() > model.maxContext())
      fail(ErrorKind::Capacity, "the conversation has ", tokens.size(),
           " tokens, the bundle's context is ", model.maxContext(), "; /reset begins a new one");
    rewind(tokens);
    TextPrinter printer(text.tokenizer(), opened);
    size_t known = cached.size();
    cached = tokens;
    GenerateRequest request{.sequence = sequence,
                            .prompt = std::span(tokens).subspan(known),
                            .maxNewTokens = options.maxNewTokens,
                            .onToken = {}};
    request.onToken = [&](int32_t token, bool stop) {
      if (!stop)
        printer.push(token);
      cached.push_back(token);
    };
    try {
      InterruptGuard guard;
      GenerateStats stats = generate(model, session, sampler, request);
      printer.finish();
      printStats(stats);
    } catch (const Interrupted &) { // the answer ends here
      printer.finish();
    }
    // The last token was chosen but not fed.
    cached.resize(std::min<size_t>(cached.size(), session.length(sequence)));
    text::ReasoningPiece said = text::splitReasoning(printer.written(), opened);
    messages.push_back({"assistant", said.answer});
    if (!said.reasoning.empty())
      messages.back().reasoning = said.reasoning;
  }

  /// Cuts the sequence to what it shares with `tokens`, less one so that there
  /// is a token left to compute logits for.
  void rewind(const std::vector<int32_t> &tokens) {
    size_t limit = std::min<size_t>({cached.size(), tokens.size() - 1, session.length(sequence)});
    auto [end, _] = std::mismatch(cached.begin(), cached.begin() + limit, tokens.begin());
    cached.resize(end - cached.begin());
    session.truncate(sequence, uint32_t(cached.size()));
  }

  const Model &model;
  const ChatOptions &options;
  ModelText text;
  Sampler sampler;
  Session session;
  SequenceId sequence;
  std::vector<text::ChatMessage> messages;
  std::vector<int32_t> cached; // tokens that the sequence holds
};

} // namespace

int runChat(const ChatOptions &options) {
  Model model(options.bundle, options.model());
  Conversation conversation(model, options);
  if (options.verbose)
    reportLoad(model);
  bool terminal = ::isatty(STDIN_FILENO);
  if (terminal)
    std::fprintf(stderr, "%s; /reset forgets the conversation, /quit ends\n",
                 model.device().describe().c_str());
  std::string line;
  while (true) {
    if (terminal)
      std::fprintf(stderr, "> ");
    if (!std::getline(std::cin, line) || line == "/quit")
      return 0;
    if (line == "/reset") {
      conversation.reset();
      continue;
    }
    if (line.empty())
      continue;
    try {
      conversation.say(line);
    } catch (const Error &error) {
      if (!terminal || error.kind != ErrorKind::Capacity)
        throw;
      std::fprintf(stderr, "moec-run: error: %s\n", error.what());
    }
  }
}

} // namespace moec::rt
