// Writes a checkpoint of random weights for a config of any family: for tests
// of shapes, size and speed that need no download. Streams, so memory does not
// depend on the size.
#include "frontend/Errors.h"
#include "models/Models.h"
#include "models/tools/moec-make-checkpoint/RandomTensors.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"
#include <CLI/CLI.hpp>

using namespace llvm;
using namespace moec;
using namespace moec::frontend;
using Entry = SafeTensorsWriter::Entry;

namespace {
struct Options {
  std::string source, output, dtype = "keep";
  std::vector<std::string> changes; // key=value
  uint64_t seed = 1;
  double shardGiB = 4;
};
} // namespace

/// The config with the asked changes made.
static Expected<Json> changedConfig(const Checkpoint &source, const Options &options) {
  Json config = source.config();
  if (options.dtype == "bf16")
    config.erase("quantization_config");
  if (options.dtype == "fp8")
    config["quantization_config"] = {{"quant_method", "fp8"},
                                     {"fmt", "e4m3"},
                                     {"activation_scheme", "dynamic"},
                                     {"weight_block_size", {128, 128}}};
  for (const std::string &change : options.changes) {
    auto [key, text] = StringRef(change).split('=');
    auto value = parseJson(text, "--set " + change);
    if (!value)
      return value.takeError();
    config[key.str()] = std::move(*value);
  }
  return config;
}

/// Every stored tensor, scales right behind their weights.
static Expected<std::vector<Entry>> listEntries(const Checkpoint &empty) {
  auto decoder = models::describeModel(empty);
  if (!decoder)
    return decoder.takeError();
  std::vector<Entry> entries;
  for (const WeightRequest &request : listWeights(*decoder)) {
    auto source = decoder->scheme->resolve(empty, request);
    if (!source)
      return source.takeError();
    entries.push_back({source->name, source->dtype, source->shape});
    if (source->isQuantized())
      entries.push_back({source->scaleName, source->scaleDType, to_vector<4>(source->scaleShape)});
  }
  return entries;
}

static std::vector<std::vector<Entry>> divideIntoShards(const std::vector<Entry> &entries,
                                                        uint64_t shardBytes) {
  std::vector<std::vector<Entry>> shards(1);
  uint64_t filled = 0;
  for (const Entry &entry : entries) {
    uint64_t size = *byteSizeOf(entry.dtype, entry.shape);
    if (filled && filled + size > shardBytes) {
      shards.emplace_back();
      filled = 0;
    }
    shards.back().push_back(entry);
    filled += size;
  }
  return shards;
}

static Error writeShard(const std::string &path, std::vector<Entry> entries,
                        models::RandomTensors &random) {
  auto writer = SafeTensorsWriter::create(path, std::move(entries), {{"format", "pt"}});
  if (!writer)
    return writer.takeError();
  for (const Entry &entry : (*writer)->order())
    if (Error error =
            random.fill(entry, [&](ArrayRef<uint8_t> bytes) { return (*writer)->append(bytes); }))
      return error;
  return (*writer)->finish();
}

static Error writeWeights(const Options &options, const std::vector<Entry> &entries) {
  models::RandomTensors random(options.seed);
  auto shards = divideIntoShards(entries, options.shardGiB * 0x1p30);
  if (shards.size() == 1)
    return writeShard(options.output + "/model.safetensors", entries, random);
  Json placed = Json::object();
  uint64_t total = 0;
  for (size_t i = 0; i < shards.size(); ++i) {
    std::string name = formatv("model-{0,0+5}-of-{1,0+5}.safetensors", i + 1, shards.size());
    for (const Entry &entry : shards[i]) {
      placed[entry.name] = name;
      total += *byteSizeOf(entry.dtype, entry.shape);
    }
    errs() << formatv("{0} of {1}: {2}\n", i + 1, shards.size(), name);
    if (Error error = writeShard(options.output + "/" + name, shards[i], random))
      return error;
  }
  Json index = {{"metadata", {{"total_size", total}}}, {"weight_map", placed}};
  return writeFile(options.output + "/model.safetensors.index.json", index.dump(2) + "\n");
}

static Error makeCheckpoint(const Options &options) {
  auto source = models::openModel(options.source);
  if (!source)
    return source.takeError();
  auto config = changedConfig(**source, options);
  if (!config)
    return config.takeError();
  if (std::error_code code = sys::fs::create_directories(options.output))
    return makeError("cannot create '{0}': {1}", options.output, code.message());
  std::string configPath = options.output + "/config.json";
  if (sys::fs::exists(configPath))
    return makeError("'{0}' exists; give a new folder", configPath);
  auto empty = Checkpoint::fromConfig(*config, configPath);
  if (!empty)
    return empty.takeError();
  auto entries = listEntries(**empty);
  if (!entries)
    return entries.takeError();
  if (Error error = writeWeights(options, *entries))
    return error;
  Json generation = {{"_from_model_config", true}};
  for (const char *key : {"bos_token_id", "eos_token_id"})
    if (config->contains(key))
      generation[key] = (*config)[key];
  if (Error error =
          writeFile(options.output + "/generation_config.json", generation.dump(2) + "\n"))
    return error;
  return writeFile(configPath, config->dump(2) + "\n");
}

int main(int argc, char **argv) {
  Options options;
  CLI::App app("Writes a checkpoint of random weights.");
  app.add_option("source", options.source, "a config.json, a folder that has one, or a preset")
      ->required();
  app.add_option("-o,--output", options.output, "the new folder")->required();
  app.add_option("--seed", options.seed, "of the weights")->capture_default_str();
  app.add_option("--dtype", options.dtype, "of linear layers' matrices")
      ->check(CLI::IsMember({"keep", "bf16", "fp8"}))
      ->capture_default_str();
  app.add_option("--set", options.changes,
                 "key=value: changes the config, e.g. num_hidden_layers=4");
  app.add_option("--shard-gib", options.shardGiB, "largest shard, in GiB")
      ->check(CLI::Range(1e-6, 1e6))
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  if (Error error = makeCheckpoint(options)) {
    errs() << "moec-make-checkpoint: error: " << toString(std::move(error)) << "\n";
    return 1;
  }
  return 0;
}
