// Damaged files: every cut and every flipped byte is noticed, and nothing
// worse than an error happens when the checksums do not help.
#include "runtime/bundle/Format.h"
#include "runtime/bundle/Verify.h"
#include "test/runtime/toy/ExpectError.h"
#include "test/runtime/toy/TestBundle.h"

#include <cstring>

using namespace moec::rt;
using namespace moec::rt::test;

namespace {

bool refused(std::span<const uint8_t> file, const VerifyOptions &options = {}) {
  try {
    verifyBundle(file, "toy", options);
  } catch (const Error &error) {
    EXPECT_EQ(int(error.kind), int(ErrorKind::Bundle)) << error.what();
    return true;
  }
  return false;
}

template <typename Edit> Bytes withHeader(Edit edit, bool sealed = true) {
  Bytes file = assemble(toyParts());
  BundleHeader header;
  std::memcpy(&header, file.data(), sizeof header);
  edit(header);
  std::memcpy(file.data(), &header, sizeof header);
  if (sealed)
    reseal(file);
  return file;
}

#define EXPECT_HEADER_ERROR(edit, part)                                                            \
  EXPECT_RT_ERROR(verifyBundle(withHeader([](BundleHeader &h) { edit; }), "toy"), Bundle, part)

TEST(Damage, HeaderFields) {
  EXPECT_HEADER_ERROR(h.magic[3] = 'x', "this is no bundle");
  EXPECT_HEADER_ERROR(h.version = 7, "version 7 found, this runtime reads version 1");
  EXPECT_HEADER_ERROR(h.schemaHash[1] = 0xabc, "made with schema 0000000000000abc");
  EXPECT_HEADER_ERROR(h.schemaHash[0] = 1, "this runtime reads schema ");
  EXPECT_HEADER_ERROR(h.reserved = 1, "reserved field is 1");
  EXPECT_HEADER_ERROR(h.fileBytes += 1, "its header says");
  EXPECT_HEADER_ERROR(h.manifestOffset += 1, "does not end the file");
  EXPECT_HEADER_ERROR(h.manifestOffset = 0, "does not end the file");
  EXPECT_HEADER_ERROR(h.manifestOffset = ~0ull << 12, "does not end the file");
  EXPECT_HEADER_ERROR(h.manifestBytes = ~0ull, "does not end the file");
  EXPECT_RT_ERROR(
      verifyBundle(withHeader([](BundleHeader &h) { h.headerChecksum ^= 1; }, false), "toy"),
      Bundle, "header is damaged: checksum");
}

TEST(Damage, ManifestTooSmall) {
  Bytes file = assemble(toyParts());
  BundleHeader header;
  std::memcpy(&header, file.data(), sizeof header);
  file.resize(header.manifestOffset + 4);
  header.fileBytes = file.size();
  header.manifestBytes = 4;
  std::memcpy(file.data(), &header, sizeof header);
  reseal(file);
  EXPECT_RT_ERROR(verifyBundle(file, "toy"), Bundle, "manifest has 4 bytes");
}

TEST(Damage, ManifestGarbage) {
  Bytes file = assemble(toyParts());
  BundleHeader header;
  std::memcpy(&header, file.data(), sizeof header);
  std::memset(file.data() + header.manifestOffset, 0x5A, 64);
  reseal(file);
  EXPECT_RT_ERROR(verifyBundle(file, "toy"), Bundle, "manifest is not a well-formed FlatBuffer");
}

TEST(Damage, ShortFiles) {
  Bytes file = assemble(toyParts());
  for (size_t i = 0; i < 64; ++i)
    EXPECT_TRUE(refused(std::span(file).first(file.size() * i / 64))) << i;
  EXPECT_TRUE(refused(std::span(file).first(file.size() - 1)));
}

TEST(Damage, FlippedBytesInHeaderAndManifest) {
  Bytes file = assemble(toyParts());
  BundleHeader header;
  std::memcpy(&header, file.data(), sizeof header);
  VerifyOptions fast;
  fast.codeChecksums = fast.weightChecksums = false;
  for (size_t i = 0; i < file.size(); ++i) {
    if (i == kPageSize)
      i = header.manifestOffset;
    file[i] ^= 0x10;
    EXPECT_TRUE(refused(file, fast)) << "byte " << i;
    file[i] ^= 0x10;
  }
  EXPECT_FALSE(refused(file, fast));
}

TEST(Damage, FlippedBytesInSegmentsAndPadding) {
  Bytes file = assemble(toyParts());
  for (size_t i = kPageSize; i < file.size(); i += 509) {
    file[i] ^= 1;
    EXPECT_TRUE(refused(file)) << "byte " << i;
    file[i] ^= 1;
  }
}

TEST(Damage, WeightChecksumsCanBeLeftOut) {
  Bytes file = assemble(toyParts());
  BundleHeader header;
  std::memcpy(&header, file.data(), sizeof header);
  file[header.manifestOffset - 1] ^= 1; // the last byte of the last weight
  VerifyOptions options;
  EXPECT_TRUE(refused(file, options));
  options.weightChecksums = false;
  EXPECT_FALSE(refused(file, options));
}

// With checksums off, any manifest must end in an answer, not in a crash.
TEST(Damage, UncheckedManifestsNeverCrash) {
  const Bytes good = assemble(toyParts());
  BundleHeader header;
  std::memcpy(&header, good.data(), sizeof header);
  VerifyOptions unchecked;
  unchecked.headerChecksums = unchecked.codeChecksums = unchecked.weightChecksums = false;
  uint32_t state = 1;
  for (int round = 0; round < 3000; ++round) {
    Bytes file = good;
    for (int edits = 0; edits < 1 + round % 4; ++edits) {
      state = state * 1664525u + 1013904223u;
      size_t at = header.manifestOffset + (state >> 8) % header.manifestBytes;
      file[at] = uint8_t(state >> 3);
    }
    refused(file, unchecked);
  }
}

} // namespace
