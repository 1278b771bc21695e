#include "frontend/Errors.h"
#include "frontend/safetensors/SafeTensors.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/Endian.h"
#include <nlohmann/json.hpp>

using namespace llvm;
using namespace moec::frontend;

/// The header's JSON, padded with spaces so that the data begins at a multiple
/// of 8. `dataSize` gets the sum of all tensors' bytes.
static Expected<std::string> headerText(ArrayRef<SafeTensorsWriter::Entry> entries,
                                        const std::map<std::string, std::string> &metadata,
                                        StringRef path, uint64_t &dataSize) {
  nlohmann::ordered_json root = nlohmann::ordered_json::object();
  if (!metadata.empty())
    root["__metadata__"] = metadata;
  // An object with many names: ordered_json would search linearly at each.
  std::string text = root.dump();
  text.pop_back();
  StringSet<> names;
  for (const auto &entry : entries) {
    if (!names.insert(entry.name).second)
      return makeError("'{0}': tensor '{1}' is to be written twice", path, entry.name);
    auto size = byteSizeOf(entry.dtype, entry.shape);
    if (!size)
      return makeError("'{0}': tensor '{1}' has no valid size", path, entry.name);
    nlohmann::ordered_json value;
    value["dtype"] = dtypeName(entry.dtype).str();
    value["shape"] = std::vector<int64_t>(entry.shape.begin(), entry.shape.end());
    value["data_offsets"] = {dataSize, dataSize + *size};
    dataSize += *size;
    text += (text.size() > 1 ? "," : "") + nlohmann::ordered_json(entry.name).dump() + ":" +
            value.dump();
  }
  text += "}";
  text.resize((text.size() + 7) / 8 * 8, ' ');
  return text;
}

Expected<std::unique_ptr<SafeTensorsWriter>>
SafeTensorsWriter::create(StringRef path, std::vector<Entry> entries,
                          const std::map<std::string, std::string> &metadata) {
  std::vector<Entry> ordered;
  for (unsigned bits : {64, 32, 16, 8, 6, 4})
    llvm::copy_if(entries, std::back_inserter(ordered),
                  [&](const Entry &entry) { return bitsOf(entry.dtype) == bits; });
  std::unique_ptr<SafeTensorsWriter> writer(new SafeTensorsWriter);
  auto header = headerText(ordered, metadata, path, writer->missing);
  if (!header)
    return header.takeError();
  auto file = OutputFile::create(path);
  if (!file)
    return file.takeError();
  writer->path = path.str();
  writer->entries = std::move(ordered);
  writer->file = std::move(*file);
  uint8_t length[8];
  support::endian::write64le(length, header->size());
  if (Error error = writer->file->write(ArrayRef<uint8_t>(length)))
    return error;
  if (Error error = writer->file->write(StringRef(*header)))
    return error;
  return writer;
}

Error SafeTensorsWriter::append(ArrayRef<uint8_t> bytes) {
  if (bytes.size() > missing)
    return makeError("'{0}': {1} bytes more than the header promises", path,
                     bytes.size() - missing);
  missing -= bytes.size();
  return file->write(bytes);
}

Error SafeTensorsWriter::finish() {
  if (missing)
    return makeError("'{0}': {1} bytes fewer than the header promises", path, missing);
  return file->commit();
}
