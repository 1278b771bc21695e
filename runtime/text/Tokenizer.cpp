#include "runtime/text/Tokenizer.h"
#include "runtime/text/AddedTokens.h"
#include "runtime/text/BpeModel.h"
#include "runtime/text/JsonView.h"
#include "runtime/text/PreTokenizer.h"
#include "runtime/text/TextError.h"
#include "runtime/text/TokenDecoder.h"
#include "runtime/text/Utf8.h"

namespace moec::rt::text {

namespace {

constexpr size_t maxTextBytes = size_t(1) << 30;
constexpr size_t maxAddedTokens = 1 << 16;

struct Entry {
  std::string spelling, bytes;
  bool used = false, special = false;
};

AddedToken readAddedToken(const JsonView &json) {
  AddedToken token;
  JsonView id = json.at("id");
  if (id.asInt() < 0 || id.asInt() > BpeModel::maxTokenId)
    id.unsupported("ids of 0 to " + std::to_string(BpeModel::maxTokenId));
  token.id = int32_t(id.asInt());
  token.content = json.at("content").asString();
  if (token.content.empty() || token.content.size() > AddedTokens::maxContentBytes)
    json.at("content").unsupported("1 to " + std::to_string(AddedTokens::maxContentBytes) +
                                   " bytes");
  token.special = json.boolOr("special", false);
  token.normalized = json.boolOr("normalized", !token.special);
  token.lstrip = json.boolOr("lstrip", false);
  token.rstrip = json.boolOr("rstrip", false);
  token.singleWord = json.boolOr("single_word", false);
  return token;
}

// Bytes or characters: the three sections must mean the same.
void checkLevels(const BpeModel &model, const PreTokenizer &preTokenizer,
                 const TokenDecoder &decoder) {
  auto level = [](bool isByteLevel) { return isByteLevel ? "ByteLevel" : "no ByteLevel"; };
  bool wanted = model.isByteLevel();
  if (preTokenizer.isByteLevel() != wanted || decoder.isByteLevel() != wanted)
    throw TextError("tokenizer.json: model.byte_fallback is " +
                    std::string(wanted ? "false" : "true") + ", but pre_tokenizer has " +
                    level(preTokenizer.isByteLevel()) + " and decoder has " +
                    level(decoder.isByteLevel()) +
                    "; supported: byte_fallback false with "
                    "ByteLevel in both, byte_fallback true with ByteLevel in neither");
}

} // namespace

struct Tokenizer::Impl {
  BpeModel model;
  Normalizer normalizer;
  PreTokenizer preTokenizer;
  TokenDecoder decoder;
  AddedTokens added;
  std::vector<Entry> entries; // by id
  std::unordered_map<std::string, int32_t> addedIds;
  std::string bos, eos;
  std::vector<int32_t> prefix, suffix; // what addSpecial puts around

  void place(int32_t id, const std::string &spelling) {
    if (size_t(id) >= entries.size())
      entries.resize(size_t(id) + 1);
    Entry &entry = entries[id];
    entry.spelling = spelling;
    entry.bytes = decoder.bytesOf(spelling);
    entry.used = true;
  }

