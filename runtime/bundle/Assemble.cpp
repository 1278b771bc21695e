#include "runtime/bundle/Assemble.h"

#include "runtime/bundle/Format.h"
#include "runtime/bundle/SchemaHash.h"

#include <cstddef>
#include <cstring>
#include <xxhash.h>

using namespace moec::rt;

static uint64_t pageUp(uint64_t bytes) { return (bytes + kPageSize - 1) / kPageSize * kPageSize; }

void moec::rt::reseal(std::vector<uint8_t> &file) {
  BundleHeader header;
  std::memcpy(&header, file.data(), sizeof header);
  if (header.manifestOffset <= file.size() &&
      header.manifestBytes <= file.size() - header.manifestOffset)
    header.manifestChecksum =
        XXH3_64bits(file.data() + header.manifestOffset, header.manifestBytes);
  header.headerChecksum = XXH3_64bits(&header, offsetof(BundleHeader, headerChecksum));
  std::memcpy(file.data(), &header, sizeof header);
}

std::vector<uint8_t> moec::rt::assemble(BundleParts parts,
                                        const std::function<void(fb::ManifestT &)> &edit) {
  std::vector<uint8_t> file(kPageSize);
  for (const std::vector<uint8_t> &segment : parts.segments) {
    parts.manifest.segments.emplace_back(file.size(), segment.size(),
                                         XXH3_64bits(segment.data(), segment.size()));
    file.insert(file.end(), segment.begin(), segment.end());
    file.resize(pageUp(file.size()));
  }
  if (edit)
    edit(parts.manifest);
  flatbuffers::FlatBufferBuilder builder;
  fb::FinishManifestBuffer(builder, fb::Manifest::Pack(builder, &parts.manifest));
  BundleHeader header{};
  std::memcpy(header.magic, kBundleMagic, sizeof header.magic);
  header.version = kBundleVersion;
  std::memcpy(header.schemaHash, kSchemaHash, sizeof header.schemaHash);
  header.manifestOffset = file.size();
  header.manifestBytes = builder.GetSize();
  file.insert(file.end(), builder.GetBufferPointer(),
              builder.GetBufferPointer() + builder.GetSize());
  header.fileBytes = file.size();
  std::memcpy(file.data(), &header, sizeof header);
  reseal(file);
  return file;
}
