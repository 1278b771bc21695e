// The safetensors container: 8 bytes of little-endian header length N, N bytes
// of JSON, then the tensors' bytes. Files come from strangers, so the header is
// checked whole before a single tensor is shown: what `SafeTensorsFile` hands
// out lies inside the file, is aligned to its element, overlaps nothing and is
// as long as its dtype and shape say.
#pragma once

#include "frontend/Files.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringMap.h"
#include <map>
#include <optional>
#include <vector>

namespace moec::frontend {

/// Every element type of the format. moec computes with BF16, F16, F32 and
/// F8_E4M3; the others are told apart so that a checkpoint holding one opens,
/// and the tensor is refused only where it is used.
enum class DType {
  BOOL,
  F4,
  F6_E2M3,
  F6_E3M2,
  U8,
  I8,
  F8_E5M2,
  F8_E4M3,
  F8_E8M0,
  I16,
  U16,
  F16,
  BF16,
  I32,
  U32,
  F32,
  C64,
  F64,
  I64,
  U64,
};

llvm::StringRef dtypeName(DType dtype);
std::optional<DType> parseDType(llvm::StringRef name);
unsigned bitsOf(DType dtype);

struct TensorInfo {
  std::string name;
  DType dtype;
  llvm::SmallVector<int64_t, 4> shape;
  uint64_t begin; // bytes from the start of the data section
  uint64_t end;

  uint64_t byteSize() const { return end - begin; }
};

/// The parsed and checked header of a file.
struct SafeTensorsHeader {
  std::vector<TensorInfo> tensors; // in the order of their bytes
  std::map<std::string, std::string> metadata;
  uint64_t dataStart; // bytes from the start of the file

  /// Checks a whole file's bytes; `path` names it in messages.
  static llvm::Expected<SafeTensorsHeader> parse(llvm::ArrayRef<uint8_t> file,
                                                 llvm::StringRef path);
};

/// The bytes that `dtype` and `shape` need: nothing when they overflow 63 bits,
/// when a dimension is negative, or when a sub-byte type fills no whole byte.
std::optional<uint64_t> byteSizeOf(DType dtype, llvm::ArrayRef<int64_t> shape);

/// A file on disk, mapped.
class SafeTensorsFile {
public:
  static llvm::Expected<std::unique_ptr<SafeTensorsFile>> open(llvm::StringRef path);

  llvm::StringRef path() const { return filePath; }
  const std::vector<TensorInfo> &tensors() const { return header.tensors; }
  const std::map<std::string, std::string> &metadata() const { return header.metadata; }
  /// Null when there is none of that name.
  const TensorInfo *find(llvm::StringRef name) const;
  llvm::ArrayRef<uint8_t> bytes(const TensorInfo &tensor) const;
  /// See MappedFile::dropPages.
  void dropPages(const TensorInfo &tensor) const { mapping->dropPages(bytes(tensor)); }

private:
  SafeTensorsFile() = default;
  std::string filePath;
  std::unique_ptr<MappedFile> mapping;
  SafeTensorsHeader header;
  llvm::StringMap<size_t> indexOf; // name -> place in header.tensors
};

/// Writes a file as a stream: the header first, from the tensors' names, types
/// and shapes; then the bytes of each. Memory stays independent of the size.
class SafeTensorsWriter {
public:
  struct Entry {
    std::string name;
    DType dtype;
    llvm::SmallVector<int64_t, 4> shape;
  };

  /// Tensors are laid out in the order of `order()`: widest elements first, so
  /// that all are aligned, otherwise as given.
  static llvm::Expected<std::unique_ptr<SafeTensorsWriter>>
  create(llvm::StringRef path, std::vector<Entry> entries,
         const std::map<std::string, std::string> &metadata = {});

  const std::vector<Entry> &order() const { return entries; }
  /// The next bytes, in that order; calls need not end at a tensor's border.
  llvm::Error append(llvm::ArrayRef<uint8_t> bytes);
  /// Fails when fewer bytes came than the header promises.
  llvm::Error finish();

private:
  SafeTensorsWriter() = default;
  std::string path;
  std::vector<Entry> entries;
  std::unique_ptr<OutputFile> file;
  uint64_t missing = 0; // bytes still to come
};

} // namespace moec::frontend
