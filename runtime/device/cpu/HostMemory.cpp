#include "runtime/device/cpu/HostMemory.h"

#include "runtime/bundle/Error.h"

#include <algorithm>
#include <cstring>
#include <sys/mman.h>

namespace moec::rt {

void *allocateHost(size_t bytes, const std::string &purpose) {
  bytes = std::max<size_t>(bytes, 1);
  void *memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED)
    fail(ErrorKind::Capacity, "no memory for ", bytes, " bytes of ", purpose);
  if (bytes >= 2u << 20)
    ::madvise(memory, bytes, MADV_HUGEPAGE); // a wish, not a need
  return memory;
}

void releaseHost(void *memory, size_t bytes) { ::munmap(memory, std::max<size_t>(bytes, 1)); }

} // namespace moec::rt
