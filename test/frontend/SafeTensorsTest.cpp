// Lying files, each with the one message it must get, and the way through
// writer and reader.
#include "TestFiles.h"

using namespace moec::frontend;
using namespace moec::frontend::test;

static std::string parseError(const std::string &file) {
  llvm::ArrayRef<uint8_t> bytes(reinterpret_cast<const uint8_t *>(file.data()), file.size());
  return errorOf(SafeTensorsHeader::parse(bytes, "f.safetensors"));
}

static std::string tensor(const std::string &name, const std::string &dtype,
                          const std::string &shape, const std::string &offsets) {
  return "\"" + name + "\":{\"dtype\":\"" + dtype + "\",\"shape\":" + shape +
         ",\"data_offsets\":" + offsets + "}";
}

/// Pads so that the data section begins at a multiple of 8.
static std::string padded(std::string header) {
  header.resize((header.size() + 7) / 8 * 8, ' ');
  return header;
}

struct Fault {
  const char *name;
  std::string file;
  const char *message;
};

void PrintTo(const Fault &fault, std::ostream *out) { *out << fault.message; }

static std::vector<Fault> faults() {
  auto one = [](const std::string &dtype, const std::string &shape, const std::string &offsets,
                size_t data) {
    return fileWith(padded("{" + tensor("a", dtype, shape, offsets) + "}"), data);
  };
  auto header = [](const std::string &text, size_t data = 0) {
    return fileWith(padded(text), data);
  };
  std::string huge = "\xff\xff\xff\xff\xff\xff\xff\x7f{}";
  std::string a = tensor("a", "F32", "[1]", "[0,4]");
  return {
      {"TooShort", "abc", "'f.safetensors' has 3 bytes; a safetensors file"},
      {"LengthHuge", huge, "claims 9223372036854775807 bytes; at most"},
      {"LengthPastEnd", fileWith("{}", 0).substr(0, 9),
       "claims 2 bytes, the file has only 1 after"},
      {"NotJson", header("{nope"), "not valid JSON, syntax error at byte 3"},
      {"Empty", fileWith("", 0), "not valid JSON"},
      {"NotObject", header("[]"), "must be an object of tensors, found a list"},
      {"TextAfter", header("{} {}"), "not valid JSON"},
      {"TensorNotObject", header("{\"a\":3}"), "'a' must be an object"},
      {"TensorIsList", header("{\"a\":[]}"), "'a' must be an object"},
      {"UnknownDType", one("Q4", "[1]", "[0,4]", 4), "unknown dtype 'Q4'"},
      {"DTypeNumber", header("{\"a\":{\"dtype\":1,\"shape\":[],\"data_offsets\":[0,4]}}"),
       "tensor 'a': dtype must be a string, found a number"},
      {"ShapeNegative", one("F32", "[-1]", "[0,4]", 4),
       "shape must be a list of non-negative integers, found a negative"},
      {"ShapeFraction", one("F32", "[1.5]", "[0,4]", 4), "found the number 1.5"},
      {"ShapeHuge", one("F32", "[18446744073709551615]", "[0,4]", 4), "found a number past 2^63"},
      {"ShapeString", one("F32", "\"1\"", "[0,4]", 4), "found a string"},
      {"ShapeNested", one("F32", "[[1]]", "[0,4]", 4), "found a list"},
      {"ShapeOverflows", one("F32", "[4294967296,4294967296]", "[0,0]", 0),
       "F32 of shape [4294967296, 4294967296] has no valid size"},
      {"RankHuge", one("F32", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", "[0,4]", 4),
       "shape has more than 16 dimensions"},
      {"SpanTooSmall", one("F32", "[2]", "[0,4]", 4),
       "F32 of shape [2] needs 8 bytes, data_offsets span 4"},
      {"OffsetsBackwards", one("F32", "[1]", "[8,4]", 8), "end before they"},
      {"OffsetsThree", one("F32", "[1]", "[0,4,8]", 8), "more than 2 numbers"},
      {"OffsetsOne", one("F32", "[1]", "[0]", 8), "must be [begin, end]"},
      {"PastEnd", one("F32", "[2]", "[0,8]", 4),
       "ends at byte 8 of the data, which has 4; the file is cut short"},
      {"LacksDType", header("{\"a\":{\"shape\":[],\"data_offsets\":[0,4]}}", 4),
       "tensor 'a' lacks dtype"},
      {"LacksShape", header("{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,4]}}", 4),
       "tensor 'a' lacks shape"},
      {"LacksOffsets", header("{\"a\":{\"dtype\":\"U8\",\"shape\":[]}}"),
       "tensor 'a' lacks data_offsets"},
      {"FieldUnknown", header("{\"a\":{\"strides\":[]}}"), "unknown field 'strides'"},
      {"FieldTwice", header("{\"a\":{\"shape\":[],\"shape\":[]}}"), "'shape' is given twice"},
      {"Overlap", header("{" + a + "," + tensor("b", "F16", "[2]", "[2,6]") + "}", 6),
       "tensors 'a' and 'b' overlap at byte 2"},
      {"HoleBetween", header("{" + a + "," + tensor("b", "F32", "[1]", "[8,12]") + "}", 12),
       "4 bytes before tensor 'b' belong to no tensor"},
      {"HoleAtEnd", header("{" + a + "}", 7), "the last 3 bytes belong to no"},
      {"Misaligned",
       header("{" + tensor("a", "U8", "[1]", "[0,1]") + "," + tensor("b", "F32", "[1]", "[1,5]") +
                  "}",
              5),
       "not a multiple of its 4-byte elements"},
      {"HeaderMisalignsData",
       fileWith("{" + a + "}" +
                    std::string(padded("{" + a + "}").size() + 1 - ("{" + a + "}").size(), ' '),
                4),
       "not a multiple of its 4-byte elements"},
      {"NameTwice", header("{" + a + "," + a + "}", 4), "tensor 'a' is given twice"},
      {"MetadataNumber", header("{\"__metadata__\":{\"k\":1}}"),
       "'__metadata__' must map strings to strings, found a number for 'k'"},
      {"MetadataList", header("{\"__metadata__\":[]}"), "'__metadata__' must be an object"},
      {"MetadataNested", header("{\"__metadata__\":{\"k\":{}}}"), "found an object for 'k'"},
      {"MetadataKeyTwice", header("{\"__metadata__\":{\"k\":\"1\",\"k\":\"2\"}}"),
       "'__metadata__' gives 'k' twice"},
      {"MetadataTwice", header("{\"__metadata__\":{},\"__metadata__\":{}}"),
       "'__metadata__' is given twice"},
      {"DeepNesting", header(std::string(100000, '[')), "must be an object"},
      {"SubByteOdd", one("F4", "[3]", "[0,2]", 2), "has no valid size"},
  };
}

class LyingFile : public testing::TestWithParam<Fault> {};

TEST_P(LyingFile, GetsOneClearError) {
  EXPECT_HAS(parseError(GetParam().file), GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(SafeTensors, LyingFile, testing::ValuesIn(faults()),
                         [](const auto &info) { return info.param.name; });

TEST(SafeTensors, ControlBytesInNamesDoNotReachTheTerminal) {
  std::string file = fileWith("{\"\\u001b[2J\":3}", 0);
  EXPECT_HAS(parseError(file), "'?[2J'");
}

TEST(SafeTensors, WrittenFileReadsBack) {
  TestFolder folder;
  std::string path = folder.path("a.safetensors");
  auto writer = valueOf(SafeTensorsWriter::create(
      path, {{"bytes", DType::U8, {3}}, {"empty", DType::F32, {0, 4}}, {"row", DType::F32, {1, 2}}},
      {{"format", "pt"}}));
  ASSERT_EQ(writer->order()[0].name, "empty");
  ASSERT_EQ(writer->order()[1].name, "row");
  std::vector<uint8_t> all = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
  EXPECT_EQ(errorOf(writer->append(llvm::ArrayRef(all).take_front(5))), "(no error)");
  EXPECT_FALSE(llvm::sys::fs::exists(path)) << "appears only when whole";
  EXPECT_EQ(errorOf(writer->append(llvm::ArrayRef(all).drop_front(5))), "(no error)");
  EXPECT_EQ(errorOf(writer->finish()), "(no error)");

  auto file = valueOf(SafeTensorsFile::open(path));
  EXPECT_EQ(file->metadata().at("format"), "pt");
  const TensorInfo *row = file->find("row");
  ASSERT_NE(row, nullptr);
  EXPECT_EQ(row->shape, (llvm::SmallVector<int64_t, 4>{1, 2}));
  EXPECT_EQ(file->bytes(*row), llvm::ArrayRef(all).take_front(8));
  file->dropPages(*row);
  EXPECT_EQ(file->bytes(*row), llvm::ArrayRef(all).take_front(8));
  EXPECT_EQ(file->bytes(*file->find("bytes")), llvm::ArrayRef(all).take_back(3));
  EXPECT_EQ(file->find("none"), nullptr);
}

TEST(SafeTensors, UnfinishedWriterLeavesNothing) {
  TestFolder folder;
  std::string path = folder.path("a.safetensors");
  {
    auto writer = valueOf(SafeTensorsWriter::create(path, {{"a", DType::U8, {2}}}));
    std::vector<uint8_t> three(3);
    EXPECT_HAS(errorOf(writer->append(three)), "1 bytes more than the header promises");
    EXPECT_HAS(errorOf(writer->finish()), "2 bytes fewer than the header promises");
  }
  std::error_code code;
  llvm::sys::fs::directory_iterator first(folder.path(), code), end;
  EXPECT_TRUE(first == end);
}

TEST(SafeTensors, WriterRefusesWhatItCannotWrite) {
  TestFolder folder;
  std::string path = folder.path("a.safetensors");
  EXPECT_HAS(errorOf(SafeTensorsWriter::create(path, {{"a", DType::U8, {}}, {"a", DType::U8, {}}})),
             "tensor 'a' is to be written twice");
  EXPECT_HAS(errorOf(SafeTensorsWriter::create(path, {{"a", DType::U8, {-1}}})),
             "tensor 'a' has no valid size");
  EXPECT_HAS(errorOf(SafeTensorsWriter::create(folder.path("no/a"), {})), "cannot create");
}

TEST(SafeTensors, FullDiskIsAnError) {
  if (!llvm::sys::fs::exists("/dev/full"))
    GTEST_SKIP();
  // The temporary name leads to a device that is always full.
  TestFolder folder;
  std::string path = folder.path("a.safetensors");
  std::string temporary = path + ".tmp-" + std::to_string(getpid());
  ASSERT_EQ(symlink("/dev/full", temporary.c_str()), 0);
  EXPECT_HAS(errorOf(writeFile(path, "text")), "No space left on device");
  EXPECT_FALSE(llvm::sys::fs::exists(path));
}

TEST(SafeTensors, OnlyRegularFilesAreOpened) {
  TestFolder folder;
  EXPECT_HAS(errorOf(SafeTensorsFile::open(folder.path())), "is not a regular file");
  EXPECT_HAS(errorOf(SafeTensorsFile::open(folder.path("none"))), "No such file");
  EXPECT_HAS(errorOf(readTextFile(folder.write("t", "12345"), 4)),
             "has 5 bytes; at most 4 are read");
}
