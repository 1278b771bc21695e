#include "runtime/core/PagedCache.h"

#include "runtime/bundle/Error.h"

namespace moec::rt {

PageAllocator::PageAllocator(uint32_t pages) : total(pages), used(pages) {
  for (uint32_t page = pages; page-- > 0;)
    free.push_back(int32_t(page));
}

int32_t PageAllocator::allocate() {
  if (free.empty())
    fail(ErrorKind::Internal, "no free cache page of ", total);
  int32_t page = free.back();
  free.pop_back();
  used[page] = true;
  return page;
}

void PageAllocator::release(int32_t page) {
  if (page < 0 || uint32_t(page) >= total || !used[page])
    fail(ErrorKind::Internal, "cache page ", page, " is not in use");
  used[page] = false;
  free.push_back(page);
}

static uint64_t layerBytes(const fb::CacheLayout &layout, uint32_t pages) {
  return uint64_t(pages) * layout.page_rows() * layout.row_width() * elementSize(layout.dtype());
}

uint64_t PagedCache::bytes(const fb::CacheLayout &layout, uint32_t pages) {
  return layout.layers() * layerBytes(layout, pages);
}

PagedCache::PagedCache(Device &device, const fb::CacheLayout &layout, uint32_t pages)
    : allocator(pages), rows(layout.page_rows()) {
  for (uint32_t i = 0; i < layout.layers(); ++i)
    layers.emplace_back(device, layerBytes(layout, pages),
                        joined("KV cache of layer ", i, " (", pages, " pages in each of ",
                               layout.layers(), " layers)"));
}

} // namespace moec::rt
