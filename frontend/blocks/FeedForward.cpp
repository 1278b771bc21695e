// Linear layers, norms, SwiGLU and routed experts.
#include "frontend/blocks/Blocks.h"

using namespace mlir;
using namespace moec;
using namespace moec::frontend;

Value moec::frontend::linear(GraphBuilder &graph, Value x, Weight weight) {
  int64_t columns = moe::getShape(weight.value.getType())[0];
  return moe::LinearOp::create(graph.builder, weight.loc, graph.rows(columns), x, weight.value,
                               /*bias=*/Value());
}

Value moec::frontend::rmsNorm(GraphBuilder &graph, Value x, Weight weight, double epsilon) {
  return moe::RmsNormOp::create(graph.builder, weight.loc, x.getType(), x, weight.value,
                                llvm::APFloat(epsilon));
}

Value moec::frontend::add(GraphBuilder &graph, Location loc, Value lhs, Value rhs) {
  return moe::AddOp::create(graph.builder, loc, lhs.getType(), lhs, rhs);
}

Value moec::frontend::swiglu(GraphBuilder &graph, Location loc, Value x, const Swiglu &weights) {
  Value gate = linear(graph, x, weights.gate);
  Value up = linear(graph, x, weights.up);
  Value product = moe::SwigluOp::create(graph.builder, loc, gate.getType(), gate, up);
  return linear(graph, product, weights.down);
}

Value moec::frontend::routedExperts(GraphBuilder &graph, Location loc, Value x,
                                    const Routing &routing, const Experts &weights) {
  OpBuilder &builder = graph.builder;
  Value logits = linear(graph, x, weights.router);
  auto perChoice = [&](Type element) {
    return RankedTensorType::get({ShapedType::kDynamic, routing.topK}, element);
  };
  auto gate = moe::GateOp::create(
      builder, weights.router.loc, perChoice(builder.getI32Type()), perChoice(builder.getF32Type()),
      logits, weights.bias ? weights.bias->value : Value(), routing.scoring, routing.topK,
      routing.groups, routing.topGroups, routing.groupScore, routing.normalize,
      llvm::APFloat(1e-20), llvm::APFloat(routing.scale));
  Value routed = moe::ExpertsOp::create(builder, loc, x.getType(), x, gate.getIds(),
                                        gate.getWeights(), weights.experts.gate.value,
                                        weights.experts.up.value, weights.experts.down.value);
  if (!weights.shared)
    return routed;
  return add(graph, loc, routed, swiglu(graph, loc, x, *weights.shared));
}
