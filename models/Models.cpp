#include "models/Models.h"
#include "frontend/Errors.h"
#include "frontend/checkpoint/TokenizerCheck.h"
#include "models/deepseek_v2/DeepseekV2.h"
#include "models/deepseek_v3/DeepseekV3.h"
#include "models/kimi_k2/KimiK2.h"
#include "models/llama/Llama.h"
#include "models/mixtral/Mixtral.h"
#include "models/qwen2/Qwen2.h"
#include "models/qwen3_moe/Qwen3Moe.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace llvm;
using namespace moec::frontend;
using namespace moec::models;

static constexpr ModelFamily families[] = {
    {"deepseek_v2", deepseek_v2::describe}, {"deepseek_v3", deepseek_v3::describe},
    {"kimi_k2", kimi_k2::describe},         {"llama", llama::describe},
    {"mixtral", mixtral::describe},         {"qwen2", qwen2::describe},
    {"qwen3_moe", qwen3_moe::describe},
};

ArrayRef<ModelFamily> moec::models::modelFamilies() { return families; }

Expected<std::unique_ptr<Checkpoint>> moec::models::openModel(StringRef pathOrPreset) {
  if (sys::fs::exists(pathOrPreset))
    return Checkpoint::open(pathOrPreset);
  for (const Preset &preset : presets()) {
    if (preset.name != pathOrPreset)
      continue;
    auto json = parseJson(preset.config, preset.name);
    if (!json)
      return json.takeError();
    return Checkpoint::fromConfig(std::move(*json), preset.name);
  }
  auto names = map_range(presets(), [](const Preset &preset) { return preset.name; });
  return makeError("'{0}' is neither a checkpoint folder, nor a config.json, nor one of the "
                   "presets: {1}",
                   pathOrPreset, join(names, ", "));
}

/// "model": the last part of a path; of ".../config.json", its folder.
static StringRef lastPart(StringRef path) {
  StringRef trimmed = path.rtrim('/');
  if (sys::path::filename(trimmed) == "config.json")
    trimmed = sys::path::parent_path(trimmed);
  return sys::path::filename(trimmed);
}

static Error checkTokenizerOf(const Checkpoint &checkpoint) {
  auto size = checkpoint.config().find("vocab_size");
  if (!checkpoint.tokenizer() || size == checkpoint.config().end() || !size->is_number_integer())
    return Error::success();
  SmallString<128> path(checkpoint.path());
  sys::path::append(path, "tokenizer.json");
  return checkTokenizer(*checkpoint.tokenizer(), path, size->get<int64_t>());
}

Expected<Decoder> moec::models::describeModel(const Checkpoint &checkpoint) {
  for (const ModelFamily &family : families)
    if (family.modelType == checkpoint.modelType())
      return family.describe(checkpoint.config(), checkpoint.configPath());
  auto names = map_range(families, [](const ModelFamily &family) { return family.modelType; });
  return makeError("'{0}': unknown model_type '{1}'; known: {2}", checkpoint.configPath(),
                   printable(checkpoint.modelType()), join(names, ", "));
}

Expected<mlir::OwningOpRef<mlir::ModuleOp>> moec::models::importModel(mlir::MLIRContext *context,
                                                                      const Checkpoint &checkpoint,
                                                                      ImportOptions options) {
  if (options.modelName.empty())
    options.modelName = lastPart(checkpoint.path()).str();
  auto decoder = describeModel(checkpoint);
  if (!decoder)
    return decoder.takeError();
  auto module = importDecoder(context, checkpoint, *decoder, options);
  if (!module)
    return module;
  if (Error error = checkTokenizerOf(checkpoint))
    return error;
  return module;
}
