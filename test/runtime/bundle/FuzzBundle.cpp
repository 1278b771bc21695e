// The verifier on arbitrary bytes, without checksums so that it digs deeper.
// The input is the manifest; header and segments are the toy bundle's, so that
// the mutations meet the checks behind the FlatBuffers verifier.
#include "runtime/bundle/Error.h"
#include "runtime/bundle/Format.h"
#include "runtime/bundle/Verify.h"
#include "test/runtime/toy/TestBundle.h"

#include <cstring>

using namespace moec::rt;

namespace {

test::Bytes &toyFile() {
  static test::Bytes file = test::assemble(test::toyParts());
  return file;
}

void verify(std::span<const uint8_t> file) {
  VerifyOptions unchecked;
  unchecked.headerChecksums = unchecked.codeChecksums = unchecked.weightChecksums = false;
  unchecked.threads = 1;
  try {
    verifyBundle(file, "fuzz", unchecked);
  } catch (const Error &) {
  }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  // As a whole file.
  test::Bytes whole(data, data + size);
  verify(whole);
  // As the toy bundle's manifest.
  test::Bytes file = toyFile();
  BundleHeader header;
  std::memcpy(&header, file.data(), sizeof header);
  file.resize(header.manifestOffset);
  file.insert(file.end(), data, data + size);
  header.fileBytes = file.size();
  header.manifestBytes = size;
  std::memcpy(file.data(), &header, sizeof header);
  verify(file);
  return 0;
}

// Every run starts with the toy bundle's own manifest in the corpus.
extern "C" size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t maxSize,
                                          unsigned seed);
extern "C" size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t maxSize);
extern "C" size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t maxSize,
                                          unsigned /*seed*/) {
  BundleHeader header;
  std::memcpy(&header, toyFile().data(), sizeof header);
  if (size < 16 && header.manifestBytes <= maxSize) {
    size = header.manifestBytes;
    std::memcpy(data, toyFile().data() + header.manifestOffset, size);
  }
  return LLVMFuzzerMutate(data, size, maxSize);
}
