#include "passes/GatedProduct.h"

#include "passes/Remarks.h"

using namespace mlir;
using namespace moec;
using namespace moec::passes;

/// The op that computes `value`, through a slice of it.
static Operation *getSource(Value value) {
  if (auto slice = value.getDefiningOp<moe::SliceOp>())
    value = slice.getX();
  return value.getDefiningOp();
}

template <typename Product>
void moec::passes::fuseGatedProduct(moe::SwigluOp swiglu, kern::Hero hero,
                                    const kern::TargetModel &target, StringRef pass) {
  auto product = dyn_cast_or_null<Product>(getSource(swiglu.getGate()));
  if (!product || product->getBlock() != swiglu->getBlock())
    return;
  auto gate = getProducer<moe::SliceOp>(swiglu.getGate(), swiglu),
       up = getProducer<moe::SliceOp>(swiglu.getUp(), swiglu);
  if (!gate || !up || getSource(swiglu.getUp()) != product)
    return reportRefusal(swiglu, pass,
                         "gate and up are made by two products; merge-linears makes one of them");
  for (Operation *user : product->getUsers())
    if (user != gate && user != up)
      return reportRefusal(swiglu, pass, "another op reads the product too");
  if (!gate->hasOneUse() || !up->hasOneUse())
    return reportRefusal(swiglu, pass, "another op reads the gate or what it gates too");

  Fusion fusion(product, hero, target, pass);
  if (!fusion.addConsumer(gate) || !fusion.addConsumer(up) || !fusion.addConsumer(swiglu))
    return;
  if (auto quantize = getConsumer<moe::QuantizeOp>(swiglu.getResult()))
    fusion.addConsumer(quantize);
  fusion.commit();
}

template void moec::passes::fuseGatedProduct<moe::LinearOp>(moe::SwigluOp, kern::Hero,
                                                            const kern::TargetModel &, StringRef);
template void moec::passes::fuseGatedProduct<moe::GroupedLinearOp>(moe::SwigluOp, kern::Hero,
                                                                   const kern::TargetModel &,
                                                                   StringRef);
