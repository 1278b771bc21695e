// From the plan dialect to the bundle's manifest: a plain walk, one op a table.
// What the plan does not know (machine code, where weights lie, texts) comes in
// ManifestParts.
#pragma once

#include "codegen/bundle/Provenance.h"
#include "codegen/bundle/SyntheticWeights.h"
#include "dialects/plan/PlanDialect.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/StringMap.h"

namespace moec::bundle {

/// The machine code of all kernels of a plan, as a target makes it.
struct CodeImage {
  std::string format; // "elf-so"
  std::vector<uint8_t> bytes;
  std::string targetKind, arch;             // "cpu", "x86-64-v3"
  std::vector<std::string> features;        // see docs/contracts.md
  llvm::StringMap<uint64_t> workspaceBytes; // kernel symbol -> scratch per worker
};

/// Where the bytes of one plan.weight are: a segment, a fill, or nowhere.
struct WeightStorage {
  int32_t segment = -1;
  Fill fill;
};

struct ManifestParts {
  std::string compiler; // version and pipeline
  KeyValues provenance, files;
  uint32_t maxBatch = 1;
  std::vector<rt::fb::Segment> segments;
  const CodeImage *image = nullptr;
  uint32_t imageSegment = 0;
  std::vector<WeightStorage> weights; // in the order of the module's plan.weights
  bool weightsPresent = true;
  uint64_t syntheticSeed = 0;
};

/// The plan.weights of a module, in order; their order is that of the manifest.
llvm::SmallVector<plan::WeightOp> listWeights(mlir::ModuleOp module);

/// The finished FlatBuffer. Emits errors at the op that cannot be expressed.
mlir::FailureOr<std::vector<uint8_t>> serializePlan(mlir::ModuleOp module,
                                                    const ManifestParts &parts);

} // namespace moec::bundle
