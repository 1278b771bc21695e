// The model families that moec knows, and the published configs that compile
// without a download.
#pragma once

#include "frontend/blocks/GraphBuilder.h"

namespace moec::models {

/// One family: a folder beside this file, named as Hugging Face's model_type.
struct ModelFamily {
  llvm::StringRef modelType;
  llvm::Expected<mlir::OwningOpRef<mlir::ModuleOp>> (*importModel)(mlir::MLIRContext *,
                                                                   const frontend::Checkpoint &,
                                                                   const frontend::ImportOptions &);
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

/// Imports a checkpoint by its model_type, after checking that its tokenizer, if
/// it has one, fits. An empty model name in the options becomes the last part of
/// the checkpoint's path.
llvm::Expected<mlir::OwningOpRef<mlir::ModuleOp>>
importModel(mlir::MLIRContext *context, const frontend::Checkpoint &checkpoint,
            frontend::ImportOptions options = {});

} // namespace moec::models
