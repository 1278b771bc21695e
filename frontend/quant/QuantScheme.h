// What a checkpoint's `quantization_config` means: how a weight is stored,
// which other tensors (scales) belong to it, and what each must look like. One
// folder a scheme; families ask for a weight by its plain name and never hear
// of schemes.
#pragma once

#include "frontend/checkpoint/Checkpoint.h"
#include "frontend/config/Config.h"

namespace moec::frontend {

/// A weight as a family asks for it.
struct WeightRequest {
  std::string name;                    // "model.layers.0.mlp.up_proj.weight"
  llvm::SmallVector<int64_t, 4> shape; // [out features, in features]
  /// The matrix of a linear layer, which a quantized checkpoint stores
  /// quantized unless its tensors say otherwise. Norms, embeddings and routers
  /// are not.
  bool quantizable = false;
  /// The element type when there are no weights to look at and the weight is
  /// not quantized: nothing means the config's dtype.
  std::optional<DType> storedAs = std::nullopt;
  /// Not 0: `count` tensors of `shape`, the `{}` in the name standing for
  /// 0 .. count-1.
  int64_t count = 0;

  /// "<module>.weight" of a linear layer; with a count, a stack.
  static WeightRequest matrix(const std::string &module, int64_t out, int64_t in,
                              int64_t count = 0);
  /// "<module>.weight" that is never quantized: of a norm, an embedding, a router.
  static WeightRequest plain(const std::string &module, llvm::SmallVector<int64_t, 4> shape);

  /// The tensors one by one; itself when count is 0.
  std::vector<WeightRequest> expand() const;
};

/// A weight as it is stored.
struct WeightSource {
  std::string name;
  llvm::SmallVector<int64_t, 4> shape;
  DType dtype = DType::BF16; // of the stored elements
  /// Of a block-scaled weight; otherwise empty.
  std::string scaleName;
  llvm::SmallVector<int64_t, 2> scaleShape; // [ceil(N/bn), ceil(K/bk)]
  llvm::SmallVector<int64_t, 2> block;      // [bn, bk]
  DType scaleDType = DType::F32;

  bool isQuantized() const { return !block.empty(); }
};

class QuantScheme {
public:
  virtual ~QuantScheme() = default;

  /// The folder's name: "none", "fp8_block128".
  virtual llvm::StringRef name() const = 0;
  /// Whether the checkpoint asks for inputs of quantized linears to be
  /// quantized at run time.
  virtual bool quantizesActivations() const { return false; }
  /// Finds and checks the tensors of one weight (count 0). Without weights in the
  /// checkpoint: what a checkpoint of this scheme would hold.
  virtual llvm::Expected<WeightSource> resolve(const Checkpoint &checkpoint,
                                               const WeightRequest &request) const = 0;
};

/// Resolves a request of any count. The tensors of a stack must be stored alike;
/// what is returned is the first.
llvm::Expected<WeightSource> resolveWeight(const QuantScheme &scheme, const Checkpoint &checkpoint,
                                           const WeightRequest &request);

/// The scheme of an opened config: marks `quantization_config` and
/// `torch_dtype` as read; faults go to `config`. Never null: after a fault, the
/// plain scheme.
std::unique_ptr<QuantScheme> readQuantScheme(ConfigReader &config);

} // namespace moec::frontend
