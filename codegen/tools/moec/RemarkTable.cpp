#include "codegen/tools/moec/RemarkTable.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"

#include <array>
#include <map>

using namespace llvm;
using namespace moec;

static constexpr LayerKind kKinds[] = {LayerKind::Dense, LayerKind::Moe, LayerKind::Outside};

//===----------------------------------------------------------------------===//
// Lists of numbers and names
//===----------------------------------------------------------------------===//

std::string moec::rangesText(ArrayRef<int64_t> numbers) {
  std::string text;
  for (size_t begin = 0, end; begin < numbers.size(); begin = end) {
    for (end = begin + 1; end < numbers.size() && numbers[end] == numbers[end - 1] + 1; ++end)
      ;
    text += (text.empty() ? "" : ",") + itostr(numbers[begin]);
    if (end > begin + 1)
      text += "-" + itostr(numbers[end - 1]);
  }
  return text;
}

std::string moec::functionsText(std::vector<std::string> functions) {
  llvm::sort(functions, [](StringRef a, StringRef b) { return a.compare_numeric(b) < 0; });
  std::string text;
  StringRef family; // "decode_" of "decode_4"
  for (StringRef function : functions) {
    StringRef base = function.rtrim("0123456789");
    bool numbered = base.ends_with("_") && base != function;
    if (numbered && base == family) {
      text += "," + function.drop_front(base.size()).str();
      continue;
    }
    text += (text.empty() ? "" : " ") + function.str();
    family = numbered ? base : "";
  }
  return text;
}

/// Columns as wide as their widest cell, but for the last.
static void printColumns(ArrayRef<std::vector<std::string>> rows, raw_ostream &os) {
  std::vector<size_t> widths;
  for (const auto &row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (auto [cell, width] : zip(row, widths))
      width = std::max(width, cell.size());
  }
  for (const auto &row : rows) {
    std::string line;
    for (auto [cell, width] : zip(row, widths))
      line += cell + std::string(width - cell.size() + 2, ' ');
    os << StringRef(line).rtrim() << "\n";
  }
}

//===----------------------------------------------------------------------===//
// Remarks, alike ones in one row
//===----------------------------------------------------------------------===//

namespace {
/// A remark without its layer's number and function.
struct Pattern {
  std::string outcome, pass, place, op, text; // places with "*" for the number
  auto operator<=>(const Pattern &) const = default;
};
} // namespace

