#include "runtime/core/Model.h"

#include "runtime/bundle/Error.h"

#include <nlohmann/json.hpp>

namespace moec::rt {

using Json = nlohmann::json;

namespace {

VerifyOptions verifyOptions(const ModelOptions &options) {
  VerifyOptions verify;
  verify.threads = options.device.threads;
  verify.weightChecksums = options.verifyWeights && !options.describeOnly;
  return verify;
}

} // namespace

std::vector<int32_t> parseStopTokens(std::string_view configJson, const std::string &where,
                                     uint32_t vocab) {
  Json config = Json::parse(configJson, nullptr, /*allow_exceptions=*/false);
  if (!config.is_object())
    fail(ErrorKind::Bundle, where, ": is no JSON object");
  Json eos = config.value("eos_token_id", Json());
  if (eos.is_null())
    return {};
  if (!eos.is_array())
    eos = Json::array({eos});
  std::vector<int32_t> ids;
  for (const Json &id : eos) {
    if (!id.is_number_unsigned() || id.get<uint64_t>() >= vocab)
      fail(ErrorKind::Bundle, where, ": eos_token_id is ", eos.dump(),
           ", expected token ids below ", vocab);
    ids.push_back(id.get<int32_t>());
  }
  return ids;
}

Model::Model(const std::string &path, const ModelOptions &options)
    : file(path, verifyOptions(options)), progress(options.progress) {
  for (const char *name : {"generation_config.json", "config.json"}) {
    std::string_view config = file.textFile(name);
    if (stops.empty() && !config.empty())
      stops = parseStopTokens(config, joined("bundle '", file.path(), "': ", name), vocabSize());
  }
  if (options.describeOnly)
    return;
  dev = createDevice(*manifest().target(), options.device);
  dev->load(file);
}

void Model::loadWeights(std::vector<MemoryNeed> needs) const {
  std::lock_guard lock(loading);
  bool first = weights.empty();
  if (first)
    needs.insert(needs.begin(), {"weights", device().weightMemory(file)});
  device().checkRoom(needs);
  if (first)
    weights = device().loadWeights(file, progress);
}

Device &Model::device() const {
  if (!dev)
    fail(ErrorKind::Argument, "bundle '", file.path(),
         "' was opened to be described only and cannot run");
  return *dev;
}

uint64_t Model::weightBytes() const {
  uint64_t total = 0;
  for (const fb::Weight *w : *manifest().weights())
    total += w->bytes();
  return total;
}

namespace {

Json describeEntries(const fb::Manifest &m) {
  Json entries = Json::array();
  for (const fb::Entry *entry : *m.entries()) {
    Json programs = Json::array();
    for (const fb::Program *p : *entry->programs())
      programs.push_back({{"max_tokens", p->max_tokens()},
                          {"max_sequences", p->max_sequences()},
                          {"max_output_rows", p->max_output_rows()},
                          {"arena_bytes", p->arena_bytes()},
                          {"launches", p->launches()->size()}});
    entries.push_back({{"name", entry->name()->str()}, {"programs", programs}});
  }
  return entries;
}

Json describePairs(const flatbuffers::Vector<flatbuffers::Offset<fb::KeyValue>> *pairs) {
  Json out = Json::object();
  if (pairs)
    for (const fb::KeyValue *pair : *pairs)
      out[pair->key()->str()] = pair->value()->str();
  return out;
}

std::string optionalText(const flatbuffers::String *s) { return s ? s->str() : ""; }

} // namespace

std::string describeJson(const BundleFile &bundle) {
  const fb::Manifest &m = bundle.manifest();
  uint64_t weightBytes = 0;
  bool synthetic = false;
  for (const fb::Weight *w : *m.weights()) {
    weightBytes += w->bytes();
    synthetic |= w->fill() != fb::FillKind::None;
  }
  const fb::CacheLayout &cache = *m.cache();
  Json out = {
      {"path", bundle.path()},
      {"file_bytes", bundle.fileBytes()},
      {"model_type", m.model_type()->str()},
      {"model_name", optionalText(m.model_name())},
      {"compiler", optionalText(m.compiler())},
      {"target", {{"kind", m.target()->kind()->str()}, {"arch", m.target()->arch()->str()}}},
      {"rank", m.rank()},
      {"world_size", m.world_size()},
      {"vocab_size", m.vocab_size()},
      {"max_batch", m.max_batch()},
      {"max_context", m.max_context()},
      {"cache",
       {{"layers", cache.layers()},
        {"row_width", cache.row_width()},
        {"dtype", dtypeName(cache.dtype())},
        {"page_rows", cache.page_rows()}}},
      {"weights", !m.weights_present() ? "none"
                  : synthetic          ? "synthetic"
                                       : "present"},
      {"weight_count", m.weights()->size()},
      {"weight_bytes", weightBytes},
      {"kernels", m.kernels()->size()},
      {"entries", describeEntries(m)},
      {"numerics", describePairs(m.numerics())},
      {"provenance", describePairs(m.provenance())}};
  // Strings in a bundle are untrusted: bytes that are no UTF-8 are replaced.
  return out.dump(2, ' ', false, Json::error_handler_t::replace);
}

} // namespace moec::rt
