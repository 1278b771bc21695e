// Imports a deepseek_v3 checkpoint into the moe dialect.
#pragma once

#include "frontend/blocks/GraphBuilder.h"

namespace moec::models::deepseek_v3 {

/// A module with @forward, and @mtp when the config has a layer for it.
llvm::Expected<mlir::OwningOpRef<mlir::ModuleOp>>
importModel(mlir::MLIRContext *context, const frontend::Checkpoint &checkpoint,
            const frontend::ImportOptions &options);

} // namespace moec::models::deepseek_v3
