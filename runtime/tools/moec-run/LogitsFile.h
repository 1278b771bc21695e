// A safetensors file with one float32 tensor `logits` [positions, vocab] that
// is written row by row. It appears under its name only when it is whole.
#pragma once

#include <cstdint>
#include <string>

namespace moec::rt {

class LogitsFile {
public:
  /// Opens a temporary file beside `path`. Throws Error(Io).
  LogitsFile(const std::string &path, uint32_t vocab);
  /// Removes the temporary file unless finish() was called.
  ~LogitsFile();
  LogitsFile(const LogitsFile &) = delete;
  LogitsFile &operator=(const LogitsFile &) = delete;

  /// `logits` is [rows, vocab].
  void append(const float *logits, uint64_t rows);
  /// Writes the header and moves the file to its name.
  void finish();

private:
  void write(const void *data, uint64_t bytes, uint64_t offset);
  [[noreturn]] void failWriting();

  std::string path, temporary;
  uint32_t vocab;
  uint64_t rows = 0;
  int fd = -1;
};

} // namespace moec::rt
