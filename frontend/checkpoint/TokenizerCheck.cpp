#include "frontend/checkpoint/TokenizerCheck.h"
#include "frontend/Errors.h"
#include "frontend/Json.h"

using namespace llvm;
using namespace moec::frontend;

static Error checkId(const Json &id, StringRef token, StringRef where, int64_t vocabSize) {
  if (!id.is_number_integer() || id.get<int64_t>() < 0)
    return makeError("'{0}': token '{1}' must have an id of 0 or more, found {2}", where,
                     printable(token), shortText(id));
  if (id.get<int64_t>() >= vocabSize)
    return makeError("'{0}': token '{1}' has id {2}, but the config's vocab_size is {3}; the "
                     "tokenizer belongs to another model",
                     where, printable(token), id.get<int64_t>(), vocabSize);
  return Error::success();
}

static const Json *member(const Json &object, const char *key) {
  auto it = object.is_object() ? object.find(key) : object.end();
  return it == object.end() ? nullptr : &*it;
}

static Error checkVocabulary(const Json &root, StringRef where, int64_t vocabSize) {
  const Json *model = member(root, "model");
  const Json *vocabulary = model ? member(*model, "vocab") : nullptr;
  if (!vocabulary || !vocabulary->is_object())
    return makeError("'{0}': 'model.vocab' must be an object from tokens to ids, found {1}", where,
                     vocabulary ? kindOf(*vocabulary) : "nothing");
  for (const auto &[token, id] : vocabulary->items())
    if (Error error = checkId(id, token, where, vocabSize))
      return error;
  return Error::success();
}

Error moec::frontend::checkTokenizer(StringRef text, StringRef where, int64_t vocabSize) {
  auto root = parseJson(text, where);
  if (!root)
    return root.takeError();
  if (Error error = checkVocabulary(*root, where, vocabSize))
    return error;
  const Json *added = member(*root, "added_tokens");
  if (!added)
    return Error::success();
  if (!added->is_array())
    return makeError("'{0}': 'added_tokens' must be a list, found {1}", where, kindOf(*added));
  for (const Json &token : *added) {
    const Json *content = member(token, "content"), *id = member(token, "id");
    if (!content || !content->is_string() || !id)
      return makeError("'{0}': an added token must have a content and an id, found {1}", where,
                       shortText(token));
    if (Error error = checkId(*id, content->get_ref<const std::string &>(), where, vocabSize))
      return error;
  }
  return Error::success();
}
