#include "runtime/tools/moec-kernel-test/Cases.h"

#include "runtime/bundle/Error.h"

#include <nlohmann/json.hpp>

namespace moec::rt {
namespace {

using Json = nlohmann::json;

class Reader {
public:
  explicit Reader(const BundleFile &bundle) : bundle(bundle) {}

  std::vector<Case> read() {
    Json list = Json::parse(bundle.textFile("cases.json"), nullptr, /*allow_exceptions=*/false);
    if (!list.is_array())
      bad("cases.json is no JSON array of cases");
    std::vector<Case> cases;
    for (size_t i = 0; i < list.size(); ++i) {
      where = joined("case ", i);
      cases.push_back(readCase(list[i]));
    }
    return cases;
  }

private:
  template <typename... Ts> [[noreturn]] void bad(const Ts &...parts) const {
    fail(ErrorKind::Bundle, "package '", bundle.path(), "': ", where.empty() ? "" : where + ": ",
         parts...);
  }

  template <typename T> T get(const Json &object, const char *key) const {
    if (!object.is_object() || !object.contains(key))
      bad("lacks \"", key, "\"");
    return value<T>(object[key], key);
  }
  template <typename T> T get(const Json &object, const char *key, T otherwise) const {
    return object.contains(key) ? value<T>(object[key], key) : otherwise;
  }
  template <typename T> T value(const Json &json, const char *key) const {
    bool right = true;
    if constexpr (std::is_same_v<T, std::string>)
      right = json.is_string();
    else if constexpr (std::is_same_v<T, bool>)
      right = json.is_boolean();
    else if constexpr (std::is_same_v<T, uint64_t>)
      right = json.is_number_unsigned();
    else
      right = json.is_number();
    if (!right)
      bad("\"", key, "\" is ", json.dump());
    return json.get<T>();
  }

  uint32_t weight(const std::string &name) const {
    const auto &weights = *bundle.manifest().weights();
    for (unsigned i = 0; i < weights.size(); ++i)
      if (weights.Get(i)->name()->string_view() == name)
        return i;
    bad("there is no weight '", name, "'");
  }
  uint64_t weightBytes(uint32_t index) const {
    return bundle.manifest().weights()->Get(index)->bytes();
  }

  Place place(const Json &object) const {
    if (object.contains("cache")) {
      uint64_t layer = get<uint64_t>(object, "cache");
      if (layer >= bundle.manifest().cache()->layers())
        bad("there is no cache ", layer);
      return {fb::ArgKind::Cache, uint32_t(layer), get<uint64_t>(object, "offset", 0)};
    }
    if (object.contains("logits"))
      return {fb::ArgKind::Output, 0, get<uint64_t>(object, "logits")};
    return {fb::ArgKind::Arena, 0, get<uint64_t>(object, "arena")};
  }

  fb::DType dtype(const std::string &name) const {
    for (fb::DType type : fb::EnumValuesDType())
      if (name == dtypeName(type))
        return type;
    bad("there is no dtype '", name, "'");
  }

  void checkRoom(const Case &c, const Place &place, uint64_t bytes) const {
    uint64_t room = roomFor(bundle, c, place);
    if (place.offset > room || bytes > room - place.offset)
      bad("bytes [", place.offset, ", +", bytes, ") of ", room);
  }

  CaseOutput readOutput(const Case &c, const Json &json) const {
    CaseOutput o;
    o.from = place(json);
    o.dtype = dtype(get<std::string>(json, "dtype"));
    o.count = get<uint64_t>(json, "count");
    if (!c.reference || json.contains("expected"))
      o.expected = weight(get<std::string>(json, "expected"));
    if (o.expected && json.contains("indices"))
      o.indices = weight(get<std::string>(json, "indices"));
    o.exact = get<bool>(json, "exact", false);
    if (!o.exact) {
      o.maxL2 = get<double>(json, "l2");
      o.maxAbs = get<double>(json, "max");
    }
    return o;
  }

  void checkOutput(const Case &c, const CaseOutput &o) const {
    if (!o.count || o.count >> 40)
      bad("an output has ", o.count, " elements");
    checkRoom(c, o.from, o.count * elementSize(o.dtype));
    if (!o.expected)
      return;
    const fb::Weight &expected = *bundle.manifest().weights()->Get(*o.expected);
    uint64_t values = expected.bytes() / elementSize(expected.dtype());
    uint64_t wanted = o.count;
    if (o.indices) {
      const fb::Weight &indices = *bundle.manifest().weights()->Get(*o.indices);
      if (indices.dtype() != fb::DType::I32)
        bad("indices '", indices.name()->str(), "' are no I32");
      wanted = indices.bytes() / 4;
    }
    if (values != wanted)
      bad("expected '", expected.name()->str(), "' has ", values, " elements, the output ", wanted);
  }

  const fb::Program &program(const std::string &name) const {
    const fb::Entry *entry = bundle.entry(name);
    if (!entry)
      bad("there is no entry '", name, "'");
    return *entry->programs()->Get(0);
  }

  Case readCase(const Json &json) {
    Case c;
    c.name = get<std::string>(json, "name");
    where = joined("case '", c.name, "'");
    c.program = &program(get<std::string>(json, "entry"));
    if (json.contains("reference"))
      c.reference = &program(get<std::string>(json, "reference"));
    if (!json.contains("dims") || !json["dims"].is_array() || json["dims"].size() != c.dims.size())
      bad("\"dims\" is no list of ", c.dims.size(), " numbers");
    for (size_t i = 0; i < c.dims.size(); ++i)
      c.dims[i] = int64_t(value<uint64_t>(json["dims"][i], "dims"));
    for (const Json &input : json.value("inputs", Json::array())) {
      c.inputs.push_back({weight(get<std::string>(input, "weight")), place(input)});
      checkRoom(c, c.inputs.back().to, weightBytes(c.inputs.back().weight));
    }
    for (const Json &output : json.value("outputs", Json::array())) {
      c.outputs.push_back(readOutput(c, output));
      checkOutput(c, c.outputs.back());
    }
    return c;
  }

  const BundleFile &bundle;
  std::string where;
};

} // namespace

std::vector<Case> readCases(const BundleFile &bundle) { return Reader(bundle).read(); }

uint64_t roomFor(const BundleFile &bundle, const Case &c, const Place &place) {
  const fb::Manifest &m = bundle.manifest();
  if (place.kind == fb::ArgKind::Arena)
    return std::max(c.program->arena_bytes(), c.reference ? c.reference->arena_bytes() : 0);
  if (place.kind == fb::ArgKind::Output)
    return uint64_t(c.program->max_output_rows()) * m.vocab_size() * 4;
  uint64_t bytes = 0;
  for (const CaseInput &input : c.inputs)
    if (input.to.kind == fb::ArgKind::Cache && input.to.layer == place.layer)
      bytes = std::max(bytes, input.to.offset + m.weights()->Get(input.weight)->bytes());
  return bytes;
}

} // namespace moec::rt
