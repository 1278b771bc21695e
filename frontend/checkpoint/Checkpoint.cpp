#include "frontend/checkpoint/Checkpoint.h"
#include "frontend/Errors.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include <set>

using namespace llvm;
using namespace moec::frontend;

static constexpr uint64_t configLimit = 4 << 20;     // bytes
static constexpr uint64_t indexLimit = 64 << 20;     // bytes
static constexpr uint64_t tokenizerLimit = 64 << 20; // bytes

static std::string joined(StringRef folder, StringRef name) {
  SmallString<128> path(folder);
  sys::path::append(path, name);
  return path.str().str();
}

Expected<std::unique_ptr<Checkpoint>> Checkpoint::open(StringRef path) {
  std::unique_ptr<Checkpoint> checkpoint(new Checkpoint);
  checkpoint->root = path.str();
  bool folder = sys::fs::is_directory(path);
  checkpoint->configFile = folder ? joined(path, "config.json") : path.str();
  auto text = readTextFile(checkpoint->configFile, configLimit);
  if (!text)
    return text.takeError();
  auto json = parseJson(*text, checkpoint->configFile);
  if (!json)
    return json.takeError();
  if (Error error = checkpoint->takeConfig(std::move(*json)))
    return error;
  if (!folder)
    return checkpoint;
  if (Error error = checkpoint->openOptionalTexts())
    return error;
  if (Error error = checkpoint->openWeights())
    return error;
  return checkpoint;
}

Expected<std::unique_ptr<Checkpoint>> Checkpoint::fromConfig(Json config, StringRef name) {
  std::unique_ptr<Checkpoint> checkpoint(new Checkpoint);
  checkpoint->root = checkpoint->configFile = name.str();
  if (Error error = checkpoint->takeConfig(std::move(config)))
    return error;
  return checkpoint;
}

Error Checkpoint::takeConfig(Json config) {
  configJson = std::move(config);
  if (!configJson.is_object())
    return makeError("'{0}' must hold an object, found {1}", configFile, kindOf(configJson));
  auto type = configJson.find("model_type");
  if (type == configJson.end() || !type->is_string())
    return makeError("'{0}': key 'model_type' must be a string, found {1}", configFile,
                     type == configJson.end() ? "nothing" : kindOf(*type));
  modelTypeName = type->get<std::string>();
  return Error::success();
}

Error Checkpoint::openOptionalTexts() {
  struct {
    const char *name;
    std::optional<std::string> &text;
    uint64_t limit;
  } optional[] = {
      {"generation_config.json", generationText, configLimit},
      {"tokenizer.json", tokenizerText, tokenizerLimit},
      {"tokenizer_config.json", tokenizerConfigText, configLimit},
      {"chat_template.jinja", chatTemplateText, configLimit},
  };
  for (auto &entry : optional) {
    std::string path = joined(root, entry.name);
    if (!sys::fs::exists(path))
      continue;
    auto text = readTextFile(path, entry.limit);
    if (!text)
      return text.takeError();
    entry.text = std::move(*text);
  }
  return Error::success();
}

Error Checkpoint::openWeights() {
  std::string single = joined(root, "model.safetensors");
  std::string index = joined(root, "model.safetensors.index.json");
  bool hasSingle = sys::fs::exists(single), hasIndex = sys::fs::exists(index);
  if (hasSingle && hasIndex)
    return makeError("'{0}' holds both model.safetensors and "
                     "model.safetensors.index.json; remove the one that is "
                     "not meant",
                     root);
  if (hasIndex)
    return openShards(index);
  if (!hasSingle)
    return Error::success();
  auto file = SafeTensorsFile::open(single);
  if (!file)
    return file.takeError();
  for (const TensorInfo &info : (*file)->tensors())
    tensors[info.name] = {file->get(), &info};
  files.push_back(std::move(*file));
  return Error::success();
}

/// A shard is a file right in the folder: nothing that leads elsewhere.
static bool isPlainShardName(StringRef name) {
  return name.ends_with(".safetensors") && !name.starts_with(".") &&
         name.find_first_of(StringRef("/\\\0", 3)) == StringRef::npos;
}

