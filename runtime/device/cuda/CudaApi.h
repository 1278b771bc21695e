// The part of the CUDA driver API that the runtime uses, declared here so that
// building needs no CUDA toolkit, and found at run time so that running without
// a GPU needs no driver. Names and values are the driver's ABI as of CUDA 12.0.
#pragma once

#include "runtime/bundle/Error.h"

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace moec::rt::cuda {

using Result = int;
using DeviceHandle = int;
using DevicePtr = uint64_t;
using Context = struct ContextTag *;
using Module = struct ModuleTag *;
using Function = struct FunctionTag *;
using Stream = struct StreamTag *;
using Event = struct EventTag *;
using Graph = struct GraphTag *;
using GraphExec = struct GraphExecTag *;

// Results that are told apart.
inline constexpr Result kSuccess = 0, kOutOfMemory = 2, kNoDevice = 100;

// Device attributes.
inline constexpr int kMultiprocessors = 16, kL2Bytes = 38, kComputeMajor = 75, kComputeMinor = 76,
                     kMaxSharedBytesOptin = 97;
// Function attributes.
inline constexpr int kFunctionMaxThreads = 0, kFunctionMaxDynamicShared = 8,
                     kFunctionNonPortableCluster = 14;
// Options of loading a module.
inline constexpr int kJitErrorLog = 5, kJitErrorLogBytes = 6;
// Flags.
inline constexpr unsigned kStreamNonBlocking = 1, kEventDefault = 0, kEventNoTiming = 2,
                          kEventRecordExternal = 1;
inline constexpr int kCaptureThreadLocal = 1;
// Launch attributes.
inline constexpr int kAttributeCluster = 4, kAttributeEarlyLaunch = 6;

struct LaunchAttribute {
  int id;
  char pad[4];
  union {
    unsigned cluster[3]; // x, y, z
    int earlyLaunch;
    char bytes[64];
  };
};

struct LaunchConfig {
  unsigned grid[3], block[3];
  unsigned sharedBytes;
  Stream stream;
  LaunchAttribute *attributes;
  unsigned numAttributes;
};

/// A tensor map, opaque but to the driver and the copy engine.
struct alignas(128) TensorMap {
  uint64_t words[16];
};

/// Name and type of every entry point.
#define MOEC_CUDA_ENTRY_POINTS(X)                                                                  \
  X(cuInit, Result(unsigned flags))                                                                \
  X(cuDriverGetVersion, Result(int *version))                                                      \
  X(cuGetErrorString, Result(Result, const char **text))                                           \
  X(cuDeviceGetCount, Result(int *count))                                                          \
  X(cuDeviceGet, Result(DeviceHandle *, int index))                                                \
  X(cuDeviceGetName, Result(char *name, int capacity, DeviceHandle))                               \
  X(cuDeviceGetAttribute, Result(int *value, int attribute, DeviceHandle))                         \
  X(cuDevicePrimaryCtxRetain, Result(Context *, DeviceHandle))                                     \
  X(cuDevicePrimaryCtxRelease, Result(DeviceHandle))                                               \
  X(cuCtxSetCurrent, Result(Context))                                                              \
  X(cuMemGetInfo, Result(size_t *free, size_t *total))                                             \
  X(cuMemAlloc, Result(DevicePtr *, size_t bytes))                                                 \
  X(cuMemFree, Result(DevicePtr))                                                                  \
  X(cuMemHostAlloc, Result(void **, size_t bytes, unsigned flags))                                 \
  X(cuMemFreeHost, Result(void *))                                                                 \
  X(cuMemcpyHtoDAsync, Result(DevicePtr, const void *, size_t bytes, Stream))                      \
  X(cuMemcpyDtoHAsync, Result(void *, DevicePtr, size_t bytes, Stream))                            \
  X(cuMemsetD8Async, Result(DevicePtr, unsigned char, size_t count, Stream))                       \
  X(cuMemsetD16Async, Result(DevicePtr, unsigned short, size_t count, Stream))                     \
  X(cuMemsetD32Async, Result(DevicePtr, unsigned, size_t count, Stream))                           \
  X(cuStreamCreate, Result(Stream *, unsigned flags))                                              \
  X(cuStreamDestroy, Result(Stream))                                                               \
  X(cuStreamSynchronize, Result(Stream))                                                           \
  X(cuStreamBeginCapture, Result(Stream, int mode))                                                \
  X(cuStreamEndCapture, Result(Stream, Graph *))                                                   \
  X(cuEventCreate, Result(Event *, unsigned flags))                                                \
  X(cuEventDestroy, Result(Event))                                                                 \
  X(cuEventRecord, Result(Event, Stream))                                                          \
  X(cuEventRecordWithFlags, Result(Event, Stream, unsigned flags))                                 \
  X(cuEventSynchronize, Result(Event))                                                             \
  X(cuEventElapsedTime, Result(float *milliseconds, Event start, Event end))                       \
  X(cuModuleLoadDataEx,                                                                            \
    Result(Module *, const void *image, unsigned options, int *names, void **values))              \
  X(cuModuleUnload, Result(Module))                                                                \
  X(cuModuleGetFunction, Result(Function *, Module, const char *name))                             \
  X(cuFuncGetAttribute, Result(int *value, int attribute, Function))                               \
  X(cuFuncSetAttribute, Result(Function, int attribute, int value))                                \
  X(cuOccupancyMaxActiveBlocksPerMultiprocessor,                                                   \
    Result(int *blocks, Function, int threads, size_t sharedBytes))                                \
  X(cuLaunchKernelEx, Result(const LaunchConfig *, Function, void **params, void **extra))         \
  X(cuGraphInstantiateWithFlags, Result(GraphExec *, Graph, unsigned long long flags))             \
  X(cuGraphUpload, Result(GraphExec, Stream))                                                      \
  X(cuGraphLaunch, Result(GraphExec, Stream))                                                      \
  X(cuGraphDestroy, Result(Graph))                                                                 \
  X(cuGraphExecDestroy, Result(GraphExec))                                                         \
  X(cuTensorMapEncodeTiled,                                                                        \
    Result(TensorMap *, int dataType, uint32_t rank, void *address, const uint64_t *sizes,         \
           const uint64_t *strides, const uint32_t *box, const uint32_t *elementStrides,           \
           int interleave, int swizzle, int l2Promotion, int outOfBounds))

struct Api {
#define MOEC_CUDA_MEMBER(name, ...) std::add_pointer_t<__VA_ARGS__> name = nullptr;
  MOEC_CUDA_ENTRY_POINTS(MOEC_CUDA_MEMBER)
#undef MOEC_CUDA_MEMBER
};

/// The driver's entry points; opens the driver the first time. Throws
/// Error(Target) when there is none or it is too old.
const Api &api();

// Device.h speaks of addresses as pointers, the driver as integers.
inline DevicePtr addressOf(const void *memory) { return reinterpret_cast<DevicePtr>(memory); }
inline void *pointerTo(DevicePtr address) {
  return reinterpret_cast<void *>(address); // NOLINT(performance-no-int-to-ptr)
}

/// "CUDA error 700 (an illegal memory access was encountered)"
std::string errorText(Result result);

/// Throws unless `result` is success: "<parts>: <errorText>".
template <typename... Ts> void check(Result result, const Ts &...parts) {
  if (result != kSuccess)
    fail(result == kOutOfMemory ? ErrorKind::Capacity : ErrorKind::Internal, parts..., ": ",
         errorText(result));
}

} // namespace moec::rt::cuda
