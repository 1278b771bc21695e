// What the tests here share: a folder that goes away, files made by hand, and
// error texts.
#pragma once

#include "frontend/safetensors/SafeTensors.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "gtest/gtest.h"
#include <cstdlib>
#include <fstream>

/// EXPECT_HAS(text, part)
#define EXPECT_HAS(...) EXPECT_PRED_FORMAT2(hasPart, __VA_ARGS__)

namespace moec::frontend::test {

inline testing::AssertionResult hasPart(const char *, const char *, const std::string &text,
                                        const std::string &part) {
  if (text.find(part) != std::string::npos)
    return testing::AssertionSuccess();
  return testing::AssertionFailure() << "found:    " << text << "\nexpected: " << part;
}

class TestFolder {
public:
  TestFolder() {
    llvm::SmallString<128> made;
    EXPECT_FALSE(llvm::sys::fs::createUniqueDirectory("moec-frontend", made));
    root = made.str().str();
  }
  ~TestFolder() { (void)llvm::sys::fs::remove_directories(root); }

  const std::string &path() const { return root; }
  std::string path(const std::string &name) const { return root + "/" + name; }
  std::string write(const std::string &name, const std::string &text) const {
    std::ofstream(path(name), std::ios::binary) << text;
    return path(name);
  }

private:
  std::string root;
};

/// A safetensors file's bytes: `header` with its true length, then `dataBytes`
/// zeros.
inline std::string fileWith(const std::string &header, size_t dataBytes) {
  std::string file(8, '\0');
  for (int i = 0; i < 8; ++i)
    file[i] = static_cast<char>(static_cast<uint64_t>(header.size()) >> 8 * i);
  return file + header + std::string(dataBytes, '\0');
}

template <typename T> std::string errorOf(llvm::Expected<T> result) {
  if (result)
    return "(no error)";
  return llvm::toString(result.takeError());
}
inline std::string errorOf(llvm::Error error) {
  return error ? llvm::toString(std::move(error)) : "(no error)";
}

template <typename T> T valueOf(llvm::Expected<T> result) {
  if (!result) {
    ADD_FAILURE() << llvm::toString(result.takeError());
    std::exit(1);
  }
  return std::move(*result);
}

inline std::string golden(const std::string &name) {
  const char *source = std::getenv("MOEC_SOURCE_DIR");
  EXPECT_NE(source, nullptr) << "set MOEC_SOURCE_DIR to the source folder";
  return std::string(source ? source : ".") + "/test/golden/Inputs/" + name;
}

/// Writes `entries`, all bytes zero.
inline void writeZeros(const std::string &path, std::vector<SafeTensorsWriter::Entry> entries) {
  auto writer = valueOf(SafeTensorsWriter::create(path, std::move(entries)));
  for (const auto &entry : writer->order()) {
    std::vector<uint8_t> zeros(*byteSizeOf(entry.dtype, entry.shape));
    EXPECT_EQ(errorOf(writer->append(zeros)), "(no error)");
  }
  EXPECT_EQ(errorOf(writer->finish()), "(no error)");
}

} // namespace moec::frontend::test
