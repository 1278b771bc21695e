#include "test/runtime/device/cuda/FakeCuda.h"

#include "test/runtime/toy/ToyShape.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <set>
#include <sstream>

using namespace moec::rt::cuda;
using namespace moec::rt::test;

// NOLINTBEGIN(readability-identifier-naming): as the kernels' and the driver's names are
extern "C" {
void toy_append(void *const *args, const int64_t *dims, int64_t tile, void *workspace);
void toy_attend(void *const *args, const int64_t *dims, int64_t tile, void *workspace);
void toy_head(void *const *args, const int64_t *dims, int64_t tile, void *workspace);
void toy_sample(void *const *args, const int64_t *dims, int64_t tile, void *workspace);
}
// NOLINTEND(readability-identifier-naming)

namespace moec::rt::cuda {
struct ModuleTag {};
struct EventTag {
  double time = 0; // milliseconds
};
using Work = std::function<void()>;
struct GraphTag {
  std::vector<Work> work;
};
struct GraphExecTag {
  std::vector<Work> work;
};
/// A kernel with `pointers` parameters of 8 bytes (the last one the dims, for
/// the toy's) and `maps` tensor maps.
struct FunctionTag {
  const char *name;
  unsigned pointers, maps;
  void (*run)(void **pointers);
};
} // namespace moec::rt::cuda

