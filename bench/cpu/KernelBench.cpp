// Times the matrix kernels of the host: weights larger than the last cache are
// streamed by all tiles on 1 .. n threads, and the rate stands beside that of a loop which
// only reads the same bytes, measured in the same run.
//
//   bench_cpu_kernels [target] [threads] [filter]
#include "test/codegen/KernelHarness.h"
#include "test/codegen/MatrixKernels.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <dlfcn.h>
#include <sys/mman.h>
#include <thread>
#include <unistd.h>

using namespace moec;
using namespace moec::test;

namespace {

/// Memory in large pages where the system gives them, filled with random numbers of magnitude
/// 1/2 ... 1 (floats) or codes of any but the largest magnitudes.
class Bytes {
public:
  Bytes(size_t size, unsigned elementBits) : size(size) {
    size_t huge = size_t(2) << 20;
    data = static_cast<uint8_t *>(std::aligned_alloc(huge, (size + huge - 1) / huge * huge));
    madvise(data, size, MADV_HUGEPAGE);
    std::mt19937_64 random(1);
    auto [keep, set] = getPattern(elementBits);
    for (size_t i = 0; i < size; i += 8) {
      uint64_t value = (random() & keep) | set;
      std::memcpy(data + i, &value, std::min<size_t>(8, size - i));
    }
  }
  ~Bytes() { std::free(data); }
  Bytes(Bytes &&other) noexcept : data(other.data), size(other.size) { other.data = nullptr; }

  uint8_t *data;
  size_t size;

private:
  static std::pair<uint64_t, uint64_t> getPattern(unsigned elementBits) {
    if (elementBits == 32)
      return {0x807FFFFF807FFFFFu, 0x3F0000003F000000u};
    if (elementBits == 16)
      return {0x807F807F807F807Fu, 0x3F003F003F003F00u};
    return {0xF7F7F7F7F7F7F7F7u, 0};
  }
};

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

template <typename Work> double bestOf(int runs, Work work) {
  double best = 1e30;
  for (int i = 0; i < runs; ++i) {
    double start = now();
    work();
    best = std::min(best, now() - start);
  }
  return best;
}

/// Runs work(item) for each item on `threads` threads.
template <typename Work> void inParallel(int threads, int64_t items, Work work) {
  std::atomic<int64_t> next = 0;
  auto take = [&](int thread) {
    for (int64_t item; (item = next++) < items;)
      work(item, thread);
  };
  std::vector<std::thread> others;
  for (int i = 1; i < threads; ++i)
    others.emplace_back(take, i);
  take(0);
  for (std::thread &thread : others)
    thread.join();
}

/// GB/s of reading.
double timeReading(const Bytes &bytes, int threads) {
  typedef uint64_t Vector __attribute__((vector_size(32), aligned(32)));
  constexpr int64_t chunk = 1 << 18;
  std::atomic<uint64_t> sink = 0;
  double seconds = bestOf(5, [&] {
    inParallel(threads, bytes.size / chunk, [&](int64_t item, int) {
      auto *at = reinterpret_cast<const Vector *>(bytes.data + item * chunk);
      Vector sums[8] = {};
      for (int64_t i = 0; i < chunk / int64_t(sizeof(Vector)); i += 8)
        for (int j = 0; j < 8; ++j)
          sums[j] |= at[i + j];
      for (Vector sum : sums)
        sink |= sum[0] | sum[1] | sum[2] | sum[3];
    });
  });
  return bytes.size / seconds / 1e9;
}

/// Pages of the cache, of 64 rows.
constexpr int64_t kPages = 128;

/// A compiled kernel with memory for its slots.
class Kernel {
public:
  Kernel(const std::string &text, const std::string &targetName, int64_t tokens)
      : context(makeContext()), module(parseModule(text, *context)), tokens(tokens) {
    (*module)->setAttr(kern::kTargetAttr, mlir::StringAttr::get(context.get(), targetName));
    kernel = *module->getOps<kern::KernelOp>().begin();
    auto *target = static_cast<const codegen::CpuTarget *>(kern::getTarget(*module));
    if (!kernel.getSchedule())
      kernel.setScheduleAttr(target->chooseSchedule(kernel));
    grid = target->getGrid(kernel);
    image = llvm::cantFail(codegen::emitImage(*module, *target));
    load();
    for (const codegen::Slot &slot : codegen::getSlots(kernel)) {
      int64_t elements = 1;
      for (int64_t size : slot.type.getShape())
        elements *= mlir::ShapedType::isDynamic(size) ? countRows(slot) : size;
      if (slot.type.getRank() == 2 && slot.type.isDynamicDim(1))
        elements = kPages; // the block table
      unsigned bits = slot.type.getElementTypeBitWidth();
      slots.emplace_back(elements * bits / 8, bits);
      args.push_back(slots.back().data);
    }
  }
  ~Kernel() {
    dlclose(library);
    close(file);
  }