static void replaceAll(std::string &text, StringRef from, StringRef to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

/// "layers.3" to {"layers.", 3}.
static std::pair<StringRef, int64_t> splitLayer(StringRef layer) {
  auto [stem, number] = layer.rsplit('.');
  int64_t value = 0;
  if (number.getAsInteger(10, value))
    return {layer, 0};
  return {layer.take_front(stem.size() + 1), value};
}

static Pattern getPattern(const LoggedRemark &remark) {
  Pattern pattern{remark.outcome, remark.pass, remark.place, remark.op, remark.text};
  StringRef layer = getLayer(remark.place);
  if (layer.empty())
    return pattern;
  std::string general = splitLayer(layer).first.str() + "*.";
  replaceAll(pattern.place, layer.str() + ".", general);
  replaceAll(pattern.text, layer.str() + ".", general);
  return pattern;
}

/// The pattern's place with the layers' numbers: "layers.3-60.mlp.gate (x58)".
static std::string placeText(const Pattern &pattern, std::vector<int64_t> layers, size_t count) {
  std::string text = pattern.place;
  llvm::sort(layers);
  layers.erase(llvm::unique(layers), layers.end());
  if (size_t at = text.find("*."); at != std::string::npos)
    text.replace(at, 1, rangesText(layers));
  if (count > 1)
    text += " (x" + utostr(count) + ")";
  return text;
}

using NumbersByFunction = std::map<std::string, std::vector<int64_t>>;

/// One row for all functions in which the same layers have the remark.
static void addRows(const Pattern &pattern, const NumbersByFunction &byFunction,
                    std::vector<std::vector<std::string>> &rows) {
  std::vector<std::pair<const std::vector<int64_t> *, std::vector<std::string>>> groups;
  for (const auto &[function, numbers] : byFunction) {
    auto group = find_if(groups, [&](auto &group) { return *group.first == numbers; });
    if (group == groups.end())
      group = groups.emplace(groups.end(), &numbers, std::vector<std::string>());
    group->second.push_back(function);
  }
  for (const auto &[numbers, functions] : groups)
    rows.push_back({pattern.outcome, pattern.pass, functionsText(functions),
                    placeText(pattern, *numbers, numbers->size()), pattern.op, pattern.text});
}

static void printRemarks(const RemarkLog &log, raw_ostream &os) {
  std::map<Pattern, size_t> indices;
  std::vector<std::pair<Pattern, NumbersByFunction>> patterns; // as first made
  for (const LoggedRemark &remark : log.getRemarks()) {
    Pattern pattern = getPattern(remark);
    auto [index, isNew] = indices.try_emplace(pattern, patterns.size());
    if (isNew)
      patterns.emplace_back(std::move(pattern), NumbersByFunction());
    StringRef layer = getLayer(remark.place);
    patterns[index->second].second[remark.function].push_back(splitLayer(layer).second);
  }
  std::vector<std::vector<std::string>> rows = {
      {"outcome", "pass", "function", "place", "op", "what or why"}};
  for (const auto &[pattern, byFunction] : patterns)
    addRows(pattern, byFunction, rows);
  printColumns(rows, os);
}

//===----------------------------------------------------------------------===//
// How often each fusion fired
//===----------------------------------------------------------------------===//

namespace {
struct Count {
  unsigned fired = 0, refused = 0;
  bool operator==(const Count &) const = default;
};
using Counts = std::array<Count, std::size(kKinds)>;

/// What became of one fusion.
struct Tally {
  std::map<std::string, Counts> byFunction;
  std::map<std::string, unsigned> reasons; // of refusals, without numbers of layers
  unsigned fired = 0, refused = 0;
};
} // namespace

static Tally countFusion(const RemarkLog &log, StringRef name) {
  Tally tally;
  for (const LoggedRemark &remark : log.getRemarks()) {
    if (remark.pass != name || remark.outcome == "analysis")
      continue;
    Count &count = tally.byFunction[remark.function][size_t(log.getKind(remark.place))];
    if (remark.outcome == "passed") {
      ++count.fired, ++tally.fired;
    } else {
      ++count.refused, ++tally.refused;
      ++tally.reasons[getPattern(remark).text];
    }
  }
  return tally;
}

static std::string countText(const Count &count) {
  if (!count.fired && !count.refused)
    return "-";
  std::string text = utostr(count.fired);
  return count.refused ? text + ", " + utostr(count.refused) + " refused" : text;
}

static void addTally(StringRef name, const Tally &tally,
                     std::vector<std::vector<std::string>> &rows) {
  std::vector<std::pair<Counts, std::vector<std::string>>> groups;
  for (const auto &[function, counts] : tally.byFunction) {
    auto group = find_if(groups, [&](auto &group) { return group.first == counts; });
    if (group == groups.end())
      group = groups.emplace(groups.end(), counts, std::vector<std::string>());
    group->second.push_back(function);
  }
  for (const auto &[counts, functions] : groups) {
    std::vector<std::string> row = {name.str(), functionsText(functions)};
    for (const Count &count : counts)
      row.push_back(countText(count));
    rows.push_back(std::move(row));
    name = "";
  }
}

/// Why a fusion that did not fire did not.
static std::string explainSilence(const Tally &tally, bool disabled) {
  if (disabled)
    return "disabled";
  if (tally.reasons.empty())
    return "nothing to do";
  auto most = max_element(tally.reasons, less_second());
  if (tally.reasons.size() == 1)
    return "refused " + utostr(tally.refused) + " times: " + most->first;
  return "refused " + utostr(tally.refused) + " times, " + utostr(most->second) +
         " of them: " + most->first;
}

static void printSummary(const RemarkLog &log, ArrayRef<FusionSwitch> fusions, raw_ostream &os) {
  std::vector<std::vector<std::string>> rows = {{"fired", "function"}}, silent;
  for (LayerKind kind : kKinds) {
    std::string title = layerKindText(kind).str();
    if (kind != LayerKind::Outside)
      title += " (" + utostr(log.countLayers(kind)) + ")";
    rows.front().push_back(title);
  }
  for (const FusionSwitch &fusion : fusions) {
    Tally tally = countFusion(log, fusion.name);
    if (tally.fired)
      addTally(fusion.name, tally, rows);
    else
      silent.push_back({fusion.name, explainSilence(tally, fusion.disabled)});
  }
  printColumns(rows, os);
  if (silent.empty())
    return;
  os << "\nnever fired\n";
  printColumns(silent, os);
}

void moec::printRemarkTable(const RemarkLog &log, ArrayRef<FusionSwitch> fusions, raw_ostream &os) {
  printRemarks(log, os);
  os << "\n";
  printSummary(log, fusions, os);
}

//===----------------------------------------------------------------------===//
// JSON
//===----------------------------------------------------------------------===//

void moec::printRemarkJson(const RemarkLog &log, ArrayRef<FusionSwitch> fusions, raw_ostream &os) {
  json::OStream out(os, /*IndentSize=*/1);
  out.object([&] {
    out.attributeArray("remarks", [&] {
      for (const LoggedRemark &remark : log.getRemarks())
        out.object([&] {
          out.attribute("outcome", remark.outcome);
          out.attribute("pass", remark.pass);
          out.attribute("function", remark.function);
          out.attribute("place", remark.place);
          out.attribute("in", layerKindText(log.getKind(remark.place)));
          out.attribute("op", remark.op);
          out.attribute("text", remark.text);
        });
    });
    out.attributeObject("never_fired", [&] {
      for (const FusionSwitch &fusion : fusions) {
        Tally tally = countFusion(log, fusion.name);
        if (!tally.fired)
          out.attribute(fusion.name, explainSilence(tally, fusion.disabled));
      }
    });
  });
  os << "\n";
}
