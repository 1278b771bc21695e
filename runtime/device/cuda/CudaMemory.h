// Handles that free themselves: pinned host memory, events, device memory.
#pragma once

#include "runtime/device/cuda/CudaApi.h"

#include <cstddef>

namespace moec::rt::cuda {

/// Page-locked host memory: the GPU copies from and to it by itself.
class PinnedBuffer {
public:
  PinnedBuffer(size_t bytes, const std::string &purpose) {
    check(api().cuMemHostAlloc(&base, bytes, 0), "no page-locked host memory for ", bytes,
          " bytes of ", purpose);
  }
  ~PinnedBuffer() { api().cuMemFreeHost(base); }
  PinnedBuffer(const PinnedBuffer &) = delete;
  PinnedBuffer &operator=(const PinnedBuffer &) = delete;
  uint8_t *data() const { return static_cast<uint8_t *>(base); }

private:
  void *base = nullptr;
};

class EventHandle {
public:
  explicit EventHandle(unsigned flags) {
    check(api().cuEventCreate(&event, flags), "cannot create an event");
  }
  ~EventHandle() {
    if (event)
      api().cuEventDestroy(event);
  }
  EventHandle(EventHandle &&other) noexcept : event(other.event) { other.event = nullptr; }
  EventHandle(const EventHandle &) = delete;
  EventHandle &operator=(const EventHandle &) = delete;
  Event get() const { return event; }

private:
  Event event = nullptr;
};

class DeviceMemory {
public:
  DeviceMemory(size_t bytes, const std::string &purpose) {
    check(api().cuMemAlloc(&base, bytes), "no GPU memory for ", bytes, " bytes of ", purpose);
  }
  ~DeviceMemory() { api().cuMemFree(base); }
  DeviceMemory(const DeviceMemory &) = delete;
  DeviceMemory &operator=(const DeviceMemory &) = delete;
  DevicePtr get() const { return base; }

private:
  DevicePtr base = 0;
};

} // namespace moec::rt::cuda
