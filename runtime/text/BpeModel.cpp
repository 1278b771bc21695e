#include "runtime/text/BpeModel.h"
#include "runtime/text/ByteAlphabet.h"
#include "runtime/text/TextError.h"
#include "runtime/text/TokenDecoder.h"
#include "runtime/text/Utf8.h"

#include <algorithm>

namespace moec::rt::text {

namespace {

uint64_t pairKey(int32_t left, int32_t right) {
  return uint64_t(uint32_t(left)) << 32 | uint32_t(right);
}

} // namespace

BpeModel BpeModel::fromJson(const JsonView &model) {
  model.requireObject();
  if (model.at("type").asString() != "BPE")
    model.at("type").unsupported("\"BPE\"");
  if (model.has("dropout") && model.at("dropout").raw() != Json(0.0))
    model.at("dropout").unsupported("null");
  model.allowOnly("continuing_subword_prefix", "");
  model.allowOnly("end_of_word_suffix", "");

  BpeModel result;
  result.byteFallback = model.boolOr("byte_fallback", false);
  // With a token for each byte nothing is ever unknown.
  if (!result.byteFallback)
    model.allowOnly("unk_token", nullptr);
  result.readVocab(model.at("vocab"));
  result.readBytes(model.at("vocab"));
  result.readMerges(model.at("merges"));
  result.ignoreMerges = model.boolOr("ignore_merges", false);
  if (result.ignoreMerges)
    for (const auto &[spelling, id] : result.idOfSpelling) {
      if (result.byteFallback)
        result.idOfBytes.emplace(spelling, id);
      else if (auto bytes = bytesOfSpelling(spelling))
        result.idOfBytes.emplace(std::move(*bytes), id);
    }
  return result;
}

void BpeModel::readVocab(const JsonView &vocab) {
  vocab.requireObject();
  std::unordered_map<int32_t, const std::string *> spellingOfId;
  idOfSpelling.reserve(vocab.size());
  for (const auto &[spelling, value] : vocab.raw().items()) {
    JsonView entry(value, vocab.path() + "['" + spelling + "']");
    int64_t id = entry.asInt();
    if (id < 0 || id > maxTokenId)
      throw TextError(entry.path() + " is " + std::to_string(id) + ", expected an id of 0 to " +
                      std::to_string(maxTokenId));
    auto placed = idOfSpelling.emplace(spelling, int32_t(id)).first;
    auto [other, isNew] = spellingOfId.emplace(int32_t(id), &placed->first);
    if (!isNew)
      throw TextError(entry.path() + " is " + std::to_string(id) + ", which '" + *other->second +
                      "' has already");
  }
}

// The tokens that merging begins with.
void BpeModel::readBytes(const JsonView &vocab) {
  for (int byte = 0; byte < 256; ++byte) {
    std::string spelling = byteFallback ? fallbackToken(static_cast<unsigned char>(byte))
                                        : spellingOfBytes(std::string(1, char(byte)));
    auto entry = idOfSpelling.find(spelling);
    if (entry == idOfSpelling.end())
      throw TextError(vocab.path() + " has no token '" + spelling + "' for byte " +
                      std::to_string(byte) + "; a vocabulary " +
                      (byteFallback ? "with byte_fallback" : "of the byte level") +
                      " holds all 256");
    idOfByte[byte] = entry->second;
  }
  if (!byteFallback)
    return;
  for (const auto &[spelling, id] : idOfSpelling)
    if (Utf8Step step = spelling.empty() ? Utf8Step{} : utf8Step(spelling);
        step.kind == Utf8Step::Valid && step.length == spelling.size())
      idOfChar.emplace(step.codePoint, id);
}

// Each merge is "left right" or ["left", "right"]; its place is its rank.
void BpeModel::readMerges(const JsonView &list) {
  list.requireArray();
  merges.reserve(list.size());
  for (size_t i = 0; i < list.size(); ++i) {
    JsonView entry = list.at(i);
    if (entry.raw().is_array()) {
      if (entry.size() != 2)
        throw TextError(entry.path() + " has " + std::to_string(entry.size()) +
                        " parts, expected 2");
      addMerge(entry, entry.at(size_t(0)).asString(), entry.at(1).asString(), uint32_t(i));
      continue;
    }
    const std::string &pair = entry.asString();
    size_t space = pair.find(' ');
    if (space == std::string::npos || pair.find(' ', space + 1) != std::string::npos)
      throw TextError(entry.path() + " is \"" + pair +
                      "\", expected two tokens with one space between");
    addMerge(entry, pair.substr(0, space), pair.substr(space + 1), uint32_t(i));
  }
}

void BpeModel::addMerge(const JsonView &at, const std::string &left, const std::string &right,
                        uint32_t rank) {
  auto idOf = [&](const std::string &spelling) {
    auto entry = idOfSpelling.find(spelling);
    if (entry == idOfSpelling.end())
      throw TextError(at.path() + " names '" + spelling + "', which the vocabulary lacks");
    return entry->second;
  };
  int32_t leftId = idOf(left), rightId = idOf(right);
  // Of a pair listed twice the later rank counts, as in Hugging Face's reader.
  merges.insert_or_assign(pairKey(leftId, rightId), Merge{rank, idOf(left + right)});
}

const BpeModel::Merge *BpeModel::mergeOf(int32_t left, int32_t right) const {
  auto entry = merges.find(pairKey(left, right));
  return entry == merges.end() ? nullptr : &entry->second;
}

// The word as a linked list of symbols, and a heap of merges that were
// possible when they were pushed; stale ones are recognised when popped.
struct BpeModel::Scratch {
  struct Symbol {
    int32_t id; // -1: merged into its left neighbour
    uint32_t previous, next;
  };
  struct Candidate {
    uint32_t rank, left; // `left`: index of the pair's first symbol
    int32_t id;
    // For the heap: lowest rank on top, leftmost among equals.
    bool operator<(const Candidate &other) const {
      return rank != other.rank ? rank > other.rank : left > other.left;
    }
  };
  static constexpr uint32_t none = UINT32_MAX;

