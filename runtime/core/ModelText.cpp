#include "runtime/core/ModelText.h"

#include "runtime/bundle/Error.h"
#include "runtime/text/TextError.h"

namespace moec::rt {

using text::TextError;

ModelText::ModelText(const BundleFile &bundle)
    : path(bundle.path()), configJson(bundle.textFile("tokenizer_config.json")) {
  std::string_view json = bundle.textFile("tokenizer.json");
  if (json.empty())
    fail(ErrorKind::Argument, "bundle '", path,
         "' carries no tokenizer.json; give token ids with --tokens");
  try {
    tokens = text::Tokenizer::fromJson(json, configJson);
  } catch (const TextError &error) {
    fail(ErrorKind::Bundle, "bundle '", path, "': ", error.what());
  }
  if (tokens->vocabSize() > int64_t(bundle.manifest().vocab_size()))
    fail(ErrorKind::Bundle, "bundle '", path, "': tokenizer.json has ids up to ",
         tokens->vocabSize() - 1, ", the model's vocabulary has ", bundle.manifest().vocab_size(),
         " entries; is it the tokenizer of another model?");
}

std::vector<int32_t> ModelText::encode(std::string_view text, bool addSpecial) const {
  try {
    return tokens->encode(text, addSpecial);
  } catch (const TextError &error) {
    fail(ErrorKind::Argument, error.what());
  }
}

std::string ModelText::renderChat(const std::vector<text::ChatMessage> &messages) const {
  try {
    if (!chat)
      chat = text::ChatTemplate::fromConfig(configJson);
    return chat->render(messages, /*addGenerationPrompt=*/true, tokens->bosToken(),
                        tokens->eosToken());
  } catch (const TextError &error) {
    fail(ErrorKind::Argument, "bundle '", path, "': ", error.what(),
         "; give the whole prompt with --prompt");
  }
}

} // namespace moec::rt
