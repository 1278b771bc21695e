// The model families that moec knows, and the published configs that compile
// without a download.
#pragma once

#include "frontend/decoder/Decoder.h"

namespace moec::models {

/// One family: a folder beside this file, named as Hugging Face's model_type.
struct ModelFamily {
  llvm::StringRef modelType;
  /// What a config.json says; all its faults come in one error, a line each.
  llvm::Expected<frontend::Decoder> (*describe)(const frontend::Json &json, llvm::StringRef file);
};
llvm::ArrayRef<ModelFamily> modelFamilies();

/// A published config.json, compiled in from presets/<name>/.
struct Preset {
  llvm::StringRef name;
  llvm::StringRef config;
};
llvm::ArrayRef<Preset> presets();

/// Opens a checkpoint folder, a config.json, or a preset by its name (without
/// weights).
llvm::Expected<std::unique_ptr<frontend::Checkpoint>> openModel(llvm::StringRef pathOrPreset);

/// What the checkpoint's config says, by its model_type.
llvm::Expected<frontend::Decoder> describeModel(const frontend::Checkpoint &checkpoint);

/// Imports a checkpoint, after checking that its tokenizer, if it has one, fits.
/// An empty model name in the options becomes the last part of the checkpoint's
/// path.
llvm::Expected<mlir::OwningOpRef<mlir::ModuleOp>>
importModel(mlir::MLIRContext *context, const frontend::Checkpoint &checkpoint,
            frontend::ImportOptions options = {});

} // namespace moec::models
