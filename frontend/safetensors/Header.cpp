// Reading a safetensors header. The JSON is taken as a stream of events, never
// as a tree: memory is bounded by the tensors it names, and names given twice
// are seen. Then the tensors are sorted by offset and must cover the data
// section exactly.
#include "frontend/Errors.h"
#include "frontend/safetensors/SafeTensors.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/Endian.h"
#include <algorithm>
#include <nlohmann/json.hpp>

using namespace llvm;
using namespace moec::frontend;
using Json = nlohmann::json;

namespace {

constexpr uint64_t maxHeaderBytes = 100'000'000; // as the reference reader
constexpr size_t maxRank = 16;

/// Takes the header's JSON event by event. `Where` says what the next event
/// may be; anything else is a fault.
class HeaderEvents : public nlohmann::json_sax<Json> {
public:
  explicit HeaderEvents(SafeTensorsHeader &header) : header(header) {}
  std::string fault;

  bool null() override { return unexpected("null"); }
  bool boolean(bool) override { return unexpected("a boolean"); }
  bool number_integer(number_integer_t value) override {
    return number(value, "a negative number");
  }
  bool number_unsigned(number_unsigned_t value) override {
    if (value > static_cast<uint64_t>(INT64_MAX))
      return unexpected("a number past 2^63");
    return number(value, "a number");
  }
  bool number_float(number_float_t, const string_t &text) override {
    return unexpected("the number " + printable(text));
  }
  bool binary(binary_t &) override { return unexpected("binary"); }
  bool string(string_t &value) override;
  bool key(string_t &name) override;
  bool start_object(size_t) override;
  bool end_object() override;
  bool start_array(size_t) override;
  bool end_array() override;
  bool parse_error(size_t position, const std::string &,
                   const nlohmann::detail::exception &) override {
    return fail("the header is not valid JSON, syntax error at byte " + std::to_string(position));
  }

private:
  enum class Where {
    Start,      // before the outer object
    Names,      // in the outer object
    Metadata,   // in __metadata__
    Tensor,     // in a tensor's object
    Dtype,      // before the value of "dtype"
    BeforeList, // before the value of "shape" or "data_offsets"
    List,       // in that list
    End,
  };
  Where where = Where::Start;
  SafeTensorsHeader &header;
  StringSet<> names;
  bool inMetadata = false;
  std::string current; // the tensor's or metadata's name
  // Of the tensor being read:
  std::optional<DType> dtype;
  std::optional<std::vector<int64_t>> shape, offsets;
  std::vector<int64_t> list;
  bool listIsShape = false;

  bool fail(std::string text) {
    fault = std::move(text);
    return false;
  }
  bool unexpected(const std::string &what);
  bool number(int64_t value, const char *what);
  bool tensorField(const std::string &name);
};

} // namespace

bool HeaderEvents::unexpected(const std::string &what) {
  switch (where) {
  case Where::Start:
    return fail("the header must be an object of tensors, found " + what);
  case Where::Metadata:
    return fail("'__metadata__' must map strings to strings, found " + what +
                (current.empty() ? "" : " for '" + printable(current) + "'"));
  case Where::Names:
    return fail("'" + printable(current) + "' must be an object, found " + what);
  case Where::Dtype:
    return fail("tensor '" + printable(current) + "': dtype must be a string, found " + what);
  case Where::BeforeList:
  case Where::List:
    return fail("tensor '" + printable(current) + "': " + (listIsShape ? "shape" : "data_offsets") +
                " must be a list of non-negative integers, found " + what);
  case Where::Tensor:
  case Where::End:
    break;
  }
  return fail("tensor '" + printable(current) + "': found " + what);
}

bool HeaderEvents::number(int64_t value, const char *what) {
  if (where != Where::List || value < 0)
    return unexpected(what);
  if (list.size() == (listIsShape ? maxRank : 2))
    return fail("tensor '" + printable(current) + "': " +
                (listIsShape ? "shape has more than 16 dimensions"
                             : "data_offsets has more than 2 numbers"));
  list.push_back(value);
  return true;
}

bool HeaderEvents::string(string_t &value) {
  if (where == Where::Metadata) {
    header.metadata[current] = std::move(value);
    return true;
  }
  if (where != Where::Dtype)
    return unexpected("a string");
  dtype = parseDType(value);
  if (!dtype)
    return fail("tensor '" + printable(current) + "': unknown dtype '" + printable(value) + "'");
  where = Where::Tensor;
  return true;
}

bool HeaderEvents::key(string_t &name) {
  if (where == Where::Tensor)
    return tensorField(name);
  if (where == Where::Metadata) {
    if (header.metadata.count(name))
      return fail("'__metadata__' gives '" + printable(name) + "' twice");
  } else {
    if (!names.insert(name).second)
      return fail("tensor '" + printable(name) + "' is given twice");
    inMetadata = name == "__metadata__";
  }
  current = std::move(name);
  return true;
}

bool HeaderEvents::tensorField(const std::string &name) {
  bool twice = (name == "dtype" && dtype) || (name == "shape" && shape) ||
               (name == "data_offsets" && offsets);
  if (twice)
    return fail("tensor '" + printable(current) + "': '" + name + "' is given twice");
  if (name == "dtype") {
    where = Where::Dtype;
    return true;
  }
  if (name != "shape" && name != "data_offsets")
    return fail("tensor '" + printable(current) + "': unknown field '" + printable(name) +
                "'; expected dtype, shape and data_offsets");
  listIsShape = name == "shape";
  where = Where::BeforeList;
  return true;
}

