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

/// Code of all kernels in one form.
struct CodeImage {
  std::string format; // "elf-so", "cubin", "ptx", "hsaco"
  std::vector<uint8_t> bytes;
};

/// A descriptor that a launch makes of a buffer; see docs/contracts.md.
struct TensorMap {
  struct Extent {
    kern::Dim dim;
    uint64_t multiplier, addend;
  };
  uint32_t slot = 0;
  uint64_t offset = 0;
  mlir::Type element;
  std::vector<Extent> sizes;
  std::vector<uint64_t> strides;
  std::vector<uint32_t> box;
  uint32_t swizzle = 0, l2Promotion = 0;
};

/// What a kernel is launched with, and what is reported of it; see runtime/bundle/Bundle.fbs.
struct KernelLaunch {
  uint64_t workspaceBytes = 0; // scratch per worker, on a CPU
  uint32_t threads = 0, sharedBytes = 0, cluster = 1, maxBlocks = 0;
  bool earlyLaunch = false, coResident = false;
  std::vector<TensorMap> tensorMaps;
  uint32_t registers = 0, spillBytes = 0, blocksPerCore = 0;
  double peakFlops = 0;
  uint32_t scalarRegisters = 0, accumulatorRegisters = 0;
};

/// The code of all kernels of a plan, as a target makes it.
struct KernelCode {
  std::string targetKind, arch;      // "cpu", "x86-64-v3"
  std::vector<std::string> features; // see docs/contracts.md
  std::vector<CodeImage> images;     // the preferred one first, each the alternative of the former
  llvm::StringMap<KernelLaunch> kernels; // by symbol
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
  const KernelCode *code = nullptr;
  std::vector<uint32_t> imageSegments; // of the code's images
  std::vector<WeightStorage> weights;  // in the order of the module's plan.weights
  bool weightsPresent = true;
  uint64_t syntheticSeed = 0;
};

/// The plan.weights of a module, in order; their order is that of the manifest.
llvm::SmallVector<plan::WeightOp> listWeights(mlir::ModuleOp module);

/// The finished FlatBuffer. Emits errors at the op that cannot be expressed.
mlir::FailureOr<std::vector<uint8_t>> serializePlan(mlir::ModuleOp module,
                                                    const ManifestParts &parts);

} // namespace moec::bundle
