// moec-opt --check-numerics: interprets the module's functions before and after
// each pass on the same random inputs and reports how far their results moved.
#pragma once

#include "dialects/reference/RandomInputs.h"

#include "mlir/Pass/PassInstrumentation.h"

#include <map>
#include <optional>

namespace moec {

struct NumericsOptions {
  uint64_t seed = 1;
  reference::InputDims dims;
  /// Largest relative L2 error of a result over one pass, and for passes that
  /// change numbers on purpose another one, by their arguments.
  double tolerance = 1e-9;
  llvm::StringMap<double> passTolerances;
  /// Fails as well when something cannot be compared, and tells of passes that change nothing.
  bool strict = false;

  double getTolerance(llvm::StringRef pass) const {
    auto found = passTolerances.find(pass);
    return found == passTolerances.end() ? tolerance : found->second;
  }
};

/// Parses "1e-9" and "quantize-activations=0.2" into the tolerances of `options`.
llvm::Error parseTolerances(llvm::ArrayRef<std::string> texts, NumericsOptions &options);

/// Parses "tokens=5", "sequences=2", "output_rows=2" into `dims`.
llvm::Error parseDims(llvm::ArrayRef<std::string> texts, reference::InputDims &dims);

/// How far `after` is from `before`.
struct NumericsError {
  double largest = 0;    // absolute
  double relativeL2 = 0; // |after - before| / |before|
};

/// Nothing when the values are of different kinds or shapes.
std::optional<NumericsError> compare(const reference::Value &before, const reference::Value &after);

/// Prints to `os`; `failed` is set once an error passes the tolerance, or in strict mode
/// once something cannot be compared.
class CheckNumerics : public mlir::PassInstrumentation {
public:
  CheckNumerics(NumericsOptions options, llvm::raw_ostream &os, bool &failed);

  void runBeforePass(mlir::Pass *pass, mlir::Operation *op) override;
  void runAfterPass(mlir::Pass *pass, mlir::Operation *op) override;

private:
  /// What is known of a function: its arguments and results, or why there are none.
  struct Outcome {
    reference::Values arguments, results;
    std::string reason;
  };
  using Outcomes = std::map<std::string, Outcome>;

  Outcomes interpretAll(mlir::ModuleOp module, const Outcomes *before);
  Outcome interpret(mlir::FunctionOpInterface function, const Outcome *before);
  void report(llvm::StringRef pass, llvm::StringRef function, const Outcome &before,
              const Outcome &after);
  void reportIncomparable(llvm::StringRef pass, llvm::StringRef function, const llvm::Twine &why);
  void reportDropped(llvm::StringRef pass, mlir::ModuleOp module);
  llvm::raw_ostream &line(llvm::StringRef pass, llvm::StringRef function);

  NumericsOptions options;
  llvm::raw_ostream &os;
  bool &failed;
  reference::RandomWeights random;
  reference::WeightStore weights;
  mlir::Operation *module = nullptr; // the one that `outcomes` are of
  std::optional<mlir::OperationFingerPrint> fingerprint;
  Outcomes outcomes;
};

} // namespace moec
