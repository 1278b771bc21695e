// The flat list of a decoder's tensors, and how many parameters they hold.
#include "frontend/decoder/Decoder.h"

using namespace llvm;
using namespace moec::frontend;

namespace {
/// Calls `visit` with each request, in the order of the layers. A request may stand for a stack.
struct Walker {
  function_ref<void(const WeightRequest &)> visit;

  void add(const WeightRequest &request) { visit(request); }
  void add(const std::optional<WeightRequest> &request) {
    if (request)
      visit(*request);
  }
  void add(const Linear &linear) {
    add(linear.weight);
    add(linear.bias);
  }
  void add(const Swiglu &weights) {
    add(weights.gate);
    add(weights.up);
    add(weights.down);
  }
  void add(const LatentAttention &attention) {
    for (const auto *request : {&attention.q, &attention.qA, &attention.qANorm, &attention.qB})
      add(*request);
    for (const auto *request : {&attention.kvA, &attention.kvANorm, &attention.kvB, &attention.o})
      add(*request);
  }
  void add(const GroupedQueryAttention &attention) {
    for (const auto *linear : {&attention.q, &attention.k, &attention.v})
      add(*linear);
    add(attention.qNorm);
    add(attention.kNorm);
    add(attention.o);
  }
  void add(const Experts &experts) {
    add(experts.router);
    add(experts.routerBias);
    add(experts.experts);
    if (experts.shared)
      add(*experts.shared);
  }
  void add(const DecoderLayer &layer) {
    add(layer.attentionNorm);
    std::visit([&](const auto &attention) { add(attention); }, layer.attention);
    add(layer.feedForwardNorm);
    std::visit([&](const auto &feedForward) { add(feedForward); }, layer.feedForward);
  }
  void addModel(const Decoder &decoder) {
    add(decoder.embedding);
    for (const DecoderLayer &layer : decoder.layers)
      add(layer);
    add(decoder.norm);
    if (!decoder.tiedEmbeddings)
      add(decoder.head);
  }
  void add(const NextTokenLayer &next) {
    for (const auto *request :
         {&next.embedding, &next.embeddingNorm, &next.hiddenNorm, &next.projection})
      add(*request);
    add(next.layer);
    add(next.norm);
    add(next.head);
  }
};
} // namespace

std::vector<WeightRequest> moec::frontend::listWeights(const Decoder &decoder) {
  std::vector<WeightRequest> all;
  auto append = [&](const WeightRequest &request) { append_range(all, request.expand()); };
  Walker walker{append};
  walker.addModel(decoder);
  for (const NextTokenLayer &next : decoder.nextToken)
    walker.add(next);
  return all;
}

ParameterCounts moec::frontend::countParameters(const Decoder &decoder) {
  ParameterCounts counts;
  auto countOne = [](const WeightRequest &request) {
    uint64_t count = 1;
    for (int64_t size : request.shape)
      count *= size;
    return count;
  };
  auto visit = [&](const WeightRequest &request) {
    counts.total += countOne(request) * std::max<int64_t>(request.count, 1);
  };
  Walker{visit}.addModel(decoder);
  counts.active = counts.total;
  for (const DecoderLayer &layer : decoder.layers)
    if (auto *experts = std::get_if<Experts>(&layer.feedForward)) {
      auto leaveOut = [&](const WeightRequest &request) {
        counts.active -= countOne(request) * (request.count - experts->routing.topK);
      };
      Walker{leaveOut}.add(experts->experts);
    }
  return counts;
}
