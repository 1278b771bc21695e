// Groups become kernels and launches. Groups that are alike in body, types, row
// counts and strides become one kernel: 61 layers share their code. Likeness is decided by
// an exact key (interned pointers and value numbers), so each group costs its own length.
#include "passes/KernelNames.h"
#include "passes/Passes.h"
#include "passes/RowAnalysis.h"
#include "passes/RowClasses.h"

#include <map>

using namespace mlir;

namespace moec::passes {
#define GEN_PASS_DEF_OUTLINEKERNELS
#include "passes/Passes.h.inc"

namespace {

/// What a kernel is given and gives: types, rows and strides of arguments, then results.
struct Signature {
  SmallVector<Value> captures; // in order of first use
  SmallVector<Type> types;
  SmallVector<Attribute> rows;
  SmallVector<int64_t> strides;
};

Signature getSignature(kern::GroupOp group, const RowAnalysis &analysis) {
  Signature signature;
  llvm::SmallPtrSet<void *, 16> seen;
  auto addType = [&](Value value) {
    signature.types.push_back(value.getType());
    signature.rows.push_back(analysis.getRows(value));
    signature.strides.push_back(analysis.getRowStride(value));
  };
  for (Operation &op : group.getBody().front())
    for (Value operand : op.getOperands())
      if (operand.getParentRegion() != &group.getBody() &&
          seen.insert(operand.getAsOpaquePointer()).second) {
        signature.captures.push_back(operand);
        addType(operand);
      }
  for (Value result : group.getResults())
    addType(result);
  return signature;
}

using Key = std::vector<uintptr_t>;

/// Classes of attention by tokens: so few sequences that a multiprocessor has one block; bytes of
/// the cached rows decide; flops do.
constexpr uint64_t kFewSequences = 8, kLongPrompt = 256;

/// In which class of the module's attribute `kern.row_classes` (the largest row count of each class
/// but the last) the rows of a matrix group fall at the function's bounds; of attention, in which
/// of three; 0 without the attribute.
uintptr_t getRowClass(kern::GroupOp group, const Signature &signature) {
  auto classes =
      group->getParentOfType<ModuleOp>()->getAttrOfType<DenseI64ArrayAttr>(kRowClassesAttr);
  auto bounds =
      group->getParentOfType<func::FuncOp>()->getAttrOfType<kern::BoundsAttr>(kBoundsAttr);
  kern::Hero hero = *group.getHero();
  bool isMatrix = hero == kern::Hero::Matmul || hero == kern::Hero::GroupedMatmul ||
                  hero == kern::Hero::HeadMatmul;
  if (!classes || !bounds || !(isMatrix || hero == kern::Hero::Attention))
    return 0;
  uint64_t rows = countRows(signature.rows.back(), signature.types.back(), bounds.getSizes());
  if (!isMatrix)
    return (rows > kFewSequences) + (rows > kLongPrompt);
  return llvm::count_if(classes.asArrayRef(), [&](int64_t most) { return uint64_t(most) < rows; });
}

/// Everything in which two alike kernels must be equal. MLIR interns types,
/// attributes and names, so their addresses stand for them.
Key getKey(kern::GroupOp group, const Signature &signature) {
  Key key{getRowClass(group, signature)};
  auto addPointer = [&](const void *pointer) {
    key.push_back(reinterpret_cast<uintptr_t>(pointer));
  };
  DenseMap<Value, uintptr_t> numbers;
  auto number = [&](Value value) { numbers.try_emplace(value, numbers.size()); };
  key.push_back(signature.captures.size());
  llvm::for_each(signature.captures, number);
  for (auto [type, rows, stride] : llvm::zip(signature.types, signature.rows, signature.strides)) {
    addPointer(type.getAsOpaquePointer());
    addPointer(rows.getAsOpaquePointer());
    key.push_back(stride);
  }
  addPointer(group.getHeroAttr().getAsOpaquePointer());
  addPointer(group.getScheduleAttr().getAsOpaquePointer());
  for (Operation &op : group.getBody().front()) {
    addPointer(op.getName().getAsOpaquePointer());
    addPointer(op.getAttrDictionary().getAsOpaquePointer());
    key.push_back(op.getNumOperands());
    for (Value operand : op.getOperands())
      key.push_back(numbers.lookup(operand));
    for (Value result : op.getResults()) {
      addPointer(result.getType().getAsOpaquePointer());
      number(result);
    }
  }
  return key;
}

struct OutlineKernels : impl::OutlineKernelsBase<OutlineKernels> {
  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    SmallVector<func::FuncOp> functions(getOperation().getOps<func::FuncOp>());
    for (func::FuncOp function : functions) {
      if (function.isExternal())
        continue;
      FailureOr<RowAnalysis> analysis = RowAnalysis::compute(function);
      if (failed(analysis))
        return signalPassFailure();
      SmallVector<kern::GroupOp> groups(function.getOps<kern::GroupOp>());
      for (kern::GroupOp group : groups)
        if (failed(outline(group, *analysis, symbols, functions.front())))
          return signalPassFailure();
    }
    kernels.clear();
    names.clear();
  }

