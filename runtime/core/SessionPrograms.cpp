// Binding programs to a session's buffers, and running the batch.
#include "runtime/core/Session.h"

#include "runtime/bundle/Error.h"
#include "runtime/bundle/Format.h"
#include "runtime/core/InputLayout.h"

#include <algorithm>
#include <cstring>

namespace moec::rt {

Session::Sizes Session::sizes() const {
  const fb::Manifest &m = model.manifest();
  Sizes sizes;
  for (const char *name : {"prefill", "decode", kSampleEntry}) {
    const fb::Entry *entry = model.bundle().entry(name);
    if (!entry)
      continue;
    for (const fb::Program *p : *entry->programs()) {
      sizes.arena = std::max(sizes.arena, p->arena_bytes());
      sizes.output = std::max(sizes.output, uint64_t(p->max_output_rows()) * m.vocab_size() * 4);
      if (name == std::string_view(kSampleEntry))
        sizes.tokens = std::max(sizes.tokens, uint64_t(p->max_output_rows()) * sizeof(int32_t));
      sizes.inputs = std::max(sizes.inputs, InputLayout(*p, m.pages_per_sequence()).bytes);
      sizes.launches += p->launches()->size();
    }
  }
  return sizes;
}

/// All of the session's device memory, after it was seen to fit.
void Session::allocate(uint32_t pages) {
  Device &device = model.device();
  const fb::CacheLayout &layout = *model.manifest().cache();
  Sizes s = sizes();
  model.loadWeights({{"KV cache", PagedCache::bytes(layout, pages)},
                     {"arena", s.arena},
                     {"logits", s.output},
                     {"inputs", s.inputs + s.tokens + kCounterBytes},
                     {"recorded launches", s.launches * device.launchMemory()}});
  cache.emplace(device, layout, pages);
  arena = DeviceBuffer(device, s.arena, "the arena");
  counters = DeviceBuffer(device, kCounterBytes, "the counters");
  output = DeviceBuffer(device, s.output, "the logits");
  inputs = DeviceBuffer(device, s.inputs, "the inputs");
  if (s.tokens)
    tokens = DeviceBuffer(device, s.tokens, "the tokens");
  chosen.reserve(s.tokens, "the tokens on the host");
}

void Session::bindPrograms() {
  auto bind = [&](const char *entry, Programs &programs) {
    for (const fb::Program *p : *model.bundle().entry(entry)->programs())
      programs.push_back(model.device().bind(
          *p, {inputs.view(), [&](const fb::Arg &arg) { return view(*p, arg); }}));
  };
  bind("prefill", prefillPrograms);
  bind("decode", decodePrograms);
  if (model.bundle().entry(kSampleEntry))
    bind(kSampleEntry, samplePrograms);
}

BufferView Session::view(const fb::Program &program, const fb::Arg &arg) const {
  InputLayout layout(program, model.manifest().pages_per_sequence());
  auto from = [](BufferView buffer, uint64_t offset) {
    return BufferView{static_cast<uint8_t *>(buffer.data) + offset, buffer.bytes - offset};
  };
  auto base = [&]() -> BufferView {
    switch (arg.kind()) {
    case fb::ArgKind::Arena:
      return arena.view();
    case fb::ArgKind::Weight:
      return model.weight(arg.index());
    case fb::ArgKind::Input:
      return from(inputs.view(), layout.offset(fb::InputKind(arg.index())));
    case fb::ArgKind::Output:
      return arg.index() == kTokensOutput ? tokens.view() : output.view();
    case fb::ArgKind::Cache:
      return cache->layer(arg.index());
    case fb::ArgKind::Counters:
      return counters.view();
    }
    return {};
  };
  return from(base(), arg.offset());
}

void Session::Batch::clear() {
  tokens.clear();
  positions.clear();
  rows.clear();
  outputRows.clear();
  sequences.clear();
}

/// The batch as the program's inputs, up to the last row of the block table
/// that is in use; entries of that past a sequence's pages are 0.
std::span<const uint8_t> Session::inputBlock(const fb::Program &program) {
  uint32_t width = model.manifest().pages_per_sequence();
  InputLayout layout(program, width);
  uint64_t tableBytes = batch.sequences.size() * width * sizeof(int32_t);
  block.assign(layout.offset(fb::InputKind::BlockTable) + tableBytes, 0);
  auto put = [&](uint64_t offset, const auto &values) {
    if (!std::empty(values))
      std::memcpy(block.data() + offset, std::data(values), std::size(values) * sizeof(values[0]));
  };
  put(0, Dims{1, int64_t(batch.tokens.size()), int64_t(batch.sequences.size()),
              int64_t(batch.outputRows.size()), int64_t(width)});
  put(layout.offset(fb::InputKind::TokenIds), batch.tokens);
  put(layout.offset(fb::InputKind::Positions), batch.positions);
  put(layout.offset(fb::InputKind::SequenceIds), batch.rows);
  put(layout.offset(fb::InputKind::OutputRows), batch.outputRows);
  for (size_t row = 0; row < batch.sequences.size(); ++row)
    put(layout.offset(fb::InputKind::BlockTable) + row * width * sizeof(int32_t),
        sequences[batch.sequences[row]].pages);
  return block;
}

/// Runs the batch through the smallest program of the entry that holds it.
void Session::run(const Programs &entry) {
  BoundProgram *chosen = nullptr;
  for (const auto &p : entry)
    if (!chosen && batch.tokens.size() <= p->program.max_tokens() &&
        batch.sequences.size() <= p->program.max_sequences() &&
        batch.outputRows.size() <= p->program.max_output_rows())
      chosen = p.get();
  if (!chosen)
    fail(ErrorKind::Internal, "no program for ", batch.tokens.size(), " tokens and ",
         batch.sequences.size(), " sequences");
  if (options.poison) { // all ones is a NaN in every float format
    model.device().fillBytes(arena.data(), 0xFF, arena.bytes());
    model.device().fillBytes(output.data(), 0xFF, output.bytes());
  }
  last = &chosen->program;
  chosen->run(inputBlock(chosen->program), profiling ? &seconds : nullptr);
}

/// A token for each of the output's first rows, chosen where they lie. Waits for it.
void Session::runSample(std::span<const TokenChoice> choices, std::span<int32_t> ids) {
  BoundProgram *program = nullptr;
  for (const auto &p : samplePrograms)
    if (!program && choices.size() <= p->program.max_output_rows())
      program = p.get();
  if (!program)
    fail(ErrorKind::Internal, "no program chooses ", choices.size(), " tokens");
  int64_t rows = int64_t(choices.size());
  Dims dims{1, rows, rows, rows, int64_t(model.manifest().pages_per_sequence())};
  InputLayout layout(program->program, model.manifest().pages_per_sequence());
  uint64_t at = layout.offset(fb::InputKind::Sampling);
  block.assign(at + choices.size_bytes(), 0);
  std::memcpy(block.data(), dims.data(), sizeof dims);
  std::memcpy(block.data() + at, choices.data(), choices.size_bytes());
  if (options.poison) {
    model.device().fillBytes(arena.data(), 0xFF, arena.bytes());
    model.device().fillBytes(tokens.data(), 0xFF, tokens.bytes());
  }
  program->run(block);
  model.device().copyOut(chosen.data(), tokens.data(), ids.size_bytes());
  std::memcpy(ids.data(), chosen.data(), ids.size_bytes());
  for (int32_t id : ids)
    if (id < 0)
      failWithoutLogits();
}

} // namespace moec::rt
