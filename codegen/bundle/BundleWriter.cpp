#include "codegen/bundle/BundleWriter.h"

#include "frontend/Errors.h"
#include "runtime/bundle/Format.h"
#include "runtime/bundle/SchemaHash.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Signals.h"

#include <cassert>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>
#include <xxhash.h>

using namespace llvm;
using namespace moec::bundle;
using moec::frontend::makeError;
namespace rt = moec::rt;

static const uint8_t zeroPage[rt::kPageSize] = {};

static uint64_t toPage(uint64_t bytes) {
  return (bytes + rt::kPageSize - 1) / rt::kPageSize * rt::kPageSize;
}

Error BundleWriter::checkFolder(StringRef folder) {
  if (!sys::fs::exists(folder))
    return Error::success();
  if (!sys::fs::is_directory(folder))
    return makeError("'{0}' is not a folder; -o names the folder that the bundle is written to",
                     folder);
  if (std::error_code code = sys::fs::access(folder, sys::fs::AccessMode::Write))
    return makeError("cannot write to the folder '{0}': {1}", folder, code.message());
  return Error::success();
}

Expected<std::unique_ptr<BundleWriter>> BundleWriter::create(StringRef folder, unsigned rank) {
  std::unique_ptr<BundleWriter> writer(new BundleWriter);
  writer->folder = folder.str();
  SmallString<128> path(folder);
  sys::path::append(path, formatv("rank-{0}.moeb", rank).str());
  writer->finalPath = path.str().str();
  if (Error error = checkFolder(folder))
    return error;
  if (!sys::fs::exists(folder)) {
    if (std::error_code code = sys::fs::create_directories(folder))
      return makeError("cannot create the folder '{0}': {1}", folder, code.message());
    writer->madeFolder = true;
  }
  writer->temporary = formatv("{0}.tmp-{1}", writer->finalPath, ::getpid());
  writer->fd = ::open(writer->temporary.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (writer->fd < 0)
    return makeError("cannot write to the folder '{0}': {1}", folder, std::strerror(errno));
  sys::RemoveFileOnSignal(writer->temporary);
  // A file past the size limit is to be an error of write(), not a signal. After
  // the line above, which takes the signal over.
  std::signal(SIGXFSZ, SIG_IGN);
  writer->hash = XXH3_createState();
  if (Error error = writer->put(ArrayRef(zeroPage)))
    return error;
  return writer;
}

BundleWriter::~BundleWriter() {
  XXH3_freeState(hash);
  if (fd < 0)
    return;
  ::close(fd);
  ::unlink(temporary.c_str());
  sys::DontRemoveFileOnSignal(temporary);
  if (madeFolder)
    ::rmdir(folder.c_str());
}

/// The one error of writing; a full disk says how much is needed.
Error BundleWriter::failure(StringRef action, int reason) const {
  bool noRoom = reason == ENOSPC || reason == EFBIG || reason == EDQUOT;
  std::string room;
  if (noRoom)
    room = formatv("; the bundle needs {0} bytes", std::max(wanted, position));
  return makeError("cannot {0} '{1}': {2}{3}", action, finalPath, std::strerror(reason), room);
}

Error BundleWriter::reserve(uint64_t bytes) {
  wanted = position + bytes;
  if (::fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, wanted) != 0 &&
      (errno == ENOSPC || errno == EFBIG || errno == EDQUOT))
    return failure("write", errno);
  return Error::success(); // file systems without fallocate find out while writing
}

Error BundleWriter::put(ArrayRef<uint8_t> bytes) {
  while (!bytes.empty()) {
    ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return failure("write", errno);
    position += n;
    bytes = bytes.drop_front(n);
  }
  return Error::success();
}

Error BundleWriter::padToPage() {
  return put(ArrayRef(zeroPage).take_front(toPage(position) - position));
}

void BundleWriter::beginSegment() {
  assert(!inSegment && "segments do not nest");
  inSegment = true;
  segmentStart = toPage(position);
  XXH3_64bits_reset(hash);
}

Error BundleWriter::append(ArrayRef<uint8_t> bytes) {
  assert(inSegment && "append outside a segment");
  if (position < segmentStart)
    if (Error error = padToPage())
      return error;
  XXH3_64bits_update(hash, bytes.data(), bytes.size());
  return put(bytes);
}

uint32_t BundleWriter::endSegment() {
  assert(inSegment && position > segmentStart && "an empty segment");
  inSegment = false;
  table.emplace_back(segmentStart, position - segmentStart, XXH3_64bits_digest(hash));
  return table.size() - 1;
}

Expected<uint32_t> BundleWriter::addSegment(ArrayRef<uint8_t> bytes) {
  beginSegment();
  if (Error error = append(bytes))
    return error;
  return endSegment();
}

Error BundleWriter::writeHeader(ArrayRef<uint8_t> manifest, uint64_t manifestOffset) {
  rt::BundleHeader header = {};
  std::memcpy(header.magic, rt::kBundleMagic, sizeof header.magic);
  header.version = rt::kBundleVersion;
  header.schemaHash[0] = rt::kSchemaHash[0];
  header.schemaHash[1] = rt::kSchemaHash[1];
  header.fileBytes = position;
  header.manifestOffset = manifestOffset;
  header.manifestBytes = manifest.size();
  header.manifestChecksum = XXH3_64bits(manifest.data(), manifest.size());
  header.headerChecksum = XXH3_64bits(&header, offsetof(rt::BundleHeader, headerChecksum));
  if (::pwrite(fd, &header, sizeof header, 0) != ssize_t(sizeof header))
    return failure("write", errno);
  return Error::success();
}

Error BundleWriter::finish(ArrayRef<uint8_t> manifest) {
  assert(!inSegment && "a segment is still open");
  if (Error error = padToPage())
    return error;
  uint64_t manifestOffset = position;
  if (Error error = put(manifest))
    return error;
  if (Error error = writeHeader(manifest, manifestOffset))
    return error;
  // Gives back what was reserved past the end.
  if (::ftruncate(fd, position) != 0 || ::fsync(fd) != 0)
    return failure("finish", errno);
  if (::rename(temporary.c_str(), finalPath.c_str()) != 0)
    return failure("rename the finished", errno);
  sys::DontRemoveFileOnSignal(temporary);
  ::close(std::exchange(fd, -1));
  return Error::success();
}
