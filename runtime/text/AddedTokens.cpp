#include "runtime/text/AddedTokens.h"
#include "runtime/text/SplitRegex.h"
#include "runtime/text/Utf8.h"

namespace moec::rt::text {

namespace {

// Whether the first / last character of `text` is one of a word.
bool isWordChar(std::string_view oneChar) {
  static const SplitRegex word("\\w", "word characters");
  std::vector<std::string_view> pieces;
  // Between "." on both sides only a word character is cut out by itself.
  std::string framed = "." + std::string(oneChar) + ".";
  word.split(framed, pieces, RegexBudget(framed.size()));
  return pieces.size() == 3;
}

bool startsWithWord(std::string_view text) {
  return !text.empty() && isWordChar(text.substr(0, utf8Step(text).length));
}

bool endsWithWord(std::string_view text) {
  return !text.empty() && isWordChar(text.substr(lastCharStart(text)));
}

} // namespace

void AddedTokens::Trie::insert(std::string_view content, int32_t tokenIndex) {
  uint32_t node = 0;
  first[static_cast<unsigned char>(content[0])] = true;
  for (char c : content) {
    uint64_t key = uint64_t(node) << 8 | static_cast<unsigned char>(c);
    auto [edge, isNew] = edges.try_emplace(key, uint32_t(tokenAt.size()));
    if (isNew)
      tokenAt.push_back(-1);
    node = edge->second;
  }
  tokenAt[node] = tokenIndex;
}

int32_t AddedTokens::Trie::longestAt(std::string_view text) const {
  if (!first[static_cast<unsigned char>(text[0])])
    return -1;
  uint32_t node = 0;
  int32_t found = -1;
  for (char c : text) {
    auto edge = edges.find(uint64_t(node) << 8 | static_cast<unsigned char>(c));
    if (edge == edges.end())
      break;
    node = edge->second;
    if (tokenAt[node] >= 0)
      found = tokenAt[node];
  }
  return found;
}

void AddedTokens::add(AddedToken token, const Normalizer &normalizer) {
  if (token.normalized)
    token.content = normalizer.apply(token.content);
  if (token.content.empty()) // nothing in a text looks like it
    return;
  Trie &trie = token.normalized ? normalized : raw;
  trie.insert(token.content, int32_t(tokens.size()));
  tokens.push_back(std::move(token));
}

void AddedTokens::splitRound(const Trie &trie, TextSpan whole, std::vector<TextSpan> &spans) const {
  std::string_view text = whole.text;
  auto emit = [&](size_t begin, size_t end, int32_t id) {
    spans.push_back({text.substr(begin, end - begin), id, whole.atStart && begin == 0});
  };
  auto emitText = [&](size_t begin, size_t end) {
    if (begin < end)
      emit(begin, end, -1);
  };
  size_t done = 0; // everything before is in `spans`
  size_t at = 0;   // where to look for the next token
  while (at < text.size() && !trie.empty()) {
    int32_t index = trie.longestAt(text.substr(at));
    if (index < 0) {
      ++at;
      continue;
    }
    const AddedToken &token = tokens[index];
    size_t begin = at, end = at + token.content.size();
    at = end;
    if (token.singleWord &&
        (endsWithWord(text.substr(0, begin)) || startsWithWord(text.substr(end))))
      continue;
    if (token.lstrip) // but no white space that the token before has taken
      begin -= runAtEnd(text.substr(done, begin - done), isWhiteSpace);
    if (token.rstrip)
      end += runAtStart(text.substr(end), isWhiteSpace);
    emitText(done, begin);
    emit(begin, end, token.id);
    done = at = end;
  }
  emitText(done, text.size());
}

SplitText AddedTokens::split(std::string_view text, const Normalizer &normalizer) const {
  std::vector<TextSpan> rough;
  splitRound(raw, {text, -1, true}, rough);
  SplitText result;
  for (TextSpan &span : rough) {
    if (span.id >= 0) {
      result.spans.push_back(span);
      continue;
    }
    if (!normalizer.isIdentity())
      span.text = result.normalized.emplace_back(normalizer.apply(span.text));
    splitRound(normalized, span, result.spans);
  }
  return result;
}

} // namespace moec::rt::text