/// Reads `weight_map`: tensor name -> shard name.
static Expected<StringMap<std::string>> readIndex(StringRef path) {
  auto text = readTextFile(path, indexLimit);
  if (!text)
    return text.takeError();
  auto json = parseJson(*text, path);
  if (!json)
    return json.takeError();
  auto map = json->is_object() ? json->find("weight_map") : json->end();
  if (map == json->end() || !map->is_object())
    return makeError("'{0}' must hold an object 'weight_map' from tensors to "
                     "shards",
                     path);
  StringMap<std::string> placed;
  for (const auto &[tensor, shard] : map->items()) {
    if (!shard.is_string())
      return makeError("'{0}': weight_map of '{1}' must be a string, found {2}", path,
                       printable(tensor), kindOf(shard));
    const std::string &name = shard.get_ref<const std::string &>();
    if (!isPlainShardName(name))
      return makeError("'{0}': weight_map of '{1}' names '{2}'; expected a "
                       "*.safetensors file in the same folder",
                       path, printable(tensor), printable(name));
    placed[tensor] = name;
  }
  return placed;
}

Error Checkpoint::openShards(StringRef indexPath) {
  auto placed = readIndex(indexPath);
  if (!placed)
    return placed.takeError();
  std::map<std::string, std::string> shardNames; // shard -> a tensor in it
  for (const auto &entry : *placed) {
    std::string &witness = shardNames[entry.second];
    if (witness.empty() || entry.first() < witness)
      witness = entry.first().str();
  }
  for (const auto &[name, witness] : shardNames) {
    std::string path = joined(root, name);
    if (!sys::fs::exists(path))
      return makeError("'{0}' places tensor '{1}' in '{2}', which is missing", indexPath,
                       printable(witness), printable(name));
    auto shard = SafeTensorsFile::open(path);
    if (!shard)
      return shard.takeError();
    if (Error error = checkShard(**shard, *placed))
      return error;
    files.push_back(std::move(*shard));
  }
  std::set<StringRef> lost;
  for (const auto &entry : *placed)
    if (!tensors.contains(entry.first()))
      lost.insert(entry.first());
  if (!lost.empty())
    return makeError("'{0}' places tensor '{1}' in '{2}', which does not hold "
                     "it ({3} such tensors)",
                     indexPath, printable(*lost.begin()), placed->lookup(*lost.begin()),
                     lost.size());
  return Error::success();
}

/// Every tensor of the shard must be placed there by the index.
Error Checkpoint::checkShard(const SafeTensorsFile &shard, const StringMap<std::string> &placed) {
  StringRef shardName = sys::path::filename(shard.path());
  for (const TensorInfo &info : shard.tensors()) {
    auto it = placed.find(info.name);
    if (it == placed.end())
      return makeError("'{0}' holds tensor '{1}', which "
                       "model.safetensors.index.json does not list",
                       shard.path(), printable(info.name));
    if (it->second != shardName)
      return makeError("'{0}' holds tensor '{1}', which "
                       "model.safetensors.index.json places in '{2}'",
                       shard.path(), printable(info.name), it->second);
    tensors[info.name] = {&shard, &info};
  }
  return Error::success();
}

std::optional<TensorRef> Checkpoint::find(StringRef name) const {
  auto it = tensors.find(name);
  if (it == tensors.end())
    return std::nullopt;
  return it->second;
}

Expected<TensorRef> Checkpoint::get(StringRef name) const {
  if (auto tensor = find(name))
    return *tensor;
  if (!hasWeights())
    return makeError("'{0}' has no weights: no model.safetensors and no "
                     "model.safetensors.index.json",
                     root);
  if (files.size() == 1)
    return makeError("tensor '{0}' is missing in '{1}'", name, files.front()->path());
  return makeError("tensor '{0}' is missing in '{1}': "
                   "model.safetensors.index.json does not list it",
                   name, root);
}
