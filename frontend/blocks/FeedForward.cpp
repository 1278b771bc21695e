// Linear layers, norms, SwiGLU and routed experts.
#include "frontend/blocks/Blocks.h"

using namespace mlir;
using namespace moec;
using namespace moec::frontend;

Value moec::frontend::linear(GraphBuilder &graph, Value x, const Linear &layer) {
  Weight weight = graph.weight(layer.weight);
  Value bias = layer.bias ? graph.weight(*layer.bias).value : Value();
  int64_t columns = moe::getShape(weight.value.getType())[0];
  return moe::LinearOp::create(graph.builder, weight.loc, graph.rows(columns), x, weight.value,
                               bias);
}

Value moec::frontend::linear(GraphBuilder &graph, Value x, const WeightRequest &weight) {
  return linear(graph, x, Linear{weight, std::nullopt});
}

Value moec::frontend::rmsNorm(GraphBuilder &graph, Value x, const WeightRequest &request,
                              double epsilon, int64_t heads) {
  Weight weight = graph.weight(request);
  return moe::RmsNormOp::create(graph.builder, weight.loc, x.getType(), x, weight.value,
                                llvm::APFloat(epsilon), heads);
}

Value moec::frontend::add(GraphBuilder &graph, Location loc, Value lhs, Value rhs) {
  return moe::AddOp::create(graph.builder, loc, lhs.getType(), lhs, rhs);
}

Value moec::frontend::emitFeedForward(GraphBuilder &graph, Location loc, Value x,
                                      const Swiglu &weights) {
  Value gate = linear(graph, x, weights.gate);
  Value up = linear(graph, x, weights.up);
  Value product = moe::SwigluOp::create(graph.builder, loc, gate.getType(), gate, up);
  return linear(graph, product, weights.down);
}

static moe::GateOp choose(GraphBuilder &graph, Value x, const Experts &experts) {
  OpBuilder &builder = graph.builder;
  const Routing &routing = experts.routing;
  Value logits = linear(graph, x, experts.router);
  Value bias = experts.routerBias ? graph.weight(*experts.routerBias).value : Value();
  auto perChoice = [&](Type element) {
    return RankedTensorType::get({ShapedType::kDynamic, routing.topK}, element);
  };
  return moe::GateOp::create(builder, logits.getLoc(), perChoice(builder.getI32Type()),
                             perChoice(builder.getF32Type()), logits, bias, routing.scoring,
                             routing.topK, routing.groups, routing.topGroups, routing.groupScore,
                             routing.normalize, llvm::APFloat(routing.epsilon),
                             llvm::APFloat(routing.scale));
}

Value moec::frontend::emitFeedForward(GraphBuilder &graph, Location loc, Value x,
                                      const Experts &experts) {
  moe::GateOp choice = choose(graph, x, experts);
  Value gate = graph.weight(experts.experts.gate).value;
  Value up = graph.weight(experts.experts.up).value;
  Value down = graph.weight(experts.experts.down).value;
  Value routed = moe::ExpertsOp::create(graph.builder, loc, x.getType(), x, choice.getIds(),
                                        choice.getWeights(), gate, up, down);
  if (!experts.shared)
    return routed;
  return add(graph, loc, routed, emitFeedForward(graph, loc, x, *experts.shared));
}
