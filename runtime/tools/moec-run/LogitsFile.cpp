// The header's length does not depend on the number of rows: it is padded with
// spaces, as the format allows, and written last.
#include "runtime/tools/moec-run/LogitsFile.h"

#include "runtime/bundle/Error.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

namespace moec::rt {

static constexpr uint64_t kHeaderBytes = 256; // with its 8-byte length

LogitsFile::LogitsFile(const std::string &path, uint32_t vocab)
    : path(path), temporary(joined(path, ".tmp-", ::getpid())), vocab(vocab) {
  fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd < 0)
    failWriting();
}

LogitsFile::~LogitsFile() {
  if (fd < 0)
    return;
  ::close(fd);
  ::unlink(temporary.c_str());
}

void LogitsFile::failWriting() {
  fail(ErrorKind::Io, "cannot write logits to '", path, "': ", std::strerror(errno));
}

void LogitsFile::write(const void *data, uint64_t bytes, uint64_t offset) {
  auto *from = static_cast<const char *>(data);
  while (bytes) {
    ssize_t written = ::pwrite(fd, from, bytes, off_t(offset));
    if (written < 0 && errno == EINTR)
      continue;
    if (written <= 0)
      failWriting();
    from += written;
    offset += uint64_t(written);
    bytes -= uint64_t(written);
  }
}

void LogitsFile::append(const float *logits, uint64_t count) {
  uint64_t rowBytes = uint64_t(vocab) * sizeof(float);
  write(logits, count * rowBytes, kHeaderBytes + rows * rowBytes);
  rows += count;
}

void LogitsFile::finish() {
  std::string header = joined("{\"logits\":{\"dtype\":\"F32\",\"shape\":[", rows, ",", vocab,
                              "],\"data_offsets\":[0,", rows * vocab * sizeof(float), "]}}");
  header.resize(kHeaderBytes - 8, ' ');
  uint64_t length = header.size(); // little-endian, as the host is
  write(&length, 8, 0);
  write(header.data(), header.size(), 8);
  int closed = ::close(fd);
  fd = -1;
  if (closed != 0 || ::rename(temporary.c_str(), path.c_str()) != 0) {
    int error = errno;
    ::unlink(temporary.c_str());
    errno = error;
    failWriting();
  }
}

} // namespace moec::rt
