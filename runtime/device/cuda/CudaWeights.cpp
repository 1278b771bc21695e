#include "runtime/device/cuda/CudaWeights.h"

#include "runtime/device/SyntheticFill.h"
#include "runtime/device/cpu/ThreadPool.h"
#include "runtime/device/cuda/CudaMemory.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>

namespace moec::rt::cuda {
namespace {

constexpr size_t kChunk = 32 << 20; // bytes of one pinned buffer
constexpr size_t kPiece = 1 << 20;  // bytes that one host thread copies at a time
constexpr unsigned kMaxThreads = 16;

/// Copies pieces of host memory to one range of the device after the other.
class Uploader {
public:
  Uploader(const Gpu &gpu, unsigned threads)
      : gpu(gpu), pool(threads ? threads : std::min(usableCpus(), kMaxThreads)) {}

  /// Queues a copy. `from` must stay until finish().
  void add(DevicePtr to, std::span<const uint8_t> from) {
    while (!from.empty()) {
      if (used == kChunk || (used && to != begin + used))
        flush();
      if (!used)
        begin = to;
      size_t count = std::min({from.size(), kChunk - used, kPiece});
      pieces.push_back({used, from.first(count)});
      used += count;
      to += count;
      from = from.subspan(count);
    }
  }

  /// The gap between two weights is no reason for another copy.
  void skip(size_t bytes) {
    if (used && used + bytes <= kChunk)
      used += bytes;
  }

  void finish() {
    flush();
    gpu.wait("copying the weights");
  }

private:
  struct Piece {
    size_t offset;
    std::span<const uint8_t> from;
  };

  void flush() {
    if (!used)
      return;
    Slot &slot = slots[turn];
    turn = 1 - turn;
    if (!slot.buffer)
      slot.buffer.emplace(kChunk, "copying weights");
    else
      check(api().cuEventSynchronize(slot.done.get()), "copying the weights failed");
    uint8_t *memory = slot.buffer->data();
    pool.forEach(pieces.size(), [&](int64_t i, unsigned) {
      std::memcpy(memory + pieces[i].offset, pieces[i].from.data(), pieces[i].from.size());
    });
    check(api().cuMemcpyHtoDAsync(begin, memory, used, gpu.stream), "cannot copy the weights");
    check(api().cuEventRecord(slot.done.get(), gpu.stream), "cannot copy the weights");
    pieces.clear();
    used = 0;
  }

  struct Slot {
    std::optional<PinnedBuffer> buffer;
    EventHandle done{kEventNoTiming};
  };
  const Gpu &gpu;
  ThreadPool pool;
  Slot slots[2];
  int turn = 0;
  std::vector<Piece> pieces; // of the chunk that is being collected
  DevicePtr begin = 0;       // where it goes
  size_t used = 0;           // its bytes so far
};

/// Fills weights; tables that several need are on the device once.
class Filler {
public:
  Filler(const Gpu &gpu, const BuiltinKernels &kernels) : gpu(gpu), kernels(kernels) {}

  void fill(const fb::Weight &w, uint64_t seed, DevicePtr to) {
    auto [entry, isNew] = tables.try_emplace({w.dtype(), w.fill(), w.fill_scale()});
    if (isNew) {
      entry->second = std::make_unique<Table>(w);
      const std::vector<uint8_t> &codes = entry->second->table.codes();
      check(api().cuMemcpyHtoDAsync(entry->second->memory.get(), codes.data(), codes.size(),
                                    gpu.stream),
            "cannot copy a table of synthetic weights");
    }
    kernels.fill(to, w.bytes() / elementSize(w.dtype()), entry->second->table,
                 entry->second->memory.get(), fillKey(w.name()->string_view(), seed));
  }

private:
  struct Table {
    explicit Table(const fb::Weight &w)
        : table(w.dtype(), w.fill(), w.fill_scale()),
          memory(table.codes().size(), "a table of synthetic weights") {}
    FillTable table;
    DeviceMemory memory;
  };
  const Gpu &gpu;
  const BuiltinKernels &kernels;
  std::map<std::tuple<fb::DType, fb::FillKind, float>, std::unique_ptr<Table>> tables;
};

} // namespace

WeightLayout::WeightLayout(const BundleFile &bundle) {
  for (const fb::Weight *w : *bundle.manifest().weights()) {
    offsets.push_back(bytes);
    bytes += (w->bytes() + kAlignment - 1) / kAlignment * kAlignment;
    (w->segment() >= 0 ? copied : filled) += w->bytes();
  }
}

void uploadWeights(const Gpu &gpu, const BuiltinKernels *kernels, const BundleFile &bundle,
                   const WeightLayout &layout, DevicePtr base, unsigned threads,
                   const LoadProgress &progress) {
  const fb::Manifest &m = bundle.manifest();
  std::optional<Filler> filler;
  std::optional<Uploader> uploader;
  uint64_t done = 0;
  for (unsigned i = 0; i < m.weights()->size(); ++i) {
    const fb::Weight &w = *m.weights()->Get(i);
    DevicePtr to = base + layout.offsets[i];
    if (w.segment() >= 0) {
      if (!uploader)
        uploader.emplace(gpu, threads);
      uploader->add(to, bundle.segment(w.segment()));
      uint64_t padded = i + 1 < layout.offsets.size() ? layout.offsets[i + 1] : layout.bytes;
      uploader->skip(padded - layout.offsets[i] - w.bytes());
    } else {
      if (!filler)
        filler.emplace(gpu, *kernels);
      filler->fill(w, m.synthetic_seed(), to);
    }
    done += w.bytes();
    if (progress && done < layout.copied + layout.filled)
      progress(done, layout.copied + layout.filled);
  }
  if (uploader)
    uploader->finish();
  gpu.wait("filling the weights");
  if (progress)
    progress(done, done);
}

} // namespace moec::rt::cuda
