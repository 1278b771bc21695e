// The note NT_AMDGPU_METADATA is MessagePack; its map has "amdhsa.kernels" (LLVM's "User Guide for
// AMDGPU Backend", Code Object Metadata).
#include "codegen/target/amd/CodeObject.h"

#include "llvm/BinaryFormat/ELF.h"
#include "llvm/BinaryFormat/MsgPackDocument.h"
#include "llvm/Object/ELFObjectFile.h"

using namespace llvm;
using namespace moec::codegen;
using Elf = object::ELF64LE;

/// The descriptor of the note; empty when there is none.
static Expected<std::string> findMetadata(const object::ELFFile<Elf> &file) {
  auto headers = file.program_headers();
  if (!headers)
    return headers.takeError();
  std::string found;
  for (const auto &header : *headers) {
    if (header.p_type != ELF::PT_NOTE)
      continue;
    Error error = Error::success();
    for (const auto &note : file.notes(header, error))
      if (note.getName() == "AMDGPU" && note.getType() == ELF::NT_AMDGPU_METADATA)
        found = note.getDescAsStringRef(header.p_align).str();
    if (error)
      return error;
  }
  return found;
}

static uint64_t getNumber(msgpack::MapDocNode &kernel, StringRef key) {
  auto found = kernel.find(key);
  return found != kernel.end() && found->second.getKind() == msgpack::Type::UInt
             ? found->second.getUInt()
             : 0;
}

static CodeObjectReport readKernel(msgpack::MapDocNode &kernel) {
  CodeObjectReport report;
  report.vectorRegisters = getNumber(kernel, ".vgpr_count");
  report.accumulatorRegisters = getNumber(kernel, ".agpr_count");
  report.scalarRegisters = getNumber(kernel, ".sgpr_count");
  report.spilledRegisters =
      getNumber(kernel, ".vgpr_spill_count") + getNumber(kernel, ".sgpr_spill_count");
  report.sharedBytes = getNumber(kernel, ".group_segment_fixed_size");
  report.scratchBytes = getNumber(kernel, ".private_segment_fixed_size");
  return report;
}

Expected<StringMap<CodeObjectReport>> moec::codegen::readCodeObject(StringRef object) {
  auto file = object::ELFFile<Elf>::create(object);
  if (!file)
    return file.takeError();
  auto metadata = findMetadata(*file);
  if (!metadata)
    return metadata.takeError();
  msgpack::Document document;
  if (metadata->empty() || !document.readFromBlob(*metadata, /*Multi=*/false) ||
      !document.getRoot().isMap())
    return createStringError("a code object has no metadata that can be read");
  StringMap<CodeObjectReport> reports;
  auto kernels = document.getRoot().getMap().find("amdhsa.kernels");
  if (kernels == document.getRoot().getMap().end() || !kernels->second.isArray())
    return createStringError("a code object's metadata names no kernels");
  for (msgpack::DocNode &node : kernels->second.getArray()) {
    if (!node.isMap())
      continue;
    msgpack::MapDocNode &kernel = node.getMap();
    auto name = kernel.find(".name");
    if (name != kernel.end() && name->second.isString())
      reports[name->second.getString()] = readKernel(kernel);
  }
  return reports;
}
