// Files of the world outside, opened with suspicion: only regular files are
// read (a pipe would block, a device would not end) and none is believed to be
// small. Output goes to a temporary name beside its place and is renamed when
// whole, so that a crash or a full disk leaves nothing half-written behind.
#pragma once

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <cstdint>
#include <memory>
#include <string>

namespace moec::frontend {

/// A whole file mapped read-only. The mapping lives as long as the object.
class MappedFile {
public:
  static llvm::Expected<std::unique_ptr<MappedFile>> open(llvm::StringRef path);
  ~MappedFile();
  MappedFile(const MappedFile &) = delete;
  MappedFile &operator=(const MappedFile &) = delete;

  llvm::ArrayRef<uint8_t> bytes() const { return {data, size}; }

  /// Gives the pages that lie wholly inside `range` (a part of bytes()) back
  /// to the system; they are read again when touched. Keeps the resident size
  /// bounded while a large file streams through.
  void dropPages(llvm::ArrayRef<uint8_t> range) const;

private:
  MappedFile(const uint8_t *data, size_t size) : data(data), size(size) {}
  const uint8_t *data;
  size_t size;
};

/// Reads a text file of at most `limit` bytes.
llvm::Expected<std::string> readTextFile(llvm::StringRef path, uint64_t limit);

/// A file that appears under its name only when `commit` succeeds.
class OutputFile {
public:
  static llvm::Expected<std::unique_ptr<OutputFile>> create(llvm::StringRef path);
  ~OutputFile(); // removes the temporary file unless committed
  OutputFile(const OutputFile &) = delete;
  OutputFile &operator=(const OutputFile &) = delete;

  llvm::Error write(llvm::ArrayRef<uint8_t> bytes);
  llvm::Error write(llvm::StringRef text);
  llvm::Error commit();

private:
  OutputFile(std::string path, std::string temporary, int fd)
      : path(std::move(path)), temporary(std::move(temporary)), fd(fd) {}
  std::string path, temporary;
  int fd;
};

/// Writes `contents` as the file `path`, whole or not at all.
llvm::Error writeFile(llvm::StringRef path, llvm::StringRef contents);

} // namespace moec::frontend