  void readAddedTokens(const JsonView &file);
  void addOne(const JsonView &at, AddedToken token);
  void readConfig(const JsonView &config);
  void readTemplate(const JsonView &post);
  void readPostProcessor(const JsonView &post);
  std::optional<int32_t> idOf(const std::string &token) const;
  int32_t requireId(const std::string &token, const std::string &where) const;
  void encodePiece(const TextSpan &span, const RegexBudget &budget,
                   std::vector<int32_t> &ids) const;
};

std::optional<int32_t> Tokenizer::Impl::idOf(const std::string &token) const {
  if (auto it = addedIds.find(token); it != addedIds.end())
    return it->second;
  if (auto it = model.vocab().find(token); it != model.vocab().end())
    return it->second;
  return std::nullopt;
}

int32_t Tokenizer::Impl::requireId(const std::string &token, const std::string &where) const {
  if (auto id = idOf(token))
    return *id;
  throw TextError(where + " names the token '" + token +
                  "', which neither the vocabulary nor the added tokens hold");
}

void Tokenizer::Impl::readAddedTokens(const JsonView &file) {
  if (!file.has("added_tokens"))
    return;
  JsonView list = file.at("added_tokens");
  list.requireArray();
  if (list.size() > maxAddedTokens)
    throw TextError(list.path() + " has " + std::to_string(list.size()) + " entries, at most " +
                    std::to_string(maxAddedTokens) + " are supported");
  for (size_t i = 0; i < list.size(); ++i)
    addOne(list.at(i), readAddedToken(list.at(i)));
}

// An added token either repeats a token of the vocabulary with its id, or
// takes an id that nothing has yet.
void Tokenizer::Impl::addOne(const JsonView &at, AddedToken token) {
  if (auto known = idOf(token.content)) {
    if (*known != token.id || addedIds.count(token.content))
      throw TextError(at.path() + " gives '" + token.content + "' the id " +
                      std::to_string(token.id) + ", but it has the id " + std::to_string(*known) +
                      " already");
  } else if (size_t(token.id) < entries.size() && entries[token.id].used) {
    throw TextError(at.path() + " gives '" + token.content + "' the id " +
                    std::to_string(token.id) + ", which '" + entries[token.id].spelling +
                    "' has already");
  }
  place(token.id, token.content);
  entries[token.id].special = token.special;
  addedIds.emplace(token.content, token.id);
  added.add(std::move(token), normalizer);
}

// A TemplateProcessing that puts special tokens before and after the text.
void Tokenizer::Impl::readTemplate(const JsonView &post) {
  JsonView single = post.at("single");
  single.requireArray();
  bool textSeen = false;
  for (size_t i = 0; i < single.size(); ++i) {
    JsonView part = single.at(i);
    if (part.has("Sequence")) {
      textSeen = true;
      continue;
    }
    JsonView name = part.at("SpecialToken").at("id");
    (textSeen ? suffix : prefix).push_back(requireId(name.asString(), name.path()));
  }
}

void Tokenizer::Impl::readPostProcessor(const JsonView &post) {
  JsonView type = post.at("type");
  if (type.asString() == "TemplateProcessing") {
    readTemplate(post);
  } else if (type.asString() == "Sequence") {
    JsonView list = post.at("processors");
    list.requireArray();
    for (size_t i = 0; i < list.size(); ++i)
      readPostProcessor(list.at(i));
  } else if (type.asString() != "ByteLevel") {
    type.unsupported("ByteLevel, TemplateProcessing, Sequence of these");
  }
}

// tokenizer_config.json has the last word on BOS and EOS.
void Tokenizer::Impl::readConfig(const JsonView &config) {
  config.requireObject();
  bos = specialTokenName(config, "bos_token");
  eos = specialTokenName(config, "eos_token");
  if (config.has("add_bos_token")) {
    prefix.clear();
    if (config.at("add_bos_token").asBool())
      prefix.push_back(requireId(bos, config.path() + ".bos_token"));
  }
  if (config.has("add_eos_token")) {
    suffix.clear();
    if (config.at("add_eos_token").asBool())
      suffix.push_back(requireId(eos, config.path() + ".eos_token"));
  }
}

Tokenizer Tokenizer::fromJson(std::string_view tokenizerJson,
                              std::string_view tokenizerConfigJson) {
  const Json json = parseJson(tokenizerJson, "tokenizer.json");
  JsonView file(json, "tokenizer.json");
  file.requireObject();
  // Truncation and padding would change the ids: nobody asks for them here.
  file.allowOnly("truncation", nullptr);
  file.allowOnly("padding", nullptr);

  auto impl = std::make_unique<Impl>();
  impl->model = BpeModel::fromJson(file.at("model"));
  if (file.has("normalizer"))
    impl->normalizer = Normalizer::fromJson(file.at("normalizer"));
  impl->preTokenizer = PreTokenizer::fromJson(file.at("pre_tokenizer"));
  impl->decoder = TokenDecoder::fromJson(file.at("decoder"));
  checkLevels(impl->model, impl->preTokenizer, impl->decoder);
  for (const auto &[spelling, id] : impl->model.vocab())
    impl->place(id, spelling);
  impl->readAddedTokens(file);
  if (file.has("post_processor"))
    impl->readPostProcessor(file.at("post_processor"));
  if (!tokenizerConfigJson.empty()) {
    const Json config = parseJson(tokenizerConfigJson, "tokenizer_config.json");
    impl->readConfig(JsonView(config, "tokenizer_config.json"));
  }
  return Tokenizer(std::move(impl));
}

Tokenizer::Tokenizer(std::unique_ptr<Impl> impl) : impl(std::move(impl)) {}
Tokenizer::~Tokenizer() = default;
Tokenizer::Tokenizer(Tokenizer &&) noexcept = default;
Tokenizer &Tokenizer::operator=(Tokenizer &&) noexcept = default;

void Tokenizer::Impl::encodePiece(const TextSpan &span, const RegexBudget &budget,
                                  std::vector<int32_t> &ids) const {
  std::string rewritten;
  std::string_view text = span.text;
  if (preTokenizer.rewrites())
    text = rewritten = preTokenizer.rewrite(text, span.atStart);
  for (std::string_view word : preTokenizer.split(text, budget)) {
    if (preTokenizer.addPrefixSpace() && word.front() != ' ')
      model.encodeWord(" " + std::string(word), ids);
    else
      model.encodeWord(word, ids);
  }
}

std::vector<int32_t> Tokenizer::encode(std::string_view text, bool addSpecial) const {
  if (text.size() > maxTextBytes)
    throw TextError("text of " + std::to_string(text.size()) + " bytes, at most " +
                    std::to_string(maxTextBytes) + " are supported");
  requireUtf8(text, "text");
  RegexBudget budget(text.size());
  std::vector<int32_t> ids;
  if (addSpecial)
    ids = impl->prefix;
  const SplitText split = impl->added.split(text, impl->normalizer);
  for (const TextSpan &span : split.spans) {
    if (span.id >= 0)
      ids.push_back(span.id);
    else
      impl->encodePiece(span, budget, ids);
  }
  if (addSpecial)
    ids.insert(ids.end(), impl->suffix.begin(), impl->suffix.end());
  return ids;
}

std::string Tokenizer::decode(const std::vector<int32_t> &ids, bool skipSpecial) const {
  std::string bytes;
  for (int32_t id : ids)
    if (!skipSpecial || !isSpecial(id))
      bytes.append(tokenBytes(id));
  if (stripsFirstSpace() && bytes.starts_with(' '))
    bytes.erase(0, 1);
  return utf8Lossy(bytes);
}

int32_t Tokenizer::vocabSize() const { return int32_t(impl->entries.size()); }

std::optional<int32_t> Tokenizer::tokenToId(std::string_view token) const {
  return impl->idOf(std::string(token));
}

std::optional<std::string> Tokenizer::idToToken(int32_t id) const {
  if (id < 0 || id >= vocabSize() || !impl->entries[id].used)
    return std::nullopt;
  return impl->entries[id].spelling;
}

bool Tokenizer::isSpecial(int32_t id) const {
  return id >= 0 && id < vocabSize() && impl->entries[id].special;
}

std::string_view Tokenizer::tokenBytes(int32_t id) const {
  if (id < 0 || id >= vocabSize())
    return {};
  return impl->entries[id].bytes;
}

bool Tokenizer::stripsFirstSpace() const { return impl->decoder.stripsFirstSpace(); }

const std::string &Tokenizer::bosToken() const { return impl->bos; }
const std::string &Tokenizer::eosToken() const { return impl->eos; }

std::optional<int32_t> Tokenizer::bosId() const { return impl->idOf(impl->bos); }

std::optional<int32_t> Tokenizer::eosId() const { return impl->idOf(impl->eos); }

std::string StreamDecoder::push(int32_t id) {
  std::string out;
  if (!skipSpecial || !tokenizer.isSpecial(id))
    pending.append(tokenizer.tokenBytes(id));
  if (!started && !pending.empty()) {
    started = true;
    if (tokenizer.stripsFirstSpace() && pending.front() == ' ')
      pending.erase(0, 1);
  }
  drainUtf8(pending, out);
  return out;
}

std::string StreamDecoder::finish() {
  std::string out;
  if (!pending.empty())
    appendUtf8(out, 0xFFFD);
  pending.clear();
  return out;
}

} // namespace moec::rt::text
