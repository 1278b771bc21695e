// moec-run generate --chats: many questions to one loaded bundle.
#include "runtime/bundle/Error.h"
#include "runtime/core/ModelText.h"
#include "runtime/tools/moec-run/Commands.h"
#include "runtime/tools/moec-run/Generation.h"
#include "runtime/tools/moec-run/TextPrinter.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

namespace moec::rt {
namespace {

std::vector<std::string> readLines(const std::string &path) {
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);)
    lines.push_back(line);
  if (!file.eof())
    fail(ErrorKind::Io, "--chats: cannot read '", path, "': ", std::strerror(errno));
  return lines;
}

/// The answers to messages that know nothing of each other.
class Answers {
public:
  Answers(const Model &model, const GenerateOptions &options)
      : model(model), options(options), text(model.bundle()), session(model, {.maxSequences = 1}),
        sequence(session.addSequence()) {}

  nlohmann::json answer(const std::string &message, size_t line) {
    std::string rendered = text.renderChat({{"user", message}}, {.thinking = options.wanted()});
    std::vector<int32_t> prompt = text.encode(rendered, /*addSpecial=*/false), tokens;
    if (prompt.empty() || prompt.size() > model.maxContext())
      fail(ErrorKind::Capacity, "--chats: line ", line, " becomes ", prompt.size(),
           " tokens, expected 1 to ", model.maxContext(), ", the bundle's context");
    session.truncate(sequence, 0);
    // Each begins with the same seed: an answer does not depend on those before.
    Sampler sampler(options.sampling);
    GenerateRequest request{.sequence = sequence,
                            .prompt = prompt,
                            .maxNewTokens = options.maxNewTokens,
                            .ignoreEos = options.ignoreEos,
                            .onToken = {}};
    request.onToken = [&](int32_t token, bool stop) {
      if (!stop)
        tokens.push_back(token);
    };
    generate(model, session, sampler, request);
    text::ReasoningPiece said =
        text::splitReasoning(text.tokenizer().decode(tokens, /*skipSpecial=*/true),
                             text::ReasoningSplitter::promptOpensReasoning(rendered));
    return {{"message", message}, {"reasoning", said.reasoning}, {"answer", said.answer}};
  }

private:
  const Model &model;
  const GenerateOptions &options;
  ModelText text;
  Session session;
  SequenceId sequence;
};

} // namespace

int runChats(const GenerateOptions &options) {
  std::vector<std::string> messages = readLines(options.chats);
  Model model(options.bundle, options.model());
  Answers answers(model, options);
  if (options.verbose)
    reportLoad(model);
  InterruptGuard guard;
  for (size_t i = 0; i < messages.size(); ++i) {
    nlohmann::json answer = answers.answer(messages[i], i + 1);
    writeOut(answer.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  }
  return 0;
}

} // namespace moec::rt
