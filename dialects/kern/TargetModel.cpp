// The table of targets, kept by the kern dialect of a context.
#include "dialects/kern/TargetModel.h"

#include "dialects/kern/KernDialect.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"

using namespace mlir;
using namespace moec::kern;

TargetModel::~TargetModel() = default;

std::optional<std::string> TargetModel::refuseRowEpilogue(Hero, Operation *, uint64_t) const {
  return "the target's tiles cannot tell which of them is the last";
}

int64_t TargetModel::getInterleaveBlock(GroupOp) const { return 0; }

namespace {
/// Factories by prefix, and the targets made so far by full name.
struct TargetTable : DialectInterface::Base<TargetTable> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(TargetTable)
  explicit TargetTable(Dialect *dialect) : Base(dialect) {}
  llvm::StringMap<TargetFactory> factories;
  mutable llvm::StringMap<std::unique_ptr<TargetModel>> targets;
};
} // namespace

void moec::kern::registerTarget(KernDialect &dialect, StringRef prefix, TargetFactory factory) {
  auto *table = dialect.getRegisteredInterface<TargetTable>();
  if (!table)
    table = &dialect.addInterface<TargetTable>();
  const_cast<TargetTable *>(table)->factories[prefix] = std::move(factory);
}

static std::string listNames(const llvm::StringMap<TargetFactory> &factories) {
  std::vector<std::string> names;
  for (const auto &entry : factories)
    names.push_back(entry.getKey().str());
  llvm::sort(names);
  return llvm::join(names, ", ");
}

const TargetModel *moec::kern::getTarget(Operation *module) {
  auto name = module->getAttrOfType<StringAttr>(kTargetAttr);
  if (!name) {
    module->emitError() << "module has no '" << kTargetAttr << "' attribute";
    return nullptr;
  }
  auto *dialect = module->getContext()->getOrLoadDialect<KernDialect>();
  auto *table = dialect->getRegisteredInterface<TargetTable>();
  std::string error = "no targets are registered";
  if (table) {
    std::unique_ptr<TargetModel> &target = table->targets[name.getValue()];
    auto factory = table->factories.find(name.getValue().split(':').first);
    if (!target && factory != table->factories.end())
      target = factory->second(name.getValue(), error);
    else if (!target)
      error = "known targets: " + listNames(table->factories);
    if (target)
      return target.get();
  }
  module->emitError() << "unknown target '" << name.getValue() << "': " << error;
  return nullptr;
}
