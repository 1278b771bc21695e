#include "frontend/safetensors/SafeTensors.h"
#include "frontend/Errors.h"

using namespace llvm;
using namespace moec::frontend;

namespace {
struct DTypeRow {
  DType dtype;
  const char *name;
  unsigned bits;
};
} // namespace

static constexpr DTypeRow dtypes[] = {
    {DType::BOOL, "BOOL", 8},       {DType::F4, "F4", 4},           {DType::F6_E2M3, "F6_E2M3", 6},
    {DType::F6_E3M2, "F6_E3M2", 6}, {DType::U8, "U8", 8},           {DType::I8, "I8", 8},
    {DType::F8_E5M2, "F8_E5M2", 8}, {DType::F8_E4M3, "F8_E4M3", 8}, {DType::F8_E8M0, "F8_E8M0", 8},
    {DType::I16, "I16", 16},        {DType::U16, "U16", 16},        {DType::F16, "F16", 16},
    {DType::BF16, "BF16", 16},      {DType::I32, "I32", 32},        {DType::U32, "U32", 32},
    {DType::F32, "F32", 32},        {DType::C64, "C64", 64},        {DType::F64, "F64", 64},
    {DType::I64, "I64", 64},        {DType::U64, "U64", 64},
};

static const DTypeRow &rowOf(DType dtype) { return dtypes[static_cast<size_t>(dtype)]; }

StringRef moec::frontend::dtypeName(DType dtype) { return rowOf(dtype).name; }

unsigned moec::frontend::bitsOf(DType dtype) { return rowOf(dtype).bits; }

std::optional<DType> moec::frontend::parseDType(StringRef name) {
  for (const DTypeRow &row : dtypes)
    if (name == row.name)
      return row.dtype;
  return std::nullopt;
}

std::optional<uint64_t> moec::frontend::byteSizeOf(DType dtype, ArrayRef<int64_t> shape) {
  int64_t bits = bitsOf(dtype);
  bool empty = false;
  for (int64_t dim : shape) {
    if (dim < 0)
      return std::nullopt;
    if (dim == 0)
      empty = true;
    else if (__builtin_mul_overflow(bits, dim, &bits))
      return std::nullopt;
  }
  if (empty)
    return 0;
  if (bits % 8 != 0)
    return std::nullopt;
  return static_cast<uint64_t>(bits / 8);
}

Expected<std::unique_ptr<SafeTensorsFile>> SafeTensorsFile::open(StringRef path) {
  std::unique_ptr<SafeTensorsFile> file(new SafeTensorsFile);
  file->filePath = path.str();
  auto mapping = MappedFile::open(path);
  if (!mapping)
    return mapping.takeError();
  file->mapping = std::move(*mapping);
  auto header = SafeTensorsHeader::parse(file->mapping->bytes(), path);
  if (!header)
    return header.takeError();
  file->header = std::move(*header);
  for (size_t i = 0; i < file->header.tensors.size(); ++i)
    file->indexOf[file->header.tensors[i].name] = i;
  return file;
}

const TensorInfo *SafeTensorsFile::find(StringRef name) const {
  auto it = indexOf.find(name);
  return it == indexOf.end() ? nullptr : &header.tensors[it->second];
}

ArrayRef<uint8_t> SafeTensorsFile::bytes(const TensorInfo &tensor) const {
  return mapping->bytes().slice(header.dataStart + tensor.begin, tensor.byteSize());
}
