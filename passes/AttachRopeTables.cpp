// Gives each rope the table of its cosines and sines as a weight, so that no
// kernel computes angles. One table for each distinct rope.
#include "passes/Passes.h"

using namespace mlir;

namespace moec::passes {
#define GEN_PASS_DEF_ATTACHROPETABLES
#include "passes/Passes.h.inc"

namespace {

struct AttachRopeTables : impl::AttachRopeTablesBase<AttachRopeTables> {
  using AttachRopeTablesBase::AttachRopeTablesBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    int64_t positions = maxContext;
    if (auto recorded = module->getAttrOfType<IntegerAttr>(kMaxContextAttr); recorded && !positions)
      positions = recorded.getInt();
    if (positions < 1) {
      module.emitError() << "attach-rope-tables needs a context length: set the option max-context "
                            "or the module's "
                         << kMaxContextAttr;
      return signalPassFailure();
    }
    for (auto function : module.getOps<func::FuncOp>()) {
      DenseMap<moe::RopeAttr, Value> params;
      function.walk([&](moe::RopeOp rope) {
        if (rope.getTable())
          return;
        Value &param = params[rope.getRope()];
        if (!param) {
          OpBuilder builder = OpBuilder::atBlockBegin(&function.getBody().front());
          moe::WeightOp weight = getTable(rope.getRope(), positions);
          param = moe::ParamOp::create(builder, rope.getLoc(), weight.getType(),
                                       FlatSymbolRefAttr::get(weight.getSymNameAttr()));
        }
        rope.getTableMutable().assign(param);
      });
    }
    tables.clear();
  }

  moe::WeightOp getTable(moe::RopeAttr rope, int64_t positions) {
    moe::WeightOp &table = tables[rope];
    if (table)
      return table;
    ModuleOp module = getOperation();
    OpBuilder builder = OpBuilder::atBlockBegin(module.getBody());
    Type type = RankedTensorType::get({positions, rope.getDim()}, builder.getF32Type());
    table = moe::WeightOp::create(builder, module.getLoc(),
                                  "rope_table_" + std::to_string(tables.size() - 1), type,
                                  moe::RopeTableAttr::get(&getContext(), rope, positions));
    SymbolTable(module).insert(table);
    return table;
  }

  DenseMap<moe::RopeAttr, moe::WeightOp> tables;
};

} // namespace
} // namespace moec::passes