  LogicalResult outline(kern::GroupOp group, RowAnalysis &analysis, SymbolTable &symbols,
                        Operation *before) {
    if (!group.getHero())
      return group.emitError()
             << "outline-kernels needs groups with a hero; this one has none: the pass that made "
                "it must name one";
    Signature signature = getSignature(group, analysis);
    kern::KernelOp &kernel = kernels[getKey(group, signature)];
    OpBuilder builder(group);
    if (!kernel)
      kernel = createKernel(group, signature, symbols, before);
    auto launch = kern::LaunchOp::create(builder, group.getLoc(), group.getResultTypes(),
                                         FlatSymbolRefAttr::get(kernel.getSymNameAttr()),
                                         signature.captures, group.getLabelAttr());
    for (auto [from, to] : llvm::zip(group.getResults(), launch.getResults()))
      analysis.replace(from, to);
    group.replaceAllUsesWith(launch.getResults());
    group.erase();
    return success();
  }

  kern::KernelOp createKernel(kern::GroupOp group, const Signature &signature, SymbolTable &symbols,
                              Operation *before) {
    OpBuilder builder(before);
    ArrayRef<Type> types = signature.types;
    size_t numArguments = signature.captures.size();
    auto kernel = kern::KernelOp::create(
        builder, group.getLoc(), builder.getStringAttr(getUniqueName(group)),
        TypeAttr::get(builder.getFunctionType(types.take_front(numArguments),
                                              types.drop_front(numArguments))),
        /*arg_attrs=*/ArrayAttr(), /*res_attrs=*/ArrayAttr(), group.getHeroAttr(),
        group.getScheduleAttr(), builder.getArrayAttr(signature.rows),
        builder.getDenseI64ArrayAttr(signature.strides), /*settled=*/DenseI64ArrayAttr());
    Region &body = kernel.getBody();
    body.takeBody(group.getBody());
    for (Value capture : signature.captures) {
      Value argument = body.addArgument(capture.getType(), capture.getLoc());
      capture.replaceUsesWithIf(
          argument, [&](OpOperand &use) { return use.getOwner()->getParentRegion() == &body; });
    }
    symbols.insert(kernel, before->getIterator());
    return kernel;
  }

  /// The kernel's name, numbered from the second on when kernels that differ share it.
  std::string getUniqueName(kern::GroupOp group) {
    std::string name = getKernelName(group);
    unsigned count = ++names[name];
    return count == 1 ? name : name + "_" + std::to_string(count);
  }

  std::map<Key, kern::KernelOp> kernels;
  llvm::StringMap<unsigned> names;
};

} // namespace
} // namespace moec::passes
