// Maps the file read-only and shared: pages come from disk when they are first
// read, and processes that run the same bundle share them.
#include "runtime/bundle/BundleFile.h"

#include "runtime/bundle/Error.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace moec::rt {

BundleFile::BundleFile(const std::string &path, const VerifyOptions &options) : filePath(path) {
  struct stat info;
  if (::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode))
    filePath += path.ends_with('/') ? "rank-0.moeb" : "/rank-0.moeb";
  int fd = ::open(filePath.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    fail(ErrorKind::Io, "cannot open bundle '", filePath, "': ", std::strerror(errno));
  bool regular = ::fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
  size_t size = regular ? size_t(info.st_size) : 0;
  void *base = size ? ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
  int mapError = errno;
  ::close(fd);
  if (base == MAP_FAILED)
    fail(ErrorKind::Bundle, "bundle '", filePath, "': ",
         !regular ? "is not a regular file"
         : !size  ? "is empty"
                  : std::strerror(mapError));
  bytes = {static_cast<const uint8_t *>(base), size};
  try {
    root = verifyBundle(bytes, filePath, options);
  } catch (...) {
    ::munmap(base, size);
    throw;
  }
}

BundleFile::~BundleFile() { ::munmap(const_cast<uint8_t *>(bytes.data()), bytes.size()); }

std::span<const uint8_t> BundleFile::segment(uint32_t index) const {
  const fb::Segment &s = *root->segments()->Get(index);
  return bytes.subspan(s.offset(), s.size());
}

std::string_view BundleFile::textFile(std::string_view name) const {
  if (root->files())
    for (const fb::TextFile *file : *root->files())
      if (file->name()->string_view() == name)
        return file->text()->string_view();
  return {};
}

const fb::Entry *BundleFile::entry(std::string_view name) const {
  for (const fb::Entry *entry : *root->entries())
    if (entry->name()->string_view() == name)
      return entry;
  return nullptr;
}

} // namespace moec::rt
