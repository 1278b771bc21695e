// What the passes tell of their work, collected for `moec compile --remarks`:
// which pass did or refused what, where in the model, and why.
#pragma once

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/Error.h"

#include <string>
#include <vector>

namespace moec {

enum class LayerKind { Dense, Moe, Outside };

/// "dense layers", "MoE layers", "outside of layers".
llvm::StringRef layerKindText(LayerKind kind);

struct LoggedRemark {
  std::string outcome;  // "passed", "missed", "failed" or "analysis"
  std::string pass;     // its argument, e.g. "fuse-router"
  std::string function; // e.g. "decode"; empty when the op stands in none
  std::string place;    // e.g. "layers.3.mlp.gate"; empty for an op without a name
  std::string op;       // e.g. "moe.gate"; empty when the pass did not say
  std::string text;     // what was done, or why not
};

/// "layers.3" of "layers.3.mlp.gate": up to the first part that is a number.
/// Empty outside of layers.
llvm::StringRef getLayer(llvm::StringRef place);

class RemarkLog {
public:
  /// Takes all remarks that are made in `context` from now on; must outlive the context.
  llvm::Error collectFrom(mlir::MLIRContext &context);

  /// Learns from an imported module which layers choose experts.
  void readLayers(mlir::ModuleOp module);

  void add(LoggedRemark remark) { remarks.push_back(std::move(remark)); }

  llvm::ArrayRef<LoggedRemark> getRemarks() const { return remarks; }
  LayerKind getKind(llvm::StringRef place) const;
  /// How many layers of this kind have remarks.
  unsigned countLayers(LayerKind kind) const;

private:
  std::vector<LoggedRemark> remarks;
  llvm::StringMap<LayerKind> layers; // by "layers.3"
};

} // namespace moec
