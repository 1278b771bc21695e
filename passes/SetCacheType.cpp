// Changes the element type of all key-value caches: of function arguments and
// results, and of every op between them.
#include "passes/Passes.h"

using namespace mlir;

namespace moec::passes {
#define GEN_PASS_DEF_SETCACHETYPE
#include "passes/Passes.h.inc"

namespace {

struct SetCacheType : impl::SetCacheTypeBase<SetCacheType> {
  using SetCacheTypeBase::SetCacheTypeBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    MLIRContext *context = &getContext();
    Type element;
    if (elementType == "f32")
      element = Float32Type::get(context);
    else if (elementType == "bf16")
      element = BFloat16Type::get(context);
    else {
      module.emitError() << "the cache's element type must be f32 or bf16; got '" << elementType
                         << "'";
      return signalPassFailure();
    }
    auto convert = [&](Type type) -> Type {
      auto cache = dyn_cast<moe::CacheType>(type);
      return cache ? moe::CacheType::get(context, cache.getWidth(), element, cache.getPage())
                   : type;
    };
    auto convertAll = [&](TypeRange types) { return llvm::map_to_vector(types, convert); };
    module.walk([&](Operation *op) {
      for (Value result : op->getResults())
        result.setType(convert(result.getType()));
      for (Region &region : op->getRegions())
        for (Value argument : region.getArguments())
          argument.setType(convert(argument.getType()));
      if (auto function = dyn_cast<func::FuncOp>(op))
        function.setType(FunctionType::get(context, convertAll(function.getArgumentTypes()),
                                           convertAll(function.getResultTypes())));
    });
    NamedAttrList entries(module->getAttrOfType<DictionaryAttr>(kNumericsAttr));
    entries.set("kv_cache", StringAttr::get(context, elementType));
    module->setAttr(kNumericsAttr, entries.getDictionary(context));
  }
};

} // namespace
} // namespace moec::passes