  std::vector<Symbol> symbols;
  std::vector<Candidate> heap;
};

void BpeModel::mergeAll(Scratch &scratch) const {
  auto &symbols = scratch.symbols;
  auto &heap = scratch.heap;
  auto consider = [&](uint32_t left) {
    uint32_t right = left == Scratch::none ? left : symbols[left].next;
    if (right == Scratch::none)
      return false;
    const Merge *merge = mergeOf(symbols[left].id, symbols[right].id);
    if (merge)
      heap.push_back({merge->rank, left, merge->id});
    return merge != nullptr;
  };
  for (uint32_t i = 0; i < symbols.size(); ++i)
    consider(i);
  std::make_heap(heap.begin(), heap.end());

  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end());
    Scratch::Candidate best = heap.back();
    heap.pop_back();
    Scratch::Symbol &left = symbols[best.left];
    if (left.id < 0 || left.next == Scratch::none)
      continue;
    Scratch::Symbol &right = symbols[left.next];
    const Merge *merge = mergeOf(left.id, right.id);
    if (!merge || merge->id != best.id)
      continue;
    left.id = best.id;
    right.id = -1;
    left.next = right.next;
    if (left.next != Scratch::none)
      symbols[left.next].previous = best.left;
    if (consider(left.previous))
      std::push_heap(heap.begin(), heap.end());
    if (consider(best.left))
      std::push_heap(heap.begin(), heap.end());
  }
}

void BpeModel::addSymbols(std::string_view word, Scratch &scratch) const {
  auto &symbols = scratch.symbols;
  auto add = [&](int32_t id) {
    uint32_t place = uint32_t(symbols.size());
    symbols.push_back({id, place == 0 ? Scratch::none : place - 1, place + 1});
  };
  while (!word.empty()) {
    size_t length = 1;
    auto known = idOfChar.end();
    if (byteFallback) {
      Utf8Step step = utf8Step(word);
      length = step.length;
      known = idOfChar.find(step.codePoint);
    }
    if (known != idOfChar.end())
      add(known->second);
    else
      for (char byte : word.substr(0, length))
        add(idOfByte[static_cast<unsigned char>(byte)]);
    word.remove_prefix(length);
  }
  if (!symbols.empty())
    symbols.back().next = Scratch::none;
}

void BpeModel::encodeWord(std::string_view word, std::vector<int32_t> &ids) const {
  if (ignoreMerges) {
    auto whole = idOfBytes.find(std::string(word));
    if (whole != idOfBytes.end()) {
      ids.push_back(whole->second);
      return;
    }
  }
  Scratch scratch;
  scratch.symbols.reserve(word.size());
  addSymbols(word, scratch);
  mergeAll(scratch);
  for (const Scratch::Symbol &symbol : scratch.symbols)
    if (symbol.id >= 0)
      ids.push_back(symbol.id);
}

} // namespace moec::rt::text
