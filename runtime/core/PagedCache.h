// The KV cache: every layer is one buffer [pages * page_rows, row_width], cut
// into pages that sequences own. A page number means the same rows in every
// layer.
#pragma once

#include "runtime/device/Device.h"

#include <cstdint>
#include <vector>

namespace moec::rt {

/// Hands out page numbers [0, pages), lowest first while none was returned.
class PageAllocator {
public:
  explicit PageAllocator(uint32_t pages);
  uint32_t freePages() const { return uint32_t(free.size()); }
  uint32_t totalPages() const { return total; }
  /// There must be a free page.
  int32_t allocate();
  void release(int32_t page);

private:
  uint32_t total;
  std::vector<int32_t> free; // the last one goes next
  std::vector<bool> used;
};

class PagedCache {
public:
  /// Room for `pages` pages in every layer of `layout`.
  PagedCache(Device &device, const fb::CacheLayout &layout, uint32_t pages);

  static uint64_t bytes(const fb::CacheLayout &layout, uint32_t pages);

  PageAllocator &pages() { return allocator; }
  const PageAllocator &pages() const { return allocator; }
  BufferView layer(uint32_t index) const { return layers[index].view(); }
  uint32_t pageRows() const { return rows; }

private:
  PageAllocator allocator;
  uint32_t rows;
  std::vector<DeviceBuffer> layers;
};

} // namespace moec::rt
