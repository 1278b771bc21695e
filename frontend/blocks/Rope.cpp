// Rotary positions and what their scaling does to attention.
#include "frontend/blocks/Blocks.h"
#include <cmath>

using namespace mlir;
using namespace moec;
using namespace moec::frontend;

/// m(s) of YaRN.
static double yarnScale(double factor, double mscale) {
  return factor <= 1 ? 1 : 0.1 * mscale * std::log(factor) + 1;
}

static double allDimScale(const Yarn &yarn) {
  return yarn.mscaleAllDim == 0 ? 1 : yarnScale(yarn.factor, yarn.mscaleAllDim);
}

double Rope::softmaxFactor() const {
  auto *yarn = std::get_if<Yarn>(&scaling);
  return yarn ? allDimScale(*yarn) * allDimScale(*yarn) : 1;
}

static Attribute scalingAttr(MLIRContext *context, const Rope &rope) {
  if (auto *yarn = std::get_if<Yarn>(&rope.scaling))
    return moe::YarnAttr::get(context, yarn->factor, yarn->originalContext, yarn->betaFast,
                              yarn->betaSlow,
                              yarnScale(yarn->factor, yarn->mscale) / allDimScale(*yarn));
  if (auto *llama3 = std::get_if<Llama3>(&rope.scaling))
    return moe::Llama3Attr::get(context, llama3->factor, llama3->lowFreqFactor,
                                llama3->highFreqFactor, llama3->originalContext);
  return {};
}

Value moec::frontend::rotate(GraphBuilder &graph, Location loc, Value x,
                             const EntryArguments &entry, int64_t heads, const Rope &rope) {
  MLIRContext *context = graph.builder.getContext();
  auto layout = rope.interleaved ? moe::RopeLayout::Interleaved : moe::RopeLayout::Half;
  auto attr = moe::RopeAttr::get(context, rope.dim, rope.theta, layout, scalingAttr(context, rope));
  return moe::RopeOp::create(graph.builder, loc, x.getType(), x, entry.positions,
                             /*table=*/Value(), heads, attr);
}
