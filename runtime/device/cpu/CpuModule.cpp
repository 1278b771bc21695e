#include "runtime/device/cpu/CpuModule.h"

#include "runtime/bundle/Error.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <dlfcn.h>
#include <sys/mman.h>
#include <unistd.h>

namespace moec::rt {
namespace {

/// A file without a name that holds `bytes`; the caller closes it.
int memoryFile(std::span<const uint8_t> bytes) {
  int fd = ::memfd_create("moec-image", MFD_CLOEXEC);
  while (fd >= 0 && !bytes.empty()) {
    ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR)
      continue;
    if (written <= 0) {
      int error = errno;
      ::close(fd);
      errno = error;
      return -1;
    }
    bytes = bytes.subspan(written);
  }
  return fd;
}

void *openImage(const BundleFile &bundle, uint32_t index) {
  const fb::Image &image = *bundle.manifest().images()->Get(index);
  int fd = memoryFile(bundle.segment(image.segment()));
  if (fd < 0)
    fail(ErrorKind::Internal, "bundle '", bundle.path(), "': cannot map images[", index,
         "]: ", std::strerror(errno));
  void *handle = ::dlopen(joined("/proc/self/fd/", fd).c_str(), RTLD_NOW | RTLD_LOCAL);
  // Taken before close() may overwrite it.
  std::string why = handle ? "" : ::dlerror();
  ::close(fd);
  if (!handle)
    fail(ErrorKind::Bundle, "bundle '", bundle.path(), "': images[", index,
         "] does not load: ", why, "; compile the bundle again");
  return handle;
}

} // namespace

CpuModule::CpuModule(const BundleFile &bundle) {
  const fb::Manifest &m = bundle.manifest();
  try {
    for (uint32_t i = 0; i < m.images()->size(); ++i)
      handles.push_back(openImage(bundle, i));
    for (const fb::Kernel *kernel : *m.kernels()) {
      void *address = ::dlsym(handles[kernel->image()], kernel->symbol()->c_str());
      if (!address)
        fail(ErrorKind::Bundle, "bundle '", bundle.path(), "': images[", kernel->image(),
             "] lacks kernel '", kernel->symbol()->str(), "'; compile the bundle again");
      kernels.push_back(reinterpret_cast<TileKernel>(address));
      workspace = std::max(workspace, kernel->workspace_bytes());
    }
  } catch (...) {
    close();
    throw;
  }
}

CpuModule::~CpuModule() { close(); }

void CpuModule::close() {
  for (void *handle : handles)
    ::dlclose(handle);
}

} // namespace moec::rt