  int64_t countTiles() const {
    int64_t tiles =
        llvm::divideCeil(getDim(grid.getDim()) * grid.getMultiplier(), grid.getDivisor());
    return grid.getFactor() * (grid.getCap() ? std::min(tiles, grid.getCap()) : tiles);
  }

  /// Seconds of one run of all tiles.
  double time(int threads, int runs = 5) {
    std::vector<Bytes> workspaces;
    for (int i = 0; i < threads; ++i)
      workspaces.emplace_back(std::max<uint64_t>(64, image.kernels[0].workspaceBytes), 32);
    int64_t dims[] = {1, tokens, 1, 1, kPages};
    return bestOf(runs, [&] {
      inParallel(threads, countTiles(), [&](int64_t tile, int thread) {
        function(args.data(), dims, tile, workspaces[thread].data);
      });
    });
  }

  std::vector<Bytes> slots;

private:
  void load() {
    // It stays open: the loader knows a library by its path, here the number.
    file = memfd_create("kernels", 0);
    if (write(file, image.bytes.data(), image.bytes.size()) != ssize_t(image.bytes.size()))
      std::abort();
    library = dlopen(("/proc/self/fd/" + std::to_string(file)).c_str(), RTLD_NOW | RTLD_LOCAL);
    function = reinterpret_cast<Function>(dlsym(library, kernel.getSymName().str().c_str()));
  }
  int64_t getDim(kern::Dim dim) const { return dim == kern::Dim::Tokens ? tokens : 1; }
  int64_t countRows(const codegen::Slot &slot) const {
    if (auto rows = mlir::dyn_cast<kern::RowsAttr>(slot.rows))
      return getDim(rows.getDim()) * rows.getMultiplier();
    return kPages * 64; // rows of a cache
  }

