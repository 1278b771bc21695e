// Header, checksums, segments, weights and the model's sizes. The order
// matters: each step relies only on what the steps before it have proved.
#include "runtime/bundle/Verify.h"

#include "runtime/bundle/SchemaHash.h"
#include "runtime/bundle/VerifyContext.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstring>
#include <thread>
#include <unordered_set>
#include <vector>
#include <xxhash.h>

namespace moec::rt {

unsigned elementSize(fb::DType type) {
  switch (type) {
  case fb::DType::F32:
  case fb::DType::I32:
    return 4;
  case fb::DType::F16:
  case fb::DType::BF16:
    return 2;
  default:
    return 1;
  }
}

const char *dtypeName(fb::DType type) { return fb::EnumNameDType(type); }

namespace {

std::string hex(uint64_t value) {
  char buffer[17];
  std::snprintf(buffer, sizeof buffer, "%016llx", (unsigned long long)value);
  return buffer;
}

void verifyHeader(const VerifyContext &c, bool checksums) {
  const BundleHeader &h = c.header;
  if (std::memcmp(h.magic, kBundleMagic, sizeof h.magic) != 0)
    c.bad("this is no bundle: it does not start with 'MOECBNDL'");
  if (h.version != kBundleVersion)
    c.bad("version ", h.version, " found, this runtime reads version ", kBundleVersion);
  if (h.schemaHash[0] != kSchemaHash[0] || h.schemaHash[1] != kSchemaHash[1])
    c.bad("made with schema ", hex(h.schemaHash[1]), hex(h.schemaHash[0]),
          ", this runtime reads schema ", hex(kSchemaHash[1]), hex(kSchemaHash[0]));
  uint64_t sum = XXH3_64bits(&h, offsetof(BundleHeader, headerChecksum));
  if (checksums && sum != h.headerChecksum)
    c.bad("header is damaged: checksum ", hex(sum), ", expected ", hex(h.headerChecksum));
  if (h.reserved != 0)
    c.bad("header's reserved field is ", h.reserved, ", expected 0");
  const uint8_t *rest = c.file.data() + sizeof(BundleHeader);
  if (std::any_of(rest, c.file.data() + kPageSize, [](uint8_t b) { return b != 0; }))
    c.bad("header is damaged: its padding is not zero");
  if (h.fileBytes != c.file.size())
    c.bad("file has ", c.file.size(), " bytes, its header says ", h.fileBytes,
          " (is the copy complete?)");
  if (h.manifestOffset % kPageSize || h.manifestOffset < kPageSize ||
      h.manifestOffset > c.file.size() || h.manifestBytes != c.file.size() - h.manifestOffset)
    c.bad("manifest at ", h.manifestOffset, " with ", h.manifestBytes,
          " bytes does not end the file of ", c.file.size(), " bytes");
}

const fb::Manifest *verifyManifestBytes(const VerifyContext &c, bool checksums) {
  const uint8_t *data = c.file.data() + c.header.manifestOffset;
  size_t size = c.header.manifestBytes;
  if (checksums) {
    uint64_t sum = XXH3_64bits(data, size);
    if (sum != c.header.manifestChecksum)
      c.bad("manifest is damaged: checksum ", hex(sum), ", expected ",
            hex(c.header.manifestChecksum));
  }
  // Below 8 bytes there is no room for an identifier; 2 GiB is FlatBuffers'
  // bound.
  if (size < 8 || size >= FLATBUFFERS_MAX_BUFFER_SIZE)
    c.bad("manifest has ", size, " bytes");
  flatbuffers::Verifier verifier(data, size, 64, 10000000);
  if (!fb::VerifyManifestBuffer(verifier))
    c.bad("manifest is not a well-formed FlatBuffer");
  return fb::GetManifest(data);
}

void verifyModel(const VerifyContext &c) {
  const fb::Manifest &m = *c.manifest;
  constexpr uint32_t kBound = 1u << 30; // keeps later products within 63 bits
  auto positive = [&](uint32_t value, const char *what) {
    if (value == 0 || value > kBound)
      c.bad(what, " is ", value, ", expected 1 to ", kBound);
  };
  positive(m.vocab_size(), "vocab_size");
  positive(m.max_batch(), "max_batch");
  positive(m.max_context(), "max_context");
  positive(m.pages_per_sequence(), "pages_per_sequence");
  if (m.world_size() == 0 || m.rank() >= m.world_size())
    c.bad("rank ", m.rank(), " of a world of ", m.world_size());
  const fb::CacheLayout &cache = *m.cache();
  positive(cache.layers(), "cache.layers");
  positive(cache.row_width(), "cache.row_width");
  positive(cache.page_rows(), "cache.page_rows");
  if (cache.dtype() > fb::DType::MAX)
    c.bad("cache.dtype is ", unsigned(cache.dtype()));
  if (uint64_t(m.pages_per_sequence()) * cache.page_rows() < m.max_context())
    c.bad("pages_per_sequence ", m.pages_per_sequence(), " of ", cache.page_rows(),
          " rows cannot hold max_context ", m.max_context());
  uint64_t rows = checkedMul(c, uint64_t(m.pages_per_sequence()) * cache.page_rows(), m.max_batch(),
                             "the cache's row count");
  checkedMul(c, checkedMul(c, rows, cache.row_width(), "the cache's size"),
             uint64_t(4) * cache.layers(), "the cache's size");
}

/// No byte of the file is outside the header, a segment, the manifest or zero
/// padding. `ranges`: (offset, index) of the segments in file order.
void verifyPadding(const VerifyContext &c,
                   const std::vector<std::pair<uint64_t, uint64_t>> &ranges) {
  uint64_t end = kPageSize;
  auto gap = [&](uint64_t begin) {
    auto first = c.file.begin() + end, last = c.file.begin() + begin;
    auto stray = std::find_if(first, last, [](uint8_t b) { return b != 0; });
    if (stray != last)
      c.bad("padding is damaged: byte ", stray - c.file.begin(), " is not zero");
  };
  for (auto [offset, index] : ranges) {
    gap(offset);
    end = offset + c.manifest->segments()->Get(index)->size();
  }
  gap(c.header.manifestOffset);
}

void verifySegments(const VerifyContext &c) {
  const auto &segments = *c.manifest->segments();
  std::vector<std::pair<uint64_t, uint64_t>> ranges; // offset, index
  for (unsigned i = 0; i < segments.size(); ++i) {
    const fb::Segment &s = *segments.Get(i);
    if (s.offset() % kPageSize || s.offset() < kPageSize)
      c.bad("segments[", i, "] offset ", s.offset(), " is not a positive multiple of ", kPageSize);
    if (s.size() == 0 || !fits(s.offset(), s.size(), c.header.manifestOffset))
      c.bad("segments[", i, "] at ", s.offset(), " with ", s.size(),
            " bytes does not lie before the manifest at ", c.header.manifestOffset);
    ranges.emplace_back(s.offset(), i);
  }
  std::sort(ranges.begin(), ranges.end());
  for (size_t i = 1; i < ranges.size(); ++i) {
    const fb::Segment &before = *segments.Get(ranges[i - 1].second);
    if (before.offset() + before.size() > ranges[i].first)
      c.bad("segments[", ranges[i - 1].second, "] and segments[", ranges[i].second, "] overlap");
  }
  verifyPadding(c, ranges);
}

void verifyWeightStorage(const VerifyContext &c, const fb::Weight &w, const std::string &what) {
  const fb::Manifest &m = *c.manifest;
  if (w.fill() > fb::FillKind::MAX)
    c.bad(what, " has fill kind ", unsigned(w.fill()));
  if (w.fill() != fb::FillKind::None &&
      !(std::abs(w.fill_scale()) <= 1e30f)) // false for NaN as well
    c.bad(what, " has fill_scale ", w.fill_scale());
  if (w.segment() < -1 || w.segment() >= int64_t(m.segments()->size()))
    c.bad(what, " names segment ", w.segment(), " of ", m.segments()->size());
  if (w.segment() >= 0) {
    uint64_t size = m.segments()->Get(w.segment())->size();
    if (size != w.bytes())
      c.bad(what, " has ", w.bytes(), " bytes, its segment ", size);
    if (w.fill() != fb::FillKind::None)
      c.bad(what, " has both a segment and a fill");
  } else if (w.fill() == fb::FillKind::None && m.weights_present()) {
    c.bad(what, " has neither a segment nor a fill");
  }
}

void verifyWeights(const VerifyContext &c) {
  std::unordered_set<std::string_view> names;
  const auto &weights = *c.manifest->weights();
  for (unsigned i = 0; i < weights.size(); ++i) {
    const fb::Weight &w = *weights.Get(i);
    std::string what = joined("weights[", i, "] '", w.name()->str(), "'");
    if (w.name()->size() == 0 || !names.insert(w.name()->string_view()).second)
      c.bad(what, " has an empty or repeated name");
    if (w.dtype() > fb::DType::MAX)
      c.bad(what, " has dtype ", unsigned(w.dtype()));
    uint64_t elements = 1;
    for (uint64_t extent : *w.shape())
      elements = checkedMul(c, elements, extent, what + " size");
    uint64_t bytes = checkedMul(c, elements, elementSize(w.dtype()), what + " size");
    if (bytes == 0)
      c.bad(what, " is empty");
    if (bytes != w.bytes())
      c.bad(what, " says ", w.bytes(), " bytes, its shape and dtype give ", bytes);
    verifyWeightStorage(c, w, what);
  }
}

void verifyTexts(const VerifyContext &c) {
  if (!c.manifest->files())
    return;
  std::unordered_set<std::string_view> names;
  for (const fb::TextFile *file : *c.manifest->files())
    if (!names.insert(file->name()->string_view()).second)
      c.bad("file '", file->name()->str(), "' is there twice");
}

/// Every segment belongs to one image or one weight.
std::vector<std::string> segmentOwners(const VerifyContext &c) {
  const fb::Manifest &m = *c.manifest;
  std::vector<std::string> owners(m.segments()->size());
  auto claim = [&](int64_t segment, const std::string &owner) {
    if (!owners[segment].empty())
      c.bad("segments[", segment, "] belongs to ", owners[segment], " and to ", owner);
    owners[segment] = owner;
  };
  for (unsigned i = 0; i < m.images()->size(); ++i)
    claim(m.images()->Get(i)->segment(), joined("images[", i, "]"));
  for (const fb::Weight *w : *m.weights())
    if (w->segment() >= 0)
      claim(w->segment(), joined("weight '", w->name()->str(), "'"));
  for (unsigned i = 0; i < owners.size(); ++i)
    if (owners[i].empty())
      c.bad("segments[", i, "] belongs to nothing");
  return owners;
}

/// Largest segments first, so that threads end at about the same time.
void verifySegmentChecksums(const VerifyContext &c, const VerifyOptions &o,
                            const std::vector<std::string> &owners) {
  const auto &segments = *c.manifest->segments();
  std::vector<unsigned> wanted;
  for (unsigned i = 0; i < segments.size(); ++i)
    if (owners[i].starts_with("images") ? o.codeChecksums : o.weightChecksums)
      wanted.push_back(i);
  std::sort(wanted.begin(), wanted.end(), [&](unsigned a, unsigned b) {
    return segments.Get(a)->size() > segments.Get(b)->size();
  });
  std::atomic<size_t> next{0};
  std::atomic<unsigned> worst{~0u}; // smallest index of a damaged segment
  auto work = [&] {
    for (size_t i; (i = next++) < wanted.size();) {
      const fb::Segment &s = *segments.Get(wanted[i]);
      if (XXH3_64bits(c.file.data() + s.offset(), s.size()) == s.checksum())
        continue;
      unsigned seen = worst;
      while (wanted[i] < seen && !worst.compare_exchange_weak(seen, wanted[i]))
        ;
    }
  };
  unsigned threads = o.threads ? o.threads : std::thread::hardware_concurrency();
  threads = std::min<size_t>(std::max(threads, 1u), wanted.size());
  std::vector<std::jthread> helpers;
  for (unsigned i = 1; i < threads; ++i)
    helpers.emplace_back(work);
  work();
  helpers.clear();
  if (worst != ~0u)
    c.bad("segments[", worst.load(), "], ", owners[worst],
          ", is damaged: its checksum does not match");
}

} // namespace

const fb::Manifest *verifyBundle(std::span<const uint8_t> file, const std::string &name,
                                 const VerifyOptions &options) {
  BundleHeader header{};
  VerifyContext c{file, name, header};
  if (file.size() < kPageSize)
    c.bad("file has ", file.size(), " bytes, a header alone has ", kPageSize);
  std::memcpy(&header, file.data(), sizeof header);
  verifyHeader(c, options.headerChecksums);
  c.manifest = verifyManifestBytes(c, options.headerChecksums);
  verifyModel(c);
  verifySegments(c);
  verifyWeights(c);
  verifyPrograms(c);
  verifyTexts(c);
  verifySegmentChecksums(c, options, segmentOwners(c));
  return c.manifest;
}

} // namespace moec::rt
