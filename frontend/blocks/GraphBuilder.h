// What families build their graphs with: a module, a place to insert at, and
// weights by their checkpoint names. A weight that is missing or wrong does not
// stop the building (a stand-in of the right shape takes its place); the first
// such fault comes out of `finish`.
#pragma once

#include "dialects/moe/MoeDialect.h"
#include "frontend/quant/QuantScheme.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"

namespace moec::frontend {

/// How a caller wants the model to be imported.
struct ImportOptions {
  std::string modelName;              // printed; nothing depends on it
  std::optional<bool> quantizeInputs; // of quantized linears; default: as the checkpoint says
  DType cacheElement = DType::F32;    // F32, BF16 or F16
  int64_t cachePage = 64;             // rows
};

/// A weight's value, and the location of what it belongs to.
struct Weight {
  mlir::Value value;
  mlir::Location loc;
};

/// The arguments that every entry has. T tokens, S sequences, R output rows.
struct EntryArguments {
  mlir::Value ids, positions, sequences; // [T] i32
  mlir::Value blockTable;                // [S, P] i32
  mlir::Value outputRows;                // [R] i32
  mlir::Value hidden;                    // [T, H] f32, only where asked for
  llvm::SmallVector<mlir::Value> caches; // in layer order
};

class GraphBuilder {
public:
  GraphBuilder(mlir::MLIRContext *context, const Checkpoint &checkpoint, const QuantScheme &scheme,
               const ImportOptions &options);

  mlir::OpBuilder builder;

  mlir::ModuleOp module() { return *owner; }
  /// Names a place in the model: "layers.0.self_attn" from
  /// "model.layers.0.self_attn".
  mlir::Location location(llvm::StringRef path);
  /// tensor<?xCxf32>
  mlir::RankedTensorType rows(int64_t columns);

  /// The value of a weight, inserted here. Its symbol is declared at first use.
  Weight weight(const WeightRequest &request);

  /// Declares an entry and begins its body. Caches are `cacheWidth` elements wide.
  EntryArguments beginEntry(llvm::StringRef name, int64_t caches, int64_t cacheWidth,
                            std::optional<int64_t> hidden = std::nullopt);
  /// Ends the body: the results are the logits, then the caches.
  void endEntry(mlir::Value logits, mlir::ValueRange caches);

  /// The module, or the first fault of its weights.
  llvm::Expected<mlir::OwningOpRef<mlir::ModuleOp>> finish();

private:
  moe::WeightOp declare(const WeightRequest &request);
  mlir::Type typeOf(const WeightRequest &request, const WeightSource &source);
  mlir::Type elementType(DType dtype);

  const Checkpoint &checkpoint;
  const QuantScheme &scheme;
  ImportOptions options;
  mlir::OwningOpRef<mlir::ModuleOp> owner;
  llvm::StringMap<moe::WeightOp> declared; // by checkpoint name
  mlir::func::FuncOp entry;                // the one being built
  std::string fault;
};

} // namespace moec::frontend
