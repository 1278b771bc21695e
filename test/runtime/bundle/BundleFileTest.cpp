// Opening files: paths, folders and what is no bundle at all.
#include "runtime/bundle/BundleFile.h"
#include "test/runtime/toy/ExpectError.h"
#include "test/runtime/toy/TestBundle.h"

#include <cstring>
#include <filesystem>

using namespace moec::rt;
using namespace moec::rt::test;

namespace {

TEST(BundleFile, OpensFileAndFolder) {
  BundleParts parts = toyParts();
  parts.manifest.files.push_back(std::make_unique<fb::TextFileT>());
  parts.manifest.files[0]->name = "config.json";
  parts.manifest.files[0]->text = "{}";
  TempFile folder("");
  std::filesystem::create_directory(folder.path());
  std::string path = folder.path() + "/rank-0.moeb";
  writeFile(path, assemble(std::move(parts)));
  for (const std::string &name : {path, folder.path(), folder.path() + "/"}) {
    BundleFile bundle(name);
    EXPECT_EQ(bundle.path(), path);
    EXPECT_EQ(bundle.textFile("config.json"), "{}");
    EXPECT_EQ(bundle.textFile("tokenizer.json"), "");
    ASSERT_TRUE(bundle.entry("decode"));
    EXPECT_EQ(bundle.entry("decode")->programs()->size(), 3u);
    EXPECT_FALSE(bundle.entry("train"));
    std::vector<float> expected = toyEmbedding();
    std::span<const uint8_t> segment = bundle.segment(1);
    ASSERT_EQ(segment.size(), expected.size() * 4);
    EXPECT_EQ(std::memcmp(segment.data(), expected.data(), segment.size()), 0);
  }
  std::filesystem::remove(path);
}

TEST(BundleFile, RefusesWhatIsNoBundle) {
  TempFile missing(".moeb"), empty(".moeb", {}), text(".moeb", Bytes(5000, 'x'));
  EXPECT_RT_ERROR(BundleFile(missing.path()), Io,
                  "cannot open bundle '" + missing.path() + "': No such file");
  EXPECT_RT_ERROR(BundleFile(empty.path()), Bundle, "is empty");
  EXPECT_RT_ERROR(BundleFile(text.path()), Bundle, "this is no bundle");
  EXPECT_RT_ERROR(BundleFile("/dev/null"), Bundle, "is not a regular file");
  TempFile folder("");
  std::filesystem::create_directory(folder.path());
  EXPECT_RT_ERROR(BundleFile(folder.path()), Io, "/rank-0.moeb'");
}

TEST(BundleFile, ReportsDamageWithItsPath) {
  Bytes file = assemble(toyParts());
  file.resize(file.size() / 2);
  TempFile cut(".moeb", file);
  EXPECT_RT_ERROR(BundleFile(cut.path()), Bundle, "bundle '" + cut.path() + "': file has");
}

} // namespace
