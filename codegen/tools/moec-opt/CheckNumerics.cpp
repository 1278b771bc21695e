// Each pass is compared with the module just before it, so that a pass that
// changes the numerics on purpose is charged with its own error only.
#include "CheckNumerics.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/Pass.h"
#include "llvm/Support/Format.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

using namespace moec;
using namespace moec::reference;

llvm::Error moec::parseDims(llvm::ArrayRef<std::string> texts, InputDims &dims) {
  for (llvm::StringRef text : texts) {
    auto [name, value] = text.split('=');
    int64_t *dim = llvm::StringSwitch<int64_t *>(name)
                       .Case("tokens", &dims.tokens)
                       .Case("sequences", &dims.sequences)
                       .Case("output_rows", &dims.outputRows)
                       .Default(nullptr);
    if (!dim)
      return llvm::createStringError("unknown size '" + name +
                                     "'; known: tokens, sequences, output_rows");
    if (value.getAsInteger(10, *dim) || *dim < 1 || *dim > 4096)
      return llvm::createStringError("size '" + text + "' must be from 1 to 4096");
  }
  return llvm::Error::success();
}

llvm::Error moec::parseTolerances(llvm::ArrayRef<std::string> texts, NumericsOptions &options) {
  for (llvm::StringRef text : texts) {
    auto [name, number] = text.contains('=') ? text.split('=') : std::pair("", text);
    double value;
    if (number.getAsDouble(value) || !(value >= 0))
      return llvm::createStringError("'" + text +
                                     "' is neither a tolerance nor <pass>=<tolerance>");
    (name.empty() ? options.tolerance : options.passTolerances[name]) = value;
  }
  return llvm::Error::success();
}

//===----------------------------------------------------------------------===//
// Comparison
//===----------------------------------------------------------------------===//

/// The numbers that stand for a value.
static std::vector<double> flatten(const Value &value) {
  if (auto *tensor = std::get_if<Tensor>(&value))
    return tensor->data;
  if (auto *ints = std::get_if<Ints>(&value))
    return {ints->data.begin(), ints->data.end()};
  if (auto *quantized = std::get_if<Quantized>(&value))
    return quantized->dequantize().data;
  return std::get<Cache>(value).rows.data;
}

std::optional<NumericsError> moec::compare(const Value &before, const Value &after) {
  if (before.index() != after.index() || getShape(before) != getShape(after))
    return std::nullopt;
  NumericsError error;
  double errorSquares = 0, squares = 0;
  for (auto [x, y] : llvm::zip(flatten(before), flatten(after))) {
    // Equal infinities and NaNs are no error; any other pair with one is.
    bool same = x == y || (std::isnan(x) && std::isnan(y));
    double difference = same ? 0 : std::abs(y - x);
    if (std::isnan(difference))
      difference = std::numeric_limits<double>::infinity();
    error.largest = std::max(error.largest, difference);
    errorSquares += difference * difference;
    if (std::isfinite(x))
      squares += x * x;
  }
  if (errorSquares > 0)
    error.relativeL2 = std::sqrt(errorSquares / squares);
  return error;
}

//===----------------------------------------------------------------------===//
// CheckNumerics
//===----------------------------------------------------------------------===//

CheckNumerics::CheckNumerics(NumericsOptions options, llvm::raw_ostream &os, bool &failed)
    : options(std::move(options)), os(os), failed(failed), random(this->options.seed),
      weights(random) {}

/// The function that `function` was made from.
static std::string getOrigin(mlir::func::FuncOp function) {
  if (auto origin = function->getAttrOfType<mlir::FlatSymbolRefAttr>("moe.entry_of"))
    return origin.getValue().str();
  if (auto origin = function->getAttrOfType<mlir::StringAttr>("moe.entry_of"))
    return origin.str();
  return function.getName().str();
}

CheckNumerics::Outcome CheckNumerics::interpret(mlir::FunctionOpInterface function,
                                                const Outcome *before) {
  Outcome outcome;
  if (before && !before->arguments.empty()) {
    outcome.arguments = before->arguments;
  } else {
    auto arguments = makeRandomInputs(function, options.dims, options.seed);
    if (!arguments) {
      outcome.reason = llvm::toString(arguments.takeError());
      return outcome;
    }
    outcome.arguments = std::move(*arguments);
  }
  auto module = function->getParentOfType<mlir::ModuleOp>();
  auto results = Interpreter(module, weights).run(function, outcome.arguments);
  if (results)
    outcome.results = std::move(*results);
  else
    outcome.reason = llvm::toString(results.takeError());
  return outcome;
}

