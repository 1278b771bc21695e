// A Hugging Face checkpoint folder, or only its config.json.
//
//   config.json                    required
//   model.safetensors              the weights in one file, or
//   model.safetensors.index.json   a map from tensor to shard, and the shards
//   generation_config.json, tokenizer.json, tokenizer_config.json,
//   chat_template.jinja            optional
//
// The index and the shards must agree exactly. A folder without weights, or a
// path to a config.json, opens as a checkpoint without weights.
#pragma once

#include "frontend/Json.h"
#include "frontend/safetensors/SafeTensors.h"

namespace moec::frontend {

/// A tensor of an open checkpoint; valid as long as the Checkpoint.
struct TensorRef {
  const SafeTensorsFile *file;
  const TensorInfo *info;

  llvm::StringRef name() const { return info->name; }
  DType dtype() const { return info->dtype; }
  llvm::ArrayRef<int64_t> shape() const { return info->shape; }
  llvm::ArrayRef<uint8_t> bytes() const { return file->bytes(*info); }
  /// After streaming a tensor: keeps the resident size bounded.
  void dropPages() const { file->dropPages(*info); }
};

class Checkpoint {
public:
  /// `path` is a folder or a config.json.
  static llvm::Expected<std::unique_ptr<Checkpoint>> open(llvm::StringRef path);
  /// A checkpoint without weights; `name` stands for the file in messages.
  static llvm::Expected<std::unique_ptr<Checkpoint>> fromConfig(Json config, llvm::StringRef name);

  llvm::StringRef path() const { return root; }
  llvm::StringRef configPath() const { return configFile; }
  const Json &config() const { return configJson; }
  /// "deepseek_v3"; checked to be there by open().
  llvm::StringRef modelType() const { return modelTypeName; }

  /// The raw texts, where the folder has the file.
  const std::optional<std::string> &generationConfig() const { return generationText; }
  const std::optional<std::string> &tokenizer() const { return tokenizerText; }
  const std::optional<std::string> &tokenizerConfig() const { return tokenizerConfigText; }
  const std::optional<std::string> &chatTemplate() const { return chatTemplateText; }

  bool hasWeights() const { return !files.empty(); }
  const std::vector<std::unique_ptr<SafeTensorsFile>> &shards() const { return files; }
  std::optional<TensorRef> find(llvm::StringRef name) const;
  /// As find, but a missing tensor is an error that says where it was sought.
  llvm::Expected<TensorRef> get(llvm::StringRef name) const;

private:
  Checkpoint() = default;
  llvm::Error takeConfig(Json config);
  llvm::Error openOptionalTexts();
  llvm::Error openWeights();
  llvm::Error openShards(llvm::StringRef indexPath);
  llvm::Error checkShard(const SafeTensorsFile &shard, const llvm::StringMap<std::string> &placed);

  std::string root, configFile;
  Json configJson;
  std::string modelTypeName;
  std::optional<std::string> generationText, tokenizerText, tokenizerConfigText, chatTemplateText;
  std::vector<std::unique_ptr<SafeTensorsFile>> files;
  llvm::StringMap<TensorRef> tensors;
};

} // namespace moec::frontend