bool HeaderEvents::start_object(size_t) {
  if (where == Where::Start) {
    where = Where::Names;
    return true;
  }
  if (where != Where::Names)
    return unexpected("an object");
  if (inMetadata) {
    where = Where::Metadata;
    current.clear();
    return true;
  }
  where = Where::Tensor;
  dtype.reset();
  shape.reset();
  offsets.reset();
  return true;
}

bool HeaderEvents::end_object() {
  if (where == Where::Names) {
    where = Where::End;
    return true;
  }
  if (where == Where::Metadata) {
    where = Where::Names;
    return true;
  }
  where = Where::Names;
  if (!dtype || !shape || !offsets)
    return fail("tensor '" + printable(current) + "' lacks " +
                (!dtype   ? "dtype"
                 : !shape ? "shape"
                          : "data_offsets"));
  if (offsets->size() != 2)
    return fail("tensor '" + printable(current) + "': data_offsets must be [begin, end], found " +
                std::to_string(offsets->size()) + " numbers");
  TensorInfo info;
  info.name = current;
  info.dtype = *dtype;
  info.shape.assign(shape->begin(), shape->end());
  info.begin = (*offsets)[0];
  info.end = (*offsets)[1];
  header.tensors.push_back(std::move(info));
  return true;
}

bool HeaderEvents::start_array(size_t) {
  if (where != Where::BeforeList)
    return unexpected("a list");
  list.clear();
  where = Where::List;
  return true;
}

bool HeaderEvents::end_array() {
  (listIsShape ? shape : offsets) = list;
  where = Where::Tensor;
  return true;
}

/// One tensor against its own fields and the file's size.
static Error checkTensor(const TensorInfo &tensor, uint64_t dataStart, uint64_t dataSize,
                         StringRef path) {
  std::string name = printable(tensor.name);
  auto expected = byteSizeOf(tensor.dtype, tensor.shape);
  if (!expected)
    return makeError("'{0}': tensor '{1}': {2} of shape {3} has no valid size "
                     "in bytes",
                     path, name, dtypeName(tensor.dtype), shapeString(tensor.shape));
  if (tensor.begin > tensor.end)
    return makeError("'{0}': tensor '{1}': data_offsets [{2}, {3}] end before "
                     "they begin",
                     path, name, tensor.begin, tensor.end);
  if (tensor.byteSize() != *expected)
    return makeError("'{0}': tensor '{1}': {2} of shape {3} needs {4} bytes, "
                     "data_offsets span {5}",
                     path, name, dtypeName(tensor.dtype), shapeString(tensor.shape), *expected,
                     tensor.byteSize());
  if (tensor.end > dataSize)
    return makeError("'{0}': tensor '{1}' ends at byte {2} of the data, which "
                     "has {3}; the file is cut short or its header lies",
                     path, name, tensor.end, dataSize);
  uint64_t alignment = std::max(1u, bitsOf(tensor.dtype) / 8);
  if ((dataStart + tensor.begin) % alignment != 0)
    return makeError("'{0}': tensor '{1}' begins at byte {2} of the file, not "
                     "a multiple of its {3}-byte elements; write the file "
                     "again with a current safetensors library",
                     path, name, dataStart + tensor.begin, alignment);
  return Error::success();
}

/// Sorted tensors must lie end to end and fill the data section.
static Error checkCover(const SafeTensorsHeader &header, uint64_t dataSize, StringRef path) {
  uint64_t reached = 0;
  const TensorInfo *previous = nullptr;
  for (const TensorInfo &tensor : header.tensors) {
    if (tensor.begin < reached)
      return makeError("'{0}': tensors '{1}' and '{2}' overlap at byte {3} of "
                       "the data",
                       path, printable(previous->name), printable(tensor.name), tensor.begin);
    if (tensor.begin > reached)
      return makeError("'{0}': {1} bytes before tensor '{2}' belong to no "
                       "tensor",
                       path, tensor.begin - reached, printable(tensor.name));
    reached = tensor.end;
    previous = &tensor;
  }
  if (reached != dataSize)
    return makeError("'{0}': the last {1} bytes belong to no tensor", path, dataSize - reached);
  return Error::success();
}

Expected<SafeTensorsHeader> SafeTensorsHeader::parse(ArrayRef<uint8_t> file, StringRef path) {
  if (file.size() < 8)
    return makeError("'{0}' has {1} bytes; a safetensors file has at least 8", path, file.size());
  uint64_t length = support::endian::read64le(file.data());
  if (length > maxHeaderBytes)
    return makeError("'{0}': the header claims {1} bytes; at most {2} are "
                     "believed",
                     path, length, maxHeaderBytes);
  if (length > file.size() - 8)
    return makeError("'{0}': the header claims {1} bytes, the file has only "
                     "{2} after its length",
                     path, length, file.size() - 8);
  SafeTensorsHeader header;
  header.dataStart = 8 + length;
  HeaderEvents events(header);
  const uint8_t *text = file.data() + 8;
  if (!Json::sax_parse(text, text + length, &events))
    return makeError("'{0}': {1}", path, events.fault);

  uint64_t dataSize = file.size() - header.dataStart;
  for (const TensorInfo &tensor : header.tensors)
    if (Error error = checkTensor(tensor, header.dataStart, dataSize, path))
      return error;
  std::sort(header.tensors.begin(), header.tensors.end(),
            [](const TensorInfo &a, const TensorInfo &b) {
              return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
            });
  if (Error error = checkCover(header, dataSize, path))
    return error;
  return header;
}
