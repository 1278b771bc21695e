#include "runtime/text/PreTokenizer.h"
#include "runtime/text/Normalizer.h"
#include "runtime/text/TextError.h"
#include "runtime/text/Utf8.h"

#include <cctype>

namespace moec::rt::text {

namespace {

// The pattern that ByteLevel applies by itself with use_regex (GPT-2's).
constexpr const char *gpt2Pattern =
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|"
    "\\s+(?!\\S)|\\s+";

std::string escapedLiteral(const std::string &text) {
  std::string pattern;
  for (char c : text) {
    if (static_cast<unsigned char>(c) < 0x80 && !std::isalnum(c))
      pattern.push_back('\\');
    pattern.push_back(c);
  }
  return pattern;
}

} // namespace

PreTokenizer PreTokenizer::fromJson(const JsonView &json) {
  PreTokenizer result;
  if (json.isNull())
    return result;
  const std::string &type = json.at("type").asString();
  if (type == "Metaspace") {
    result.readMetaspace(json);
    return result;
  }
  if (type == "Sequence") {
    JsonView list = json.at("pretokenizers");
    list.requireArray();
    for (size_t i = 0; i < list.size(); ++i)
      result.addStage(list.at(i));
  } else {
    result.addStage(json);
  }
  if (!result.byteLevelSeen)
    throw TextError(json.path() + " has no ByteLevel; supported: a Sequence that ends in "
                                  "ByteLevel, ByteLevel, Metaspace, null");
  return result;
}

void PreTokenizer::addStage(const JsonView &stage) {
  const std::string &type = stage.at("type").asString();
  if (byteLevelSeen)
    throw TextError(stage.path() + " is a " + type +
                    " after ByteLevel; ByteLevel is supported only at the end");
  if (type == "Split")
    addSplit(stage);
  else if (type == "Digits")
    stages.emplace_back(stage.boolOr("individual_digits", false) ? "\\p{N}" : "\\p{N}+",
                        stage.path());
  else if (type == "ByteLevel")
    addByteLevel(stage);
  else
    stage.at("type").unsupported("Split, Digits, ByteLevel");
}

void PreTokenizer::addSplit(const JsonView &stage) {
  if (stage.at("behavior").asString() != "Isolated")
    stage.at("behavior").unsupported("\"Isolated\"");
  stage.allowOnly("invert", false);
  JsonView pattern = stage.at("pattern");
  if (pattern.has("Regex")) {
    JsonView regex = pattern.at("Regex");
    stages.emplace_back(regex.asString(), regex.path());
  } else if (pattern.has("String")) {
    JsonView text = pattern.at("String");
    if (text.asString().empty())
      text.unsupported("a string that is not empty");
    stages.emplace_back(escapedLiteral(text.asString()), text.path());
  } else {
    pattern.unsupported("an object with the key Regex or String");
  }
}

void PreTokenizer::addByteLevel(const JsonView &stage) {
  byteLevelSeen = true;
  prefixSpace = stage.boolOr("add_prefix_space", true);
  bool ownRegex = stage.boolOr("use_regex", true);
  if (prefixSpace && ownRegex)
    throw TextError(stage.path() + " has add_prefix_space with use_regex, which is not "
                                   "supported together; supported: one of the two");
  if (ownRegex)
    stages.emplace_back(gpt2Pattern, stage.path());
}

void PreTokenizer::readMetaspace(const JsonView &metaspace) {
  spaceMark = metaspace.at("replacement").asString();
  if (spaceMark.empty() || utf8Step(spaceMark).length != spaceMark.size())
    metaspace.at("replacement").unsupported("one character");
  std::string scheme = metaspace.stringOr(
      "prepend_scheme", metaspace.boolOr("add_prefix_space", true) ? "always" : "never");
  if (scheme == "never")
    markInFront = Never;
  else if (scheme == "first")
    markInFront = First;
  else if (scheme != "always")
    metaspace.at("prepend_scheme").unsupported("\"always\", \"first\", \"never\"");
  std::string mark = escapedLiteral(spaceMark);
  if (metaspace.boolOr("split", true)) // each mark begins a word
    stages.emplace_back(mark + "[^" + mark + "]*", metaspace.path());
}

std::string PreTokenizer::rewrite(std::string_view text, bool atStart) const {
  std::string out = replaceAll(text, " ", spaceMark);
  bool inFront = markInFront == Always || (markInFront == First && atStart);
  if (inFront && !out.starts_with(spaceMark))
    out.insert(0, spaceMark);
  return out;
}

std::vector<std::string_view> PreTokenizer::split(std::string_view text,
                                                  const RegexBudget &budget) const {
  std::vector<std::string_view> pieces{text}, next;
  for (const SplitRegex &stage : stages) {
    next.clear();
    for (std::string_view piece : pieces)
      stage.split(piece, next, budget);
    pieces.swap(next);
  }
  return pieces;
}

} // namespace moec::rt::text