namespace {

constexpr Result kInvalidValue = 1, kNotFound = 500, kCaptureUnsupported = 900;

struct Failure {
  Result code;
  int call; // 0: every one
};

struct Fake {
  int devices = 1, arch = 90, driver = 13000, init = 0;
  size_t memory = size_t(1) << 30, used = 0;
  std::set<std::string> lacks;
  std::map<std::string, Failure> failures;
  std::map<std::string, Result> crashes;
  std::map<DevicePtr, size_t> allocations;
  std::set<void *> pinned;
  std::deque<Work> stream;
  Graph capture = nullptr;
  Result sticky = kSuccess; // the context is broken
  double clock = 0;         // milliseconds; a kernel takes one
  FakeLog log;
};

std::unique_ptr<Fake> instance;

void parse(Fake &f, const std::string &specification) {
  std::istringstream items(specification);
  for (std::string item; std::getline(items, item, ',');) {
    size_t equals = item.find('=');
    std::string key = item.substr(0, equals), value = item.substr(equals + 1);
    size_t colon = value.find(':');
    if (key == "devices")
      f.devices = std::stoi(value);
    else if (key == "arch")
      f.arch = std::stoi(value);
    else if (key == "driver")
      f.driver = std::stoi(value);
    else if (key == "init")
      f.init = std::stoi(value);
    else if (key == "memory")
      f.memory = std::stoull(value);
    else if (key == "lacks")
      f.lacks.insert(value);
    else if (key == "crash")
      f.crashes[value.substr(0, colon)] = std::stoi(value.substr(colon + 1));
    else if (key == "fail") {
      std::string rest = value.substr(colon + 1);
      size_t second = rest.find(':');
      f.failures[value.substr(0, colon)] = {
          std::stoi(rest), second == std::string::npos ? 0 : std::stoi(rest.substr(second + 1))};
    }
  }
}

Fake &fake() {
  if (!instance) {
    instance = std::make_unique<Fake>();
    if (const char *specification = std::getenv("FAKE_CUDA"))
      parse(*instance, specification);
  }
  return *instance;
}

/// What a call to an entry point returns before it does anything.
Result enter(const char *name) {
  Fake &f = fake();
  int call = ++f.log.calls[name];
  auto failure = f.failures.find(name);
  if (failure != f.failures.end() && (!failure->second.call || failure->second.call == call))
    return failure->second.code;
  return f.sticky;
}

#define ENTER(name)                                                                                \
  if (Result result = enter(#name))                                                                \
    return result;

Result drain() {
  Fake &f = fake();
  while (!f.stream.empty() && !f.sticky) {
    Work work = std::move(f.stream.front());
    f.stream.pop_front();
    work();
  }
  return f.sticky;
}

void enqueue(Work work) {
  Fake &f = fake();
  (f.capture ? f.capture->work.push_back(std::move(work)) : f.stream.push_back(std::move(work)));
}

/// Whether a range lies in one allocation.
bool inMemory(DevicePtr address, size_t bytes) {
  const auto &all = fake().allocations;
  auto next = all.upper_bound(address);
  if (next == all.begin())
    return false;
  auto [base, size] = *std::prev(next);
  return address - base <= size && bytes <= size - (address - base);
}

uint8_t *host(DevicePtr address) { return static_cast<uint8_t *>(pointerTo(address)); }

// ---- kernels ----

using Tile = void (*)(void *const *, const int64_t *, int64_t, void *);

void runTiles(Tile tile, void **args, const int64_t *dims, int64_t tiles) {
  float workspace[TOY_WIDTH];
  for (int64_t i = 0; i < tiles; ++i)
    tile(args, dims, i, workspace);
}

uint64_t word(uint64_t key, uint64_t index) {
  uint64_t z = key + (index + 1) * 0x9E3779B97F4A7C15ull;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
  return z ^ (z >> 31);
}

template <typename T> void fillSums(void **p) {
  T *out = static_cast<T *>(p[0]), *table = static_cast<T *>(p[3]);
  for (uint64_t i = 0; i < uint64_t(p[1]); ++i)
    for (int half = 0; half < 2; ++half) {
      int sum = 0;
      for (int byte = 0; byte < 4; ++byte)
        sum += int(word(uint64_t(p[2]), i) >> (32 * half + 8 * byte) & 255);
      out[2 * i + half] = table[sum];
    }
}

template <typename T> void fillBytes(void **p) {
  T *out = static_cast<T *>(p[0]), *table = static_cast<T *>(p[3]);
  for (uint64_t i = 0; i < uint64_t(p[1]); ++i)
    for (int byte = 0; byte < 8; ++byte)
      out[8 * i + byte] = table[word(uint64_t(p[2]), i) >> (8 * byte) & 255];
}

FunctionTag kernels[] = {
    {"toy_append", 8, 0,
     [](void **p) {
       const auto *dims = static_cast<const int64_t *>(p[7]);
       runTiles(toy_append, p, dims, dims[1]);
     }},
    {"toy_attend", 8, 1,
     [](void **p) {
       const auto *dims = static_cast<const int64_t *>(p[7]);
       runTiles(toy_attend, p, dims, dims[3]);
     }},
    {"toy_head", 4, 1,
     [](void **p) {
       const auto *dims = static_cast<const int64_t *>(p[3]);
       runTiles(toy_head, p, dims, dims[3] * TOY_SPLIT);
     }},
    {"toy_sample", 4, 0,
     [](void **p) {
       const auto *dims = static_cast<const int64_t *>(p[3]);
       runTiles(toy_sample, p, dims, dims[3]);
     }},
    {"moec_fill_sums_2", 4, 0, fillSums<uint16_t>},
    {"moec_fill_sums_4", 4, 0, fillSums<uint32_t>},
    {"moec_fill_bytes_1", 4, 0, fillBytes<uint8_t>},
    {"moec_fill_bytes_4", 4, 0, fillBytes<uint32_t>},
    {"moec_read", 3, 0, [](void **) {}},
};

// ---- entry points, named as the driver's ----
// NOLINTBEGIN(readability-identifier-naming)

Result cuInit(unsigned) {
  ENTER(cuInit);
  return fake().init;
}

Result cuDriverGetVersion(int *version) {
  ENTER(cuDriverGetVersion);
  *version = fake().driver;
  return kSuccess;
}

Result cuGetErrorString(Result result, const char **text) {
  static const std::map<Result, const char *> texts = {
      {1, "invalid argument"},
      {2, "out of memory"},
      {100, "no CUDA-capable device is detected"},
      {209, "no kernel image is available for execution on the device"},
      {222, "the provided PTX was compiled with an unsupported toolchain."},
      {500, "named symbol not found"},
      {700, "an illegal memory access was encountered"},
      {719, "unspecified launch failure"}};
  auto known = texts.find(result);
  *text = known == texts.end() ? "unrecognized error code" : known->second;
  return kSuccess;
}

Result cuDeviceGetCount(int *count) {
  ENTER(cuDeviceGetCount);
  *count = fake().devices;
  return kSuccess;
}

Result cuDeviceGet(DeviceHandle *device, int index) {
  ENTER(cuDeviceGet);
  *device = index;
  return kSuccess;
}

Result cuDeviceGetName(char *name, int capacity, DeviceHandle) {
  ENTER(cuDeviceGetName);
  std::strncpy(name, "Fake GPU", capacity);
  return kSuccess;
}

Result cuDeviceGetAttribute(int *value, int attribute, DeviceHandle) {
  ENTER(cuDeviceGetAttribute);
  *value = attribute == kMultiprocessors       ? 4
           : attribute == kL2Bytes             ? 1 << 20
           : attribute == kComputeMajor        ? fake().arch / 10
           : attribute == kComputeMinor        ? fake().arch % 10
           : attribute == kMaxSharedBytesOptin ? (fake().arch >= 90 ? 227 << 10 : 48 << 10)
                                               : -1;
  return kSuccess;
}

Result cuOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, Function, int threads,
                                                   size_t sharedBytes) {
  ENTER(cuOccupancyMaxActiveBlocksPerMultiprocessor);
  int byMemory = sharedBytes ? int((228u << 10) / sharedBytes) : 32;
  *blocks = std::min({2048 / threads, byMemory, 32});
  return kSuccess;
}

Result cuDevicePrimaryCtxRetain(Context *context, DeviceHandle) {
  ENTER(cuDevicePrimaryCtxRetain);
  *context = static_cast<Context>(pointerTo(1));
  return kSuccess;
}
Result cuDevicePrimaryCtxRelease(DeviceHandle) { return enter("cuDevicePrimaryCtxRelease"); }
Result cuCtxSetCurrent(Context) { return enter("cuCtxSetCurrent"); }

Result cuMemGetInfo(size_t *free, size_t *total) {
  ENTER(cuMemGetInfo);
  *free = fake().memory - fake().used;
  *total = fake().memory;
  return kSuccess;
}

Result cuMemAlloc(DevicePtr *address, size_t bytes) {
  ENTER(cuMemAlloc);
  Fake &f = fake();
  if (!bytes)
    return kInvalidValue;
  if (bytes > f.memory - f.used)
    return kOutOfMemory;
  void *memory = std::aligned_alloc(512, (bytes + 511) / 512 * 512);
  std::memset(memory, 0xCD, bytes);
  *address = reinterpret_cast<DevicePtr>(memory);
  f.allocations[*address] = bytes;
  f.used += bytes;
  return kSuccess;
}

Result cuMemFree(DevicePtr address) {
  Fake &f = fake();
  drain();
  auto known = f.allocations.find(address);
  if (known == f.allocations.end())
    return kInvalidValue;
  f.used -= known->second;
  f.allocations.erase(known);
  std::free(host(address));
  return kSuccess;
}

Result cuMemHostAlloc(void **memory, size_t bytes, unsigned) {
  ENTER(cuMemHostAlloc);
  *memory = std::aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
  std::memset(*memory, 0xCD, bytes);
  fake().pinned.insert(*memory);
  return kSuccess;
}

Result cuMemFreeHost(void *memory) {
  if (!fake().pinned.erase(memory))
    return kInvalidValue;
  std::free(memory);
  return kSuccess;
}

Result cuMemcpyHtoDAsync(DevicePtr to, const void *from, size_t bytes, Stream) {
  ENTER(cuMemcpyHtoDAsync);
  if (!inMemory(to, bytes))
    return kInvalidValue;
  if (fake().capture)
    return kCaptureUnsupported;
  enqueue([=] {
    std::memcpy(host(to), from, bytes);
    fake().log.copies.push_back(bytes);
  });
  return kSuccess;
}

Result cuMemcpyDtoHAsync(void *to, DevicePtr from, size_t bytes, Stream) {
  ENTER(cuMemcpyDtoHAsync);
  if (!inMemory(from, bytes))
    return kInvalidValue;
  if (fake().capture)
    return kCaptureUnsupported;
  enqueue([=] { std::memcpy(to, host(from), bytes); });
  return kSuccess;
}

template <typename T> Result fillMemory(DevicePtr to, T value, size_t count) {
  if (!inMemory(to, count * sizeof(T)))
    return kInvalidValue;
  enqueue([=] {
    for (size_t i = 0; i < count; ++i)
      static_cast<T *>(pointerTo(to))[i] = value;
  });
  return kSuccess;
}
Result cuMemsetD8Async(DevicePtr to, unsigned char value, size_t count, Stream) {
  ENTER(cuMemsetD8Async);
  return fillMemory(to, value, count);
}
Result cuMemsetD16Async(DevicePtr to, unsigned short value, size_t count, Stream) {
  ENTER(cuMemsetD16Async);
  return fillMemory(to, value, count);
}
Result cuMemsetD32Async(DevicePtr to, unsigned value, size_t count, Stream) {
  ENTER(cuMemsetD32Async);
  return fillMemory(to, value, count);
}

Result cuStreamCreate(Stream *stream, unsigned) {
  ENTER(cuStreamCreate);
  *stream = static_cast<Stream>(pointerTo(1));
  return kSuccess;
}
Result cuStreamDestroy(Stream) { return enter("cuStreamDestroy"); }

Result cuStreamSynchronize(Stream) {
  ENTER(cuStreamSynchronize);
  return fake().capture ? kCaptureUnsupported : drain();
}

Result cuStreamBeginCapture(Stream, int) {
  ENTER(cuStreamBeginCapture);
  fake().capture = new GraphTag;
  return kSuccess;
}

Result cuStreamEndCapture(Stream, Graph *graph) {
  *graph = fake().capture;
  fake().capture = nullptr;
  return enter("cuStreamEndCapture");
}

Result cuEventCreate(Event *event, unsigned) {
  ENTER(cuEventCreate);
  *event = new EventTag;
  return kSuccess;
}
Result cuEventDestroy(Event event) {
  drain();
  delete event;
  return kSuccess;
}
Result cuEventRecord(Event event, Stream) {
  ENTER(cuEventRecord);
  if (fake().capture)
    return kCaptureUnsupported;
  enqueue([=] { event->time = fake().clock; });
  return kSuccess;
}
Result cuEventRecordWithFlags(Event event, Stream, unsigned flags) {
  ENTER(cuEventRecordWithFlags);
  if (flags != kEventRecordExternal)
    return kInvalidValue;
  enqueue([=] { event->time = fake().clock; });
  return kSuccess;
}
Result cuEventSynchronize(Event) {
  ENTER(cuEventSynchronize);
  return drain();
}
Result cuEventElapsedTime(float *milliseconds, Event start, Event end) {
  ENTER(cuEventElapsedTime);
  *milliseconds = float(end->time - start->time);
  return kSuccess;
}

Result cuModuleLoadDataEx(Module *module, const void *image, unsigned options, int *names,
                          void **values) {
  ENTER(cuModuleLoadDataEx);
  for (unsigned i = 0; i < options; ++i)
    if (names[i] == kJitErrorLog)
      std::strcpy(static_cast<char *>(values[i]), "");
  fake().log.images.emplace_back(static_cast<const char *>(image), 1);
  *module = new ModuleTag;
  return kSuccess;
}

Result cuModuleUnload(Module module) {
  delete module;
  return kSuccess;
}

Result cuModuleGetFunction(Function *function, Module, const char *name) {
  ENTER(cuModuleGetFunction);
  for (FunctionTag &kernel : kernels)
    if (!std::strcmp(kernel.name, name)) {
      *function = &kernel;
      return kSuccess;
    }
  return kNotFound;
}

Result cuFuncGetAttribute(int *value, int attribute, Function) {
  ENTER(cuFuncGetAttribute);
  *value = attribute == kFunctionMaxThreads ? 512 : -1;
  return kSuccess;
}
Result cuFuncSetAttribute(Function, int, int) { return enter("cuFuncSetAttribute"); }

Result cuLaunchKernelEx(const LaunchConfig *config, Function function, void **params, void **) {
  ENTER(cuLaunchKernelEx);
  FakeLaunch launch{
      function->name, config->grid[0],          config->block[0], config->sharedBytes, 1,
      false,          fake().capture != nullptr};
  if (!config->grid[0] || config->block[0] > 1024)
    return kInvalidValue;
  for (unsigned i = 0; i < config->numAttributes; ++i) {
    const LaunchAttribute &attribute = config->attributes[i];
    if (attribute.id == kAttributeCluster)
      launch.cluster = attribute.cluster[0];
    else if (attribute.id == kAttributeEarlyLaunch)
      launch.early = attribute.earlyLaunch;
    else
      return kInvalidValue;
  }
  std::vector<void *> pointers; // parameters are copied when a kernel is launched
  for (unsigned i = 0; i < function->pointers; ++i)
    pointers.push_back(*static_cast<void **>(params[i]));
  for (unsigned i = 0; i < function->maps; ++i)
    if (reinterpret_cast<uintptr_t>(params[function->pointers + i]) % 64)
      return kInvalidValue;
  enqueue([=]() mutable {
    Fake &f = fake();
    f.log.launches.push_back(launch);
    f.clock += 1;
    auto crash = f.crashes.find(function->name);
    if (crash != f.crashes.end())
      f.sticky = crash->second;
    else
      function->run(pointers.data());
  });
  return kSuccess;
}

Result cuGraphInstantiateWithFlags(GraphExec *exec, Graph graph, unsigned long long) {
  ENTER(cuGraphInstantiateWithFlags);
  *exec = new GraphExecTag{graph->work};
  return kSuccess;
}
Result cuGraphUpload(GraphExec, Stream) { return enter("cuGraphUpload"); }
Result cuGraphLaunch(GraphExec exec, Stream) {
  ENTER(cuGraphLaunch);
  for (const Work &work : exec->work)
    enqueue(work);
  return kSuccess;
}
Result cuGraphDestroy(Graph graph) {
  delete graph;
  return kSuccess;
}
Result cuGraphExecDestroy(GraphExec exec) {
  drain();
  delete exec;
  return kSuccess;
}

Result cuTensorMapEncodeTiled(TensorMap *map, int dataType, uint32_t rank, void *address,
                              const uint64_t *sizes, const uint64_t *strides, const uint32_t *box,
                              const uint32_t *steps, int interleave, int swizzle, int l2Promotion,
                              int outOfBounds) {
  ENTER(cuTensorMapEncodeTiled);
  FakeMap seen{dataType, address, {}, {}, {}, swizzle, l2Promotion};
  if (reinterpret_cast<uintptr_t>(address) % 16 || interleave || outOfBounds || rank < 1 ||
      rank > 5)
    return kInvalidValue;
  for (uint32_t i = 0; i < rank; ++i) {
    if (!sizes[i] || sizes[i] > uint64_t(1) << 32 || !box[i] || box[i] > 256 || steps[i] != 1)
      return kInvalidValue;
    if (i && (!strides[i - 1] || strides[i - 1] % 16))
      return kInvalidValue;
    seen.sizes.push_back(sizes[i]);
    seen.box.push_back(box[i]);
    if (i)
      seen.strides.push_back(strides[i - 1]);
  }
  std::memset(map, 0, sizeof *map);
  fake().log.maps.push_back(seen);
  return kSuccess;
}

} // namespace

extern "C" Result cuGetProcAddress_v2(const char *symbol, void **function, int, uint64_t, int *) {
  if (fake().lacks.count(symbol))
    return kNotFound;
#define FIND(name, ...)                                                                            \
  if (!std::strcmp(symbol, #name)) {                                                               \
    *function = reinterpret_cast<void *>(&name);                                                   \
    return kSuccess;                                                                               \
  }
  MOEC_CUDA_ENTRY_POINTS(FIND)
  return kNotFound;
}
// NOLINTEND(readability-identifier-naming)

void fakeCudaReset(const char *specification) {
  Fake &f = fake();
  for (auto [address, bytes] : f.allocations)
    std::free(host(address));
  for (void *memory : f.pinned)
    std::free(memory);
  instance = std::make_unique<Fake>();
  parse(*instance, specification);
}
const FakeLog *fakeCudaLog() { return &fake().log; }
size_t fakeCudaUsed() { return fake().used; }