CheckNumerics::Outcomes CheckNumerics::interpretAll(mlir::ModuleOp module, const Outcomes *before) {
  Outcomes all;
  for (auto function : module.getOps<mlir::func::FuncOp>()) {
    const Outcome *known = nullptr;
    if (before) {
      auto found = before->find(function.getName().str());
      if (found == before->end())
        found = before->find(getOrigin(function));
      known = found == before->end() ? nullptr : &found->second;
    }
    all[function.getName().str()] = interpret(function, known);
  }
  return all;
}

static mlir::ModuleOp getModule(mlir::Operation *op) {
  while (op->getParentOp())
    op = op->getParentOp();
  return llvm::dyn_cast<mlir::ModuleOp>(op);
}

void CheckNumerics::runBeforePass(mlir::Pass *, mlir::Operation *op) {
  auto current = getModule(op);
  if (!current || module == current)
    return;
  module = current;
  fingerprint.emplace(module);
  outcomes = interpretAll(current, nullptr);
}

void CheckNumerics::runAfterPass(mlir::Pass *pass, mlir::Operation *op) {
  auto current = getModule(op);
  if (!current || module != current)
    return;
  llvm::StringRef name = pass->getArgument().empty() ? pass->getName() : pass->getArgument();
  mlir::OperationFingerPrint now(module);
  if (now == *fingerprint) {
    if (options.strict)
      os << "numerics: " << name << ": changed nothing\n";
    return;
  }
  fingerprint = now;
  Outcomes after = interpretAll(current, &outcomes);
  for (auto function : current.getOps<mlir::func::FuncOp>()) {
    std::string key = function.getName().str();
    auto before = outcomes.find(key);
    if (before == outcomes.end())
      before = outcomes.find(getOrigin(function));
    if (before == outcomes.end())
      reportIncomparable(name, key, "is new, there is nothing to compare it with");
    else
      report(name, key, before->second, after[key]);
  }
  reportDropped(name, current);
  outcomes = std::move(after);
}

llvm::raw_ostream &CheckNumerics::line(llvm::StringRef pass, llvm::StringRef function) {
  return os << "numerics: " << pass << ": @" << function << " ";
}

void CheckNumerics::reportIncomparable(llvm::StringRef pass, llvm::StringRef function,
                                       const llvm::Twine &why) {
  line(pass, function) << why << (options.strict ? ", which strictness forbids\n" : "\n");
  failed |= options.strict;
}

void CheckNumerics::report(llvm::StringRef pass, llvm::StringRef function, const Outcome &before,
                           const Outcome &after) {
  if (!before.reason.empty() || !after.reason.empty())
    return reportIncomparable(pass, function,
                              "is not comparable: " +
                                  (after.reason.empty() ? before.reason : after.reason));
  if (before.results.size() != after.results.size())
    return reportIncomparable(pass, function,
                              "is not comparable: it had " + llvm::Twine(before.results.size()) +
                                  " results, now " + llvm::Twine(after.results.size()));
  for (size_t i = 0; i < before.results.size(); ++i) {
    auto error = compare(*before.results[i], *after.results[i]);
    if (!error) {
      reportIncomparable(pass, function,
                         "result " + llvm::Twine(i) +
                             " is not comparable: its type or shape changed");
      continue;
    }
    auto &out = line(pass, function) << "result " << i << ": ";
    out << "max abs error " << llvm::format("%.3g", error->largest) << ", relative L2 error "
        << llvm::format("%.3g", error->relativeL2);
    if (double tolerance = options.getTolerance(pass); !(error->relativeL2 <= tolerance)) {
      out << ", exceeds the tolerance of " << llvm::format("%.3g", tolerance);
      failed = true;
    }
    out << "\n";
  }
}

void CheckNumerics::reportDropped(llvm::StringRef pass, mlir::ModuleOp module) {
  std::set<std::string> alive;
  for (auto function : module.getOps<mlir::func::FuncOp>())
    alive.insert({function.getName().str(), getOrigin(function)});
  for (const auto &entry : outcomes)
    if (!alive.count(entry.first))
      reportIncomparable(pass, entry.first, "was dropped");
}
