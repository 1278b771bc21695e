// Changes the element type of all key-value caches: of function arguments and
// results, and of every op between them.
#include "dialects/moe/CacheRow.h"
#include "passes/Passes.h"

using namespace mlir;

namespace moec::passes {
#define GEN_PASS_DEF_SETCACHETYPE
#include "passes/Passes.h.inc"

namespace {

struct SetCacheType : impl::SetCacheTypeBase<SetCacheType> {
  using SetCacheTypeBase::SetCacheTypeBase;

  /// The element type that the option names. Rows of fp8 are quantized up to their rope key, which
  /// is bf16.
  FailureOr<Type> findElement() {
    ModuleOp module = getOperation();
    MLIRContext *context = &getContext();
    if (elementType == "f32")
      return Type(Float32Type::get(context));
    if (elementType == "bf16")
      return Type(BFloat16Type::get(context));
    if (elementType != "fp8")
      return module.emitError() << "the cache's element type must be f32, bf16 or fp8; got '"
                                << elementType << "'";
    int64_t latent = 0;
    Operation *other = nullptr;
    module.walk([&](Operation *op) {
      if (auto mla = dyn_cast<moe::MlaAttentionOp>(op))
        latent = moe::getShape(mla.getUpWeight().getType())[1];
      else if (auto absorbed = dyn_cast<moe::LatentAttentionOp>(op))
        latent = moe::getShape(absorbed.getType()).back() / int64_t(absorbed.getHeads());
      else if (isa<moe::AttentionOp>(op))
        other = op;
    });
    if (other)
      return other->emitError() << "keys and values cannot be cached as fp8, only latents can; set "
                                   "the cache type to bf16 or f32";
    if (!latent || latent % 4)
      return module.emitError() << "a cache of type fp8 needs attention over latents of a multiple "
                                   "of 4 columns; got "
                                << latent;
    return Type(moe::getQuantizedCacheElement(context, latent));
  }

  void runOnOperation() override {
    ModuleOp module = getOperation();
    MLIRContext *context = &getContext();
    FailureOr<Type> element = findElement();
    if (failed(element))
      return signalPassFailure();
    auto convert = [&](Type type) -> Type {
      auto cache = dyn_cast<moe::CacheType>(type);
      return cache ? moe::CacheType::get(context, cache.getWidth(), *element, cache.getPage())
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
