// A target for tests of passes: no chip, no kernels, no opinion.
#include "test/lib/TestPasses.h"

#include "dialects/kern/KernDialect.h"
#include "dialects/kern/TargetModel.h"

using namespace mlir;
using namespace moec;

namespace {

class TestTarget : public kern::TargetModel {
public:
  explicit TestTarget(StringRef name) : name(name) {
    SmallVector<StringRef> ops;
    name.split(':').second.split(ops, ',', -1, /*KeepEmpty=*/false);
    for (StringRef op : ops)
      if (!op.consume_front("interleave=") || op.getAsInteger(10, interleaveBlock))
        refused.push_back(op.str());
  }

  StringRef getName() const override { return name; }
  kern::TargetRates getRates() const override { return {1e9, 1e9, 1e-6, /*workers=*/4, 1e9}; }

  std::optional<std::string> refuseFusion(kern::Hero hero, Operation *op, bool) const override {
    StringRef mnemonic = op->getName().stripDialect();
    if (!llvm::is_contained(refused, mnemonic))
      return std::nullopt;
    return ("the test target does not fuse moe." + mnemonic + " into " + kern::stringifyHero(hero) +
            " kernels")
        .str();
  }

  std::optional<std::string> refuseRowEpilogue(kern::Hero hero, Operation *op,
                                               uint64_t) const override {
    return refuseFusion(hero, op, /*before=*/false);
  }

  int64_t getInterleaveBlock(kern::GroupOp) const override { return interleaveBlock; }

  /// Grouped products read their offsets early, if they can, and hold back the next launch.
  SmallVector<int64_t> getEarlyArguments(kern::KernelOp kernel) const override {
    return holdsBackNext(kernel) ? SmallVector<int64_t>{2} : SmallVector<int64_t>();
  }
  bool holdsBackNext(kern::KernelOp kernel) const override {
    return kernel.getHero() == kern::Hero::GroupedMatmul;
  }

  SmallVector<kern::Candidate> getCandidates(kern::KernelOp kernel) const override {
    Builder builder(kernel.getContext());
    auto make = [&](int64_t rows) {
      return kern::ScheduleAttr::get(kernel.getContext(),
                                     builder.getDictionaryAttr(builder.getNamedAttr(
                                         "row_tile", builder.getI64IntegerAttr(rows))));
    };
    return {{make(1), 1}, {make(2), 1.5}};
  }

  std::optional<std::string> checkSchedule(kern::KernelOp kernel) const override {
    SmallVector<kern::ScheduleAttr> known;
    for (const kern::Candidate &candidate : getCandidates(kernel))
      known.push_back(candidate.schedule);
    return kern::refuseUnknownSchedule(*kernel.getSchedule(), known);
  }

  kern::GridAttr getGrid(kern::KernelOp kernel) const override {
    for (Attribute rows : llvm::reverse(kernel.getRows()))
      if (auto known = dyn_cast<kern::RowsAttr>(rows))
        return kern::GridAttr::get(kernel.getContext(), known.getDim(), known.getMultiplier(), 1, 0,
                                   1);
    return kern::GridAttr::get(kernel.getContext(), kern::Dim::One, 1, 1, 0, 1);
  }

private:
  std::string name;
  SmallVector<std::string> refused;
  int64_t interleaveBlock = 0;
};

} // namespace

void moec::test::registerTestTarget(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *, kern::KernDialect *dialect) {
    kern::registerTarget(*dialect, "test", [](StringRef name, std::string &) {
      return std::make_unique<TestTarget>(name);
    });
  });
}
