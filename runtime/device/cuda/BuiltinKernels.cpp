#include "runtime/device/cuda/BuiltinKernels.h"

#include "runtime/device/cuda/BuiltinPtx.h"

namespace moec::rt::cuda {
namespace {
constexpr unsigned kThreads = 512;
constexpr unsigned kBlocksPerCore = 4; // 2048 threads
constexpr unsigned kReadsPerThread = 4;
} // namespace

BuiltinKernels::BuiltinKernels(const Gpu &gpu) : gpu(gpu) {
  blocks = kBlocksPerCore * unsigned(gpu.attribute(kMultiprocessors));
  check(api().cuModuleLoadDataEx(&module, kBuiltinPtx, 0, nullptr, nullptr),
        "the runtime's own kernels do not load on ", gpu.name());
  sums2 = find("moec_fill_sums_2");
  sums4 = find("moec_fill_sums_4");
  bytes1 = find("moec_fill_bytes_1");
  bytes4 = find("moec_fill_bytes_4");
  reading = find("moec_read");
}

BuiltinKernels::~BuiltinKernels() { api().cuModuleUnload(module); }

Function BuiltinKernels::find(const char *name) const {
  Function function = nullptr;
  check(api().cuModuleGetFunction(&function, module, name), "the runtime lacks its kernel ", name);
  return function;
}

void BuiltinKernels::launch(Function function, unsigned count, void **params) const {
  LaunchConfig config{{count, 1, 1}, {kThreads, 1, 1}, 0, gpu.stream, nullptr, 0};
  check(api().cuLaunchKernelEx(&config, function, params, nullptr),
        "cannot launch one of the runtime's own kernels");
}

void BuiltinKernels::fill(DevicePtr out, uint64_t elements, const FillTable &table, DevicePtr codes,
                          uint64_t key) const {
  const char *what = "cannot fill a weight";
  if (table.index() == FillTable::Index::Nothing) {
    uint32_t code = 0;
    std::copy(table.codes().begin(), table.codes().end(), reinterpret_cast<uint8_t *>(&code));
    if (table.codeBytes() == 4)
      check(api().cuMemsetD32Async(out, code, elements, gpu.stream), what);
    else if (table.codeBytes() == 2)
      check(api().cuMemsetD16Async(out, uint16_t(code), elements, gpu.stream), what);
    else
      check(api().cuMemsetD8Async(out, uint8_t(code), elements, gpu.stream), what);
    return;
  }
  bool bySum = table.index() == FillTable::Index::Sum;
  Function function = table.codeBytes() == 1   ? bytes1
                      : table.codeBytes() == 2 ? sums2
                      : bySum                  ? sums4
                                               : bytes4;
  uint64_t words = (elements + table.elementsPerWord() - 1) / table.elementsPerWord();
  uint64_t wanted = (words + kThreads - 1) / kThreads;
  void *params[] = {&out, &words, &key, &codes};
  launch(function, unsigned(std::min<uint64_t>(wanted, blocks)), params);
}

uint64_t BuiltinKernels::readUnit() const {
  return uint64_t(16) * kReadsPerThread * kThreads * blocks;
}

void BuiltinKernels::read(DevicePtr data, uint64_t bytes, DevicePtr sink) const {
  uint64_t vectors = bytes / readUnit() * (readUnit() / 16);
  void *params[] = {&data, &vectors, &sink};
  launch(reading, blocks, params);
}

} // namespace moec::rt::cuda
