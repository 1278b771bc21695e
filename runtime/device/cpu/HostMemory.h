// Large zeroed host buffers, on huge pages where the system has them.
#pragma once

#include <cstddef>
#include <string>

namespace moec::rt {

/// Zeroed, page-aligned, committed on first touch. `purpose` is for the error:
/// "no memory for 12 GiB of <purpose>". Throws Error(Capacity).
void *allocateHost(size_t bytes, const std::string &purpose);
void releaseHost(void *memory, size_t bytes);

} // namespace moec::rt
