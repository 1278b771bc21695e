// The table of targets, kept by the kern dialect of a context.
#include "dialects/kern/TargetModel.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"

using namespace mlir;
using namespace moec::kern;

TargetModel::~TargetModel() = default;

Type TargetModel::getActivationType(MLIRContext *context) const {
  return Float32Type::get(context);
}

int64_t TargetModel::getPrefillChunk() const { return 256; }

std::optional<std::string> TargetModel::refuseRowEpilogue(Hero, Operation *, uint64_t) const {
  return "the target's tiles cannot tell which of them is the last";
}

std::optional<std::string> TargetModel::refuseNormPrologue(moe::RmsNormOp, moe::LinearOp,
                                                           uint64_t) const {
  return "the target's products take their rows as they are";
}

int64_t TargetModel::getInterleaveBlock(GroupOp) const { return 0; }

llvm::SmallVector<int64_t> TargetModel::getEarlyArguments(KernelOp) const { return {}; }

bool TargetModel::holdsBackNext(KernelOp) const { return false; }

//===----------------------------------------------------------------------===//
// Schedules
//===----------------------------------------------------------------------===//

ScheduleAttr TargetModel::chooseSchedule(KernelOp kernel) const {
  llvm::SmallVector<Candidate> candidates = getCandidates(kernel);
  auto cheaper = [](const Candidate &lhs, const Candidate &rhs) { return lhs.cost < rhs.cost; };
  auto best = llvm::min_element(candidates, cheaper);
  return best == candidates.end() ? ScheduleAttr() : best->schedule;
}

/// The value of a size as text, whatever attribute it is.
static std::string getText(Attribute value) {
  std::string text;
  llvm::raw_string_ostream os(text);
  value.print(os, /*elideType=*/true);
  return text;
}

/// "16, 32, 64": the values that the known schedules have for a size.
static std::string listValues(StringRef size, ArrayRef<ScheduleAttr> known) {
  llvm::SetVector<Attribute> values;
  for (ScheduleAttr schedule : known)
    if (Attribute value = schedule.getSizes().get(size))
      values.insert(value);
  return llvm::join(llvm::map_range(values, getText), ", ");
}

static std::string listSizes(ScheduleAttr schedule) {
  auto getName = [](NamedAttribute size) { return size.getName().getValue(); };
  return llvm::join(llvm::map_range(schedule.getSizes(), getName), ", ");
}

std::optional<std::string> moec::kern::refuseUnknownSchedule(ScheduleAttr given,
                                                             ArrayRef<ScheduleAttr> known) {
  if (llvm::is_contained(known, given))
    return std::nullopt;
  ScheduleAttr example = known.front();
  for (NamedAttribute size : given.getSizes()) {
    StringRef name = size.getName();
    std::string values = listValues(name, known), value = getText(size.getValue());
    if (values.empty())
      return ("size '" + name + "' = " + value + " is unknown; the sizes are " + listSizes(example))
          .str();
    auto has = [&](ScheduleAttr schedule) {
      return schedule.getSizes().get(name) == size.getValue();
    };
    if (llvm::none_of(known, has))
      return ("size '" + name + "' = " + value + " is impossible; it can be " + values).str();
  }
  for (NamedAttribute size : example.getSizes())
    if (!given.getSizes().contains(size.getName()))
      return "size '" + size.getName().str() + "' is missing; it can be " +
             listValues(size.getName(), known);
  return "its sizes are possible one by one and not together; schedules are " +
         llvm::join(llvm::map_range(known, [](ScheduleAttr schedule) { return getText(schedule); }),
                    ", ");
}

//===----------------------------------------------------------------------===//
// The table
//===----------------------------------------------------------------------===//

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
