// Writes one bundle file (runtime/bundle/Format.h) as a stream: header page,
// segments at page borders, manifest last. The file has a temporary name until
// it is whole; a failure or a signal removes it. Memory does not depend on the
// file's size, and the same calls give the same bytes.
#pragma once

#include "runtime/bundle/Bundle_generated.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <memory>
#include <string>
#include <vector>

struct XXH3_state_s;

namespace moec::bundle {

class BundleWriter {
public:
  /// Creates `folder` when absent and in it `rank-<rank>.moeb.tmp-<pid>`.
  static llvm::Expected<std::unique_ptr<BundleWriter>> create(llvm::StringRef folder,
                                                              unsigned rank = 0);
  /// Fails when `folder` is there and is no folder, or cannot be written to.
  static llvm::Error checkFolder(llvm::StringRef folder);
  ~BundleWriter();
  BundleWriter(const BundleWriter &) = delete;
  BundleWriter &operator=(const BundleWriter &) = delete;

  /// The name the file will have.
  llvm::StringRef path() const { return finalPath; }

  /// Claims disk space for `bytes` more (the segments to come, roughly), so that
  /// a disk that is too small is found before hours of copying.
  llvm::Error reserve(uint64_t bytes);

  /// A segment is begun, appended to in pieces of any length, and ended, which
  /// gives its index in the manifest.
  void beginSegment();
  llvm::Error append(llvm::ArrayRef<uint8_t> bytes);
  uint32_t endSegment();
  llvm::Expected<uint32_t> addSegment(llvm::ArrayRef<uint8_t> bytes);

  llvm::ArrayRef<rt::fb::Segment> segments() const { return table; }
  uint64_t bytesWritten() const { return position; }

  /// Writes the manifest and the header, syncs, and gives the file its name.
  llvm::Error finish(llvm::ArrayRef<uint8_t> manifest);

private:
  BundleWriter() = default;
  llvm::Error put(llvm::ArrayRef<uint8_t> bytes);
  llvm::Error padToPage();
  llvm::Error writeHeader(llvm::ArrayRef<uint8_t> manifest, uint64_t manifestOffset);
  llvm::Error failure(llvm::StringRef action, int reason) const;

  std::string folder, finalPath, temporary;
  bool madeFolder = false;
  int fd = -1;
  uint64_t position = 0; // bytes written so far, at the file's end
  uint64_t wanted = 0;   // bytes reserved, for messages
  bool inSegment = false;
  uint64_t segmentStart = 0;
  XXH3_state_s *hash = nullptr;
  std::vector<rt::fb::Segment> table;
};

} // namespace moec::bundle
