#include "runtime/text/Normalizer.h"
#include "runtime/text/TextError.h"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <utf8proc.h>

namespace moec::rt::text {

namespace {

constexpr const char *supported = "NFC, NFD, NFKC, NFKD, Prepend, Replace of a string, or a "
                                  "Sequence of these";

// A hostile file must not let a short text grow without end.
constexpr size_t maxSteps = 32;
constexpr size_t maxGrowth = 64; // times, and some more for short texts
constexpr size_t shortText = 1 << 16;

struct NormalForm {
  const char *type;
  int options;
};
constexpr NormalForm normalForms[] = {
    {"NFC", UTF8PROC_STABLE | UTF8PROC_COMPOSE},
    {"NFD", UTF8PROC_STABLE | UTF8PROC_DECOMPOSE},
    {"NFKC", UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT},
    {"NFKD", UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT},
};

// No normal form changes ASCII.
bool isAscii(std::string_view text) {
  return std::none_of(text.begin(), text.end(),
                      [](char c) { return static_cast<unsigned char>(c) >= 0x80; });
}

std::string toNormalForm(std::string_view text, int options) {
  if (isAscii(text))
    return std::string(text);
  utf8proc_uint8_t *out = nullptr;
  utf8proc_ssize_t size =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t *>(text.data()),
                   utf8proc_ssize_t(text.size()), &out, utf8proc_option_t(options));
  std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owned(out, &std::free);
  if (size < 0)
    throw TextError(std::string("Unicode normalization failed: ") + utf8proc_errmsg(size));
  return std::string(reinterpret_cast<const char *>(out), size_t(size));
}

} // namespace

std::string replaceAll(std::string_view text, std::string_view from, std::string_view to,
                       size_t maxBytes) {
  std::string out;
  size_t at = 0;
  for (;;) {
    size_t end = text.find(from, at);
    out.append(text.substr(at, end - at));
    if (end == std::string_view::npos)
      return out;
    out.append(to);
    if (out.size() > maxBytes)
      throw TextError("normalizing the text would make it longer than " + std::to_string(maxBytes) +
                      " bytes");
    at = end + from.size();
  }
}

const std::string &replacementString(const JsonView &json) {
  if (json.asString().size() > maxReplacementBytes)
    json.unsupported("at most " + std::to_string(maxReplacementBytes) + " bytes");
  return json.asString();
}

Normalizer Normalizer::fromJson(const JsonView &normalizer) {
  Normalizer result;
  if (!normalizer.isNull())
    result.add(normalizer);
  return result;
}

void Normalizer::add(const JsonView &json) {
  JsonView type = json.at("type");
  const std::string &name = type.asString();
  if (steps.size() == maxSteps)
    type.unsupported("at most " + std::to_string(maxSteps) + " normalizers");
  for (const NormalForm &form : normalForms)
    if (name == form.type)
      return steps.push_back({Step::NormalForm, form.options, "", ""});
  if (name == "Prepend") {
    steps.push_back({Step::Prepend, 0, "", replacementString(json.at("prepend"))});
  } else if (name == "Replace") {
    JsonView pattern = json.at("pattern");
    if (!pattern.has("String") || pattern.at("String").asString().empty())
      pattern.unsupported("an object with the key String, not empty");
    steps.push_back(
        {Step::Replace, 0, pattern.at("String").asString(), replacementString(json.at("content"))});
  } else if (name == "Sequence") {
    JsonView list = json.at("normalizers");
    list.requireArray();
    for (size_t i = 0; i < list.size(); ++i)
      add(list.at(i));
  } else {
    type.unsupported(supported);
  }
}

std::string Normalizer::apply(std::string_view text) const {
  std::string out(text);
  size_t maxBytes = maxGrowth * text.size() + shortText;
  for (const Step &step : steps) {
    if (step.kind == Step::NormalForm)
      out = toNormalForm(out, step.options);
    else if (step.kind == Step::Replace)
      out = replaceAll(out, step.from, step.to, maxBytes);
    else if (!out.empty())
      out.insert(0, step.to);
  }
  return out;
}

} // namespace moec::rt::text
