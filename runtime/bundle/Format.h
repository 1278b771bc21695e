// The bytes around a bundle's manifest, shared by the writer and the runtime.
//
//   [0, 4096)          Header, zero padded
//   4096 ...           segments, each at a multiple of kPageSize
//   manifest_offset    the FlatBuffers manifest (Bundle.fbs), to the end of the file
//
// All integers are little-endian. The manifest comes last because the
// checksums in it are known only when the segments have been streamed out.
#pragma once

#include <cstdint>

namespace moec::rt {

inline constexpr char kBundleMagic[8] = {'M', 'O', 'E', 'C', 'B', 'N', 'D', 'L'};
inline constexpr uint32_t kBundleVersion = 1;
inline constexpr uint64_t kPageSize = 4096;
/// Size of the counters that launches share.
inline constexpr uint64_t kCounterBytes = 1024;

/// The entry that a bundle need not have, what it reads for each row (TokenChoice), and its output.
inline constexpr char kSampleEntry[] = "sample";
inline constexpr uint64_t kSamplingRowBytes = 16;
inline constexpr uint32_t kLogitsOutput = 0, kTokensOutput = 1;

// Limits of a launch that hold on every GPU of a vendor; one may allow less.
inline constexpr uint32_t kMaxBlockThreads = 1024;
inline constexpr uint32_t kMaxSharedBytes = 227 << 10; // CUDA
inline constexpr uint32_t kMaxGroupBytes = 160 << 10;  // HIP
inline constexpr uint32_t kMaxCluster = 16;
inline constexpr uint32_t kMaxParameterBytes = 4096;
inline constexpr uint64_t kMaxGridBlocks = (uint64_t(1) << 31) - 1;
inline constexpr uint32_t kTensorMapBytes = 128;

struct BundleHeader {
  char magic[8];           // kBundleMagic
  uint32_t version;        // kBundleVersion
  uint32_t reserved;       // zero
  uint64_t schemaHash[2];  // XXH3-128 (low, high) of Bundle.fbs's text
  uint64_t fileBytes;      // size of the whole file
  uint64_t manifestOffset; // multiple of kPageSize
  uint64_t manifestBytes;
  uint64_t manifestChecksum; // XXH3-64 of the manifest
  uint64_t headerChecksum;   // XXH3-64 of the header's bytes before this field
};
static_assert(sizeof(BundleHeader) == 72);

} // namespace moec::rt
