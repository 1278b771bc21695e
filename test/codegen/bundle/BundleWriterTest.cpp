#include "codegen/bundle/BundleWriter.h"

#include "runtime/bundle/Format.h"
#include "test/frontend/TestFiles.h"

#include <csignal>
#include <sys/resource.h>
#include <xxhash.h>

using namespace moec;
using namespace moec::bundle;
using namespace moec::frontend::test;

static std::vector<uint8_t> bytesOf(size_t count, uint8_t value) {
  return std::vector<uint8_t>(count, value);
}

static std::string readAll(const std::string &path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

static size_t countFiles(const std::string &folder) {
  std::error_code code;
  size_t count = 0;
  for (llvm::sys::fs::directory_iterator it(folder, code), end; it != end && !code;
       it.increment(code))
    ++count;
  return count;
}

TEST(BundleWriter, LaysTheFileOutInPages) {
  TestFolder folder;
  auto writer = valueOf(BundleWriter::create(folder.path()));
  EXPECT_EQ(valueOf(writer->addSegment(bytesOf(10, 1))), 0u);
  writer->beginSegment();
  EXPECT_EQ(errorOf(writer->append(bytesOf(5000, 2))), "(no error)");
  EXPECT_EQ(errorOf(writer->append(bytesOf(1, 3))), "(no error)");
  EXPECT_EQ(writer->endSegment(), 1u);
  EXPECT_EQ(errorOf(writer->finish(bytesOf(7, 4))), "(no error)");

  EXPECT_EQ(writer->segments()[0].offset(), 4096u);
  EXPECT_EQ(writer->segments()[1].offset(), 8192u);
  EXPECT_EQ(writer->segments()[1].size(), 5001u);
  auto both = bytesOf(5000, 2);
  both.push_back(3);
  EXPECT_EQ(writer->segments()[1].checksum(), XXH3_64bits(both.data(), both.size()));
  std::string file = readAll(folder.path("rank-0.moeb"));
  EXPECT_EQ(file.size(), 16384u + 7);
  EXPECT_EQ(file.substr(0, 8), "MOECBNDL");
  EXPECT_EQ(file.substr(16384), std::string(7, 4));
  EXPECT_EQ(countFiles(folder.path()), 1u);
}

TEST(BundleWriter, ReservedSpaceIsGivenBack) {
  TestFolder folder;
  auto writer = valueOf(BundleWriter::create(folder.path()));
  EXPECT_EQ(errorOf(writer->reserve(1 << 20)), "(no error)");
  EXPECT_EQ(errorOf(writer->finish(bytesOf(1, 1))), "(no error)");
  EXPECT_EQ(readAll(folder.path("rank-0.moeb")).size(), 4097u);
}

TEST(BundleWriter, AbandonedFileAndFolderDisappear) {
  TestFolder folder;
  std::string inner = folder.path("new");
  {
    auto writer = valueOf(BundleWriter::create(inner));
    EXPECT_EQ(countFiles(inner), 1u);
  }
  EXPECT_FALSE(llvm::sys::fs::exists(inner));
}

TEST(BundleWriter, AFailureKeepsTheBundleThatWasThere) {
  TestFolder folder;
  folder.write("rank-0.moeb", "old");
  {
    auto writer = valueOf(BundleWriter::create(folder.path()));
  }
  EXPECT_EQ(readAll(folder.path("rank-0.moeb")), "old");
  EXPECT_EQ(countFiles(folder.path()), 1u);
}

TEST(BundleWriterDeathTest, AnInterruptLeavesNothingBehind) {
  TestFolder folder;
  auto interrupted = [&] {
    std::signal(SIGINT, SIG_DFL); // a runner in the background has it ignored
    auto writer = valueOf(BundleWriter::create(folder.path()));
    EXPECT_EQ(countFiles(folder.path()), 1u);
    std::raise(SIGINT);
  };
  EXPECT_EXIT(interrupted(), testing::KilledBySignal(SIGINT), "");
  EXPECT_EQ(countFiles(folder.path()), 0u);
}

TEST(BundleWriter, RefusesAFileAsFolder) {
  TestFolder folder;
  EXPECT_HAS(errorOf(BundleWriter::create(folder.write("file", "x"))), "file' is not a folder");
  EXPECT_HAS(errorOf(BundleWriter::create(folder.path("file/below"))), "cannot create the folder");
}

/// Limits the size of files, as a full disk or a quota would.
class FileSizeLimit {
public:
  explicit FileSizeLimit(rlim_t bytes) {
    ::getrlimit(RLIMIT_FSIZE, &before);
    struct rlimit limit = before;
    limit.rlim_cur = bytes;
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() { ::setrlimit(RLIMIT_FSIZE, &before); }

private:
  struct rlimit before;
};

TEST(BundleWriter, FullDiskNamesFileAndBytes) {
  TestFolder folder;
  std::string inner = folder.path("new");
  {
    auto writer = valueOf(BundleWriter::create(inner));
    FileSizeLimit limit(16384);
    EXPECT_EQ(errorOf(writer->reserve(1 << 20)), "(no error)"); // space is there, by the limit not
    std::string text = errorOf(writer->addSegment(bytesOf(1 << 16, 1)));
    EXPECT_HAS(text, "cannot write '" + inner + "/rank-0.moeb': File too large");
    EXPECT_HAS(text, "the bundle needs 1052672 bytes");
  }
  EXPECT_FALSE(llvm::sys::fs::exists(inner));
}

TEST(BundleWriter, ADiskThatIsTooSmallIsFoundBeforeCopying) {
  TestFolder folder;
  auto writer = valueOf(BundleWriter::create(folder.path()));
  std::string text = errorOf(writer->reserve(uint64_t(1) << 50));
  EXPECT_HAS(text, "the bundle needs 1125899906846720 bytes");
}
