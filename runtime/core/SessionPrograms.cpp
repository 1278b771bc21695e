// Binding programs to a session's buffers, and running the batch.
#include "runtime/core/Session.h"

#include "runtime/bundle/Error.h"
#include "runtime/bundle/Format.h"

#include <algorithm>

namespace moec::rt {

void Session::bindPrograms() {
  const fb::Manifest &m = model.manifest();
  Device &device = model.device();
  uint64_t arenaBytes = 1, tokens = 1, rows = 1, tables = 1;
  for (const char *name : {"prefill", "decode"})
    for (const fb::Program *p : *model.bundle().entry(name)->programs()) {
      arenaBytes = std::max(arenaBytes, p->arena_bytes());
      tokens = std::max<uint64_t>(tokens, p->max_tokens());
      rows = std::max<uint64_t>(rows, p->max_output_rows());
      tables = std::max<uint64_t>(tables, p->max_sequences());
    }
  arena = DeviceBuffer(device, arenaBytes, "the arena");
  counters = DeviceBuffer(device, kCounterBytes, "the counters");
  output = DeviceBuffer(device, rows * m.vocab_size() * 4, "the logits");
  for (int kind = 0; kind <= int(fb::InputKind::MAX); ++kind) {
    uint64_t count = tokens;
    if (fb::InputKind(kind) == fb::InputKind::BlockTable)
      count = tables * m.pages_per_sequence();
    if (fb::InputKind(kind) == fb::InputKind::OutputRows)
      count = rows;
    inputs.emplace_back(device, count * 4, "the inputs");
  }
  for (const fb::Program *p : *model.bundle().entry("prefill")->programs())
    prefillPrograms.push_back(bind(*p));
  for (const fb::Program *p : *model.bundle().entry("decode")->programs())
    decodePrograms.push_back(bind(*p));
}

BoundProgram Session::bind(const fb::Program &program) {
  BoundProgram bound;
  bound.program = &program;
  for (const fb::Launch *launch : *program.launches()) {
    BoundLaunch b{launch->kernel(), launch->grid(), {}};
    for (const fb::Arg *arg : *launch->args())
      b.args.push_back(address(*arg));
    bound.launches.push_back(std::move(b));
  }
  return bound;
}

void *Session::address(const fb::Arg &arg) const {
  auto base = [&]() -> void * {
    switch (arg.kind()) {
    case fb::ArgKind::Arena:
      return arena.data();
    case fb::ArgKind::Weight:
      return const_cast<void *>(model.weight(arg.index()));
    case fb::ArgKind::Input:
      return inputs[arg.index()].data();
    case fb::ArgKind::Output:
      return output.data();
    case fb::ArgKind::Cache:
      return cache->layer(arg.index());
    case fb::ArgKind::Counters:
      return counters.data();
    }
    return nullptr;
  };
  return static_cast<uint8_t *>(base()) + arg.offset();
}

void Session::Batch::clear() {
  tokens.clear();
  positions.clear();
  rows.clear();
  outputRows.clear();
  sequences.clear();
}

void Session::upload(fb::InputKind kind, const std::vector<int32_t> &values) {
  if (values.empty())
    return;
  model.device().copyIn(inputs[int(kind)].data(), values.data(), values.size() * sizeof(int32_t));
}

/// One row per sequence of the batch; entries past its pages are 0.
void Session::uploadBlockTable() {
  size_t width = model.manifest().pages_per_sequence();
  blockTable.assign(batch.sequences.size() * width, 0);
  for (size_t row = 0; row < batch.sequences.size(); ++row) {
    const auto &pages = sequences[batch.sequences[row]].pages;
    std::copy(pages.begin(), pages.end(), blockTable.begin() + row * width);
  }
  upload(fb::InputKind::BlockTable, blockTable);
}

/// Runs the batch through the smallest program of the entry that holds it.
void Session::run(const std::vector<BoundProgram> &entry) {
  const BoundProgram *chosen = nullptr;
  for (const BoundProgram &p : entry)
    if (!chosen && batch.tokens.size() <= p.program->max_tokens() &&
        batch.sequences.size() <= p.program->max_sequences() &&
        batch.outputRows.size() <= p.program->max_output_rows())
      chosen = &p;
  if (!chosen)
    fail(ErrorKind::Internal, "no program for ", batch.tokens.size(), " tokens and ",
         batch.sequences.size(), " sequences");
  upload(fb::InputKind::TokenIds, batch.tokens);
  upload(fb::InputKind::Positions, batch.positions);
  upload(fb::InputKind::SequenceIds, batch.rows);
  upload(fb::InputKind::OutputRows, batch.outputRows);
  uploadBlockTable();
  if (options.poison) { // all ones is a NaN in every float format
    model.device().fillBytes(arena.data(), 0xFF, arena.bytes());
    model.device().fillBytes(output.data(), 0xFF, output.bytes());
  }
  Dims dims = {1, int64_t(batch.tokens.size()), int64_t(batch.sequences.size()),
               int64_t(batch.outputRows.size()), int64_t(model.manifest().pages_per_sequence())};
  last = chosen->program;
  model.device().run(*chosen, dims, profiling ? &seconds : nullptr);
}

} // namespace moec::rt