  using Function = void (*)(void *const *, const int64_t *, int64_t, void *);
  std::unique_ptr<mlir::MLIRContext> context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  int64_t tokens;
  kern::KernelOp kernel;
  kern::GridAttr grid;
  codegen::Image image;
  int file = -1;
  void *library = nullptr;
  Function function = nullptr;
  std::vector<void *> args;
};

struct Options {
  std::string target = "cpu";
  int threads = int(std::thread::hardware_concurrency());
  std::string filter;
};

bool selected(const Options &options, const std::string &name) {
  return name.find(options.filter) != std::string::npos;
}

/// A weight of 235 MB, as in a projection of DeepSeek V3 but longer.
void benchStreams(const Options &options) {
  for (std::string type : {"f8", "bf16", "f32"})
    for (int64_t tokens : {1, 2, 4, 8}) {
      std::string name = "stream " + type + " tokens " + std::to_string(tokens);
      if (!selected(options, name) || (type == "f32" && tokens > 1))
        continue;
      int64_t depth = 7168, columns = 32768 / (type == "f8" ? 1 : type == "bf16" ? 2 : 4);
      LinearText text{.columns = columns, .depth = depth, .weight = type};
      Kernel kernel(text.str(), options.target, tokens);
      double bytes = kernel.slots[1].size;
      for (int threads = 1; threads <= options.threads; threads *= 2) {
        double before = timeReading(kernel.slots[1], threads), seconds = kernel.time(threads);
        double read = std::max(before, timeReading(kernel.slots[1], threads));
        std::printf("%-24s threads %d: %6.1f GB/s, reading %6.1f GB/s (%3.0f %%)\n", name.c_str(),
                    threads, bytes / seconds / 1e9, read, 100 * bytes / seconds / 1e9 / read);
        std::fflush(stdout);
      }
    }
}

/// A weight that stays in the second cache: what the instructions allow.
void benchResident(const Options &options) {
  for (std::string type : {"f8", "bf16", "f32"})
    for (int64_t tokens : {1, 2, 4, 8, 128}) {
      std::string name = "resident " + type + " tokens " + std::to_string(tokens);
      if (!selected(options, name))
        continue;
      int64_t depth = 2048, columns = 256 / (type == "f8" ? 1 : type == "bf16" ? 2 : 4);
      LinearText text{.columns = columns, .depth = depth, .weight = type};
      Kernel kernel(text.str(), options.target, tokens);
      double seconds = kernel.time(1, 2000 / tokens + 10);
      std::printf("%-24s one core : %6.1f GB/s, %6.1f GFLOP/s\n", name.c_str(),
                  kernel.slots[1].size / seconds / 1e9, 2e-9 * depth * columns * tokens / seconds);
      std::fflush(stdout);
    }
}

/// Eight experts of 32, gate or up projection of DeepSeek V3.
void benchGrouped(const Options &options) {
  if (!selected(options, "grouped"))
    return;
  GroupedText text{
      .experts = 32, .columns = 2048, .depth = 7168, .topK = 8, .weight = "f8", .x = "f8"};
  Kernel kernel(text.str(), options.target, 1);
  auto *offsets = reinterpret_cast<int32_t *>(kernel.slots[4].data);
  auto *rows = reinterpret_cast<int32_t *>(kernel.slots[5].data);
  for (int i = 0; i <= 32; ++i)
    offsets[i] = (i + 3) / 4;
  for (int i = 0; i < 8; ++i)
    rows[i] = i;
  double bytes = 8.0 * 2048 * 7168;
  for (int threads = 1; threads <= options.threads; threads *= 2) {
    double seconds = kernel.time(threads), read = timeReading(kernel.slots[2], threads);
    std::printf("%-24s threads %d: %6.1f GB/s, reading %6.1f GB/s (%3.0f %%)\n",
                "grouped f8 tokens 1", threads, bytes / seconds / 1e9, read,
                100 * bytes / seconds / 1e9 / read);
  }
}

/// DeepSeek V3's attention of one token at a context of 4096.
void benchAttention(const Options &options) {
  for (std::string cache : {"f32", "bf16"}) {
    std::string name = "attention " + cache + " context 4096";
    if (!selected(options, name))
      continue;
    AttentionText text{
        .heads = 128, .latent = 512, .rope = 64, .nope = 128, .page = 64, .cache = cache};
    Kernel kernel(text.str(), options.target, 1);
    int64_t context = 4096;
    auto ints = [&](int slot) { return reinterpret_cast<int32_t *>(kernel.slots[slot].data); };
    ints(3)[0] = int32_t(context - 1);
    ints(4)[0] = 0;
    for (int i = 0; i < kPages; ++i)
      ints(5)[i] = i * 37 % kPages;
    for (int threads = 1; threads <= options.threads; threads *= 2) {
      double seconds = kernel.time(threads);
      std::printf("%-24s threads %d: %6.2f ms, %6.1f GFLOP/s\n", name.c_str(), threads,
                  1e3 * seconds, 2e-9 * 128 * (576 + 512) * context / seconds);
    }
  }
}

/// Positions, sequences and block table of a step whose tokens continue `before` cached ones.
void setStep(Kernel &kernel, int slot, int64_t tokens, int64_t before) {
  auto ints = [&](int slot) { return reinterpret_cast<int32_t *>(kernel.slots[slot].data); };
  for (int64_t token = 0; token < tokens; ++token) {
    ints(slot)[token] = int32_t(before + token);
    ints(slot + 1)[token] = 0;
  }
  for (int i = 0; i < kPages; ++i)
    ints(slot + 2)[i] = i * 37 % kPages;
}

HeadText absorbedText(bool transposed, int64_t heads) {
  return {.heads = heads,
          .inputs = transposed ? 192 : 512,
          .rows = 256,
          .depth = 512,
          .xSize = transposed ? 128 : 512,
          .wOffset = transposed ? 0 : 128,
          .wSize = 128,
          .transposed = transposed,
          .weight = "f8"};
}

/// DeepSeek V3's query: projection and absorption in one kernel and in two.
void benchQuery(const Options &options) {
  for (int64_t tokens : {1, 4, 64}) {
    std::string name = "query tokens " + std::to_string(tokens);
    if (!selected(options, name))
      continue;
    QueryText text{.heads = 128,
                   .inputs = 1536,
                   .nope = 128,
                   .rope = 64,
                   .rows = 256,
                   .latent = 512,
                   .projection = "f8",
                   .up = "f8",
                   .x = "f8"};
    LinearText projection{.columns = 128 * 192, .depth = 1536, .weight = "f8", .x = "f8"};
    Kernel one(text.str(), options.target, tokens);
    Kernel first(projection.str(), options.target, tokens);
    Kernel second(absorbedText(true, 128).str(), options.target, tokens);
    for (int64_t token = 0; token < tokens; ++token)
      reinterpret_cast<int32_t *>(one.slots[4].data)[token] = int32_t(token);
    for (int threads = 1; threads <= options.threads; threads *= 2)
      std::printf("%-24s threads %d: %6.2f ms, projection %6.2f ms, absorption %6.2f ms\n",
                  name.c_str(), threads, 1e3 * one.time(threads), 1e3 * first.time(threads),
                  1e3 * second.time(threads));
  }
}

/// Seven queries share a key: 28 heads of 4 key-value heads, one token after 4095, or a chunk of
/// 256.
void benchSharedKeys(const Options &options) {
  constexpr int64_t context = 4096;
  for (std::string cache : {"f32", "bf16"})
    for (int64_t tokens : {1, 256}) {
      std::string name = "shared keys " + cache + " tokens " + std::to_string(tokens);
      if (!selected(options, name))
        continue;
      GqaText text{.heads = 28, .kvHeads = 4, .key = 128, .value = 128, .page = 64, .cache = cache};
      Kernel chosen(text.str(), options.target, tokens);
      setStep(chosen, 2, tokens, context - tokens);
      double bytes = double(context) * 4 * 256 * (cache == "f32" ? 4 : 2);
      double flops = 2.0 * double(tokens) * 28 * 256 * (context - double(tokens - 1) / 2);
      for (int threads = 1; threads <= options.threads; threads *= 2) {
        double seconds = chosen.time(threads);
        std::printf("%-28s threads %d: %6.2f ms, %6.1f GFLOP/s, cache read once %6.1f GB/s\n",
                    name.c_str(), threads, 1e3 * seconds, flops / seconds / 1e9,
                    bytes / seconds / 1e9);
        std::fflush(stdout);
      }
    }
}

/// 16 heads of DeepSeek V3, absorbed and expanded, prompts from the start and after 2048 tokens.
void benchPrefill(const Options &options) {
  constexpr int64_t heads = 16;
  for (int64_t tokens : {1, 4, 16, 64, 256}) {
    std::string name = "prefill tokens " + std::to_string(tokens);
    if (!selected(options, name))
      continue;
    AttentionText attention{.heads = heads, .latent = 512, .rope = 64, .nope = 128, .page = 64};
    MlaText expanded{.heads = heads,
                     .latent = 512,
                     .nope = 128,
                     .rope = 64,
                     .v = 128,
                     .page = 64,
                     .weight = "f8"};
    AttentionOutputText output{attention, /*rows=*/256, /*wOffset=*/128, /*wSize=*/128, "f8"};
    Kernel query(absorbedText(true, heads).str(), options.target, tokens);
    Kernel latent(attention.str(), options.target, tokens);
    Kernel product(absorbedText(false, heads).str(), options.target, tokens);
    Kernel both(output.str(), options.target, tokens);
    Kernel whole(expanded.str(), options.target, tokens);
    for (int64_t before : {int64_t(0), int64_t(2048)}) {
      setStep(latent, 3, tokens, before);
      setStep(both, 3, tokens, before);
      setStep(whole, 4, tokens, before);
      auto time = [&](Kernel &kernel) { return 1e3 * kernel.time(options.threads, 3); };
      std::printf(
          "%-24s after %4d, threads %d: query %6.2f + latent %7.2f + output %6.2f ms, latent "
          "with output %7.2f ms, expanded %7.2f ms\n",
          name.c_str(), int(before), options.threads, time(query), time(latent), time(product),
          time(both), time(whole));
      std::fflush(stdout);
    }
  }
}

} // namespace

int main(int argc, char **argv) {
  Options options;
  if (argc > 1)
    options.target = argv[1];
  if (argc > 2)
    options.threads = std::max(1, int(std::strtol(argv[2], nullptr, 10)));
  if (argc > 3)
    options.filter = argv[3];
  benchResident(options);
  benchStreams(options);
  benchGrouped(options);
  benchAttention(options);
  benchQuery(options);
  benchSharedKeys(options);
  benchPrefill(options);
}
