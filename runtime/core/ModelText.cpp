#include "runtime/core/ModelText.h"

#include "runtime/bundle/Error.h"
#include "runtime/text/TextError.h"

namespace moec::rt {

using text::TextError;

ModelText::ModelText(const BundleFile &bundle)
    : path(bundle.path()), configJson(bundle.textFile("tokenizer_config.json")),
      templateFile(bundle.textFile("chat_template.jinja")) {
  std::string_view json = bundle.textFile("tokenizer.json");
  if (json.empty())
    fail(ErrorKind::Argument, "bundle '", path,
         "' carries no tokenizer.json; give token ids with --tokens, or compile from a folder that "
         "has one (tokenizer.model and tiktoken.model are not read: convert them with "
         "transformers)");
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

std::string ModelText::renderChat(const std::vector<text::ChatMessage> &messages,
                                  const text::RenderOptions &options) const {
  try {
    std::unique_lock lock(chatMutex);
    if (!chat)
      chat = text::ChatTemplate::fromFiles(configJson, templateFile);
    lock.unlock();
    return chat->render(messages, options);
  } catch (const TextError &error) {
    fail(ErrorKind::Argument, "bundle '", path, "': ", error.what(),
         "; give the whole prompt with --prompt");
  }
}

} // namespace moec::rt
