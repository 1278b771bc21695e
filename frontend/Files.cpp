#include "frontend/Files.h"
#include "frontend/Errors.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/ADT/StringExtras.h"
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace llvm;
using namespace moec::frontend;

/// Opens a regular file for reading; returns its descriptor and size.
static Expected<std::pair<int, uint64_t>> openRegular(StringRef path) {
  int fd = ::open(path.str().c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0)
    return makeError("cannot open '{0}': {1}", path, std::strerror(errno));
  struct stat status;
  if (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(fd);
    return makeError("'{0}' is not a regular file", path);
  }
  return std::pair<int, uint64_t>(fd, status.st_size);
}

Expected<std::unique_ptr<MappedFile>> MappedFile::open(StringRef path) {
  auto opened = openRegular(path);
  if (!opened)
    return opened.takeError();
  auto [fd, size] = *opened;
  scope_exit closeFd([fd = fd] { ::close(fd); });
  if (size == 0)
    return std::unique_ptr<MappedFile>(new MappedFile(nullptr, 0));
  void *data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
  if (data == MAP_FAILED)
    return makeError("cannot map '{0}' ({1} bytes): {2}", path, size, std::strerror(errno));
  return std::unique_ptr<MappedFile>(new MappedFile(static_cast<const uint8_t *>(data), size));
}

MappedFile::~MappedFile() {
  if (size)
    ::munmap(const_cast<uint8_t *>(data), size);
}

void MappedFile::dropPages(ArrayRef<uint8_t> range) const {
  size_t page = ::sysconf(_SC_PAGESIZE);
  size_t skipped = -reinterpret_cast<uintptr_t>(range.data()) % page; // to a page's begin
  if (range.size() < skipped + page)
    return;
  auto *begin = const_cast<uint8_t *>(range.data()) + skipped;
  ::madvise(begin, (range.size() - skipped) / page * page, MADV_DONTNEED);
}

Expected<std::string> moec::frontend::readTextFile(StringRef path, uint64_t limit) {
  auto opened = openRegular(path);
  if (!opened)
    return opened.takeError();
  auto [fd, size] = *opened;
  scope_exit closeFd([fd = fd] { ::close(fd); });
  if (size > limit)
    return makeError("'{0}' has {1} bytes; at most {2} are read", path, size, limit);
  std::string text(size, '\0');
  size_t done = 0;
  while (done < size) {
    ssize_t n = ::read(fd, text.data() + done, size - done);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return makeError("cannot read '{0}': {1}", path, std::strerror(errno));
    if (n == 0)
      return makeError("'{0}' was cut short while it was read", path);
    done += n;
  }
  return text;
}

Expected<std::unique_ptr<OutputFile>> OutputFile::create(StringRef path) {
  std::string temporary = path.str() + ".tmp-" + utostr(::getpid());
  int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd < 0)
    return makeError("cannot create '{0}': {1}", temporary, std::strerror(errno));
  return std::unique_ptr<OutputFile>(new OutputFile(path.str(), std::move(temporary), fd));
}

OutputFile::~OutputFile() {
  if (fd < 0)
    return;
  ::close(fd);
  ::unlink(temporary.c_str());
}

Error OutputFile::write(ArrayRef<uint8_t> bytes) {
  while (!bytes.empty()) {
    ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return makeError("cannot write '{0}': {1}", path, std::strerror(errno));
    bytes = bytes.drop_front(n);
  }
  return Error::success();
}

Error OutputFile::write(StringRef text) {
  return write(ArrayRef<uint8_t>(reinterpret_cast<const uint8_t *>(text.data()), text.size()));
}

Error OutputFile::commit() {
  int closing = std::exchange(fd, -1);
  if (::close(closing) != 0 || ::rename(temporary.c_str(), path.c_str()) != 0) {
    int reason = errno;
    ::unlink(temporary.c_str());
    return makeError("cannot finish '{0}': {1}", path, std::strerror(reason));
  }
  return Error::success();
}

Error moec::frontend::writeFile(StringRef path, StringRef contents) {
  auto file = OutputFile::create(path);
  if (!file)
    return file.takeError();
  if (Error error = (*file)->write(contents))
    return error;
  return (*file)->commit();
}
