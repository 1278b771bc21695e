#include "codegen/tools/moec/Inspect.h"

#include <algorithm>
#include <cstdio>

using namespace moec;
namespace fb = moec::rt::fb;

namespace {
/// Rows of cells, printed with every column as wide as its widest cell.
class Table {
public:
  void add(std::vector<std::string> row) { rows.push_back(std::move(row)); }
  void print(const char *indent = "  ") const {
    std::vector<size_t> width;
    for (const auto &row : rows) {
      width.resize(std::max(width.size(), row.size()));
      for (size_t i = 0; i < row.size(); ++i)
        width[i] = std::max(width[i], row[i].size());
    }
    for (const auto &row : rows) {
      std::string line = indent;
      for (size_t i = 0; i < row.size(); ++i)
        line += row[i] + std::string(width[i] - row[i].size() + 2, ' ');
      line.erase(line.find_last_not_of(' ') + 1);
      std::puts(line.c_str());
    }
  }

private:
  std::vector<std::vector<std::string>> rows;
};
} // namespace

static std::string sizeText(uint64_t bytes) {
  static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  double value = bytes;
  int unit = 0;
  for (; value >= 1024 && unit < 4; ++unit)
    value /= 1024;
  char text[32];
  std::snprintf(text, sizeof text, unit ? "%.2f %s" : "%.0f %s", value, units[unit]);
  return text;
}

static std::string weightsSummary(const fb::Manifest &m) {
  uint64_t stored = 0, filled = 0, absent = 0;
  for (const fb::Weight *w : *m.weights())
    (w->segment() >= 0 ? stored : w->fill() != fb::FillKind::None ? filled : absent) += w->bytes();
  std::string text = std::to_string(m.weights()->size()) + " buffers";
  if (stored)
    text += ", " + sizeText(stored) + " in the file";
  if (filled)
    text += ", " + sizeText(filled) + " filled from seed " + std::to_string(m.synthetic_seed());
  if (absent)
    text += ", " + sizeText(absent) + " absent (the bundle cannot run)";
  return text;
}

static std::string targetText(const fb::Target &target) {
  std::string text = target.kind()->str() + " " + target.arch()->str();
  if (target.features() && target.features()->size()) {
    text += " (";
    for (const flatbuffers::String *feature : *target.features())
      text += (text.back() == '(' ? "" : " ") + feature->str();
    text += ")";
  }
  return text;
}

static void printHead(const rt::BundleFile &bundle) {
  const fb::Manifest &m = bundle.manifest();
  Table table;
  table.add({"bundle", bundle.path() + ", " + sizeText(bundle.fileBytes())});
  table.add({"model", m.model_type()->str() + " " + textOf(m.model_name()) + ", vocabulary " +
                          std::to_string(m.vocab_size())});
  table.add({"target", targetText(*m.target())});
  table.add({"limits", std::to_string(m.max_batch()) + " sequences of " +
                           std::to_string(m.max_context()) + " tokens"});
  const fb::CacheLayout &cache = *m.cache();
  table.add({"cache", std::to_string(cache.layers()) + " layers of " +
                          std::to_string(cache.row_width()) + " " + typeText(cache.dtype()) +
                          " a token, pages of " + std::to_string(cache.page_rows()) + " tokens, " +
                          std::to_string(m.pages_per_sequence()) + " a sequence"});
  table.add({"weights", weightsSummary(m)});
  table.add({"compiler", textOf(m.compiler())});
  table.print("");
}

static void printPairs(const char *title,
                       const flatbuffers::Vector<flatbuffers::Offset<fb::KeyValue>> *pairs) {
  std::printf("\n%s\n", title);
  Table table;
  if (pairs)
    for (const fb::KeyValue *pair : *pairs)
      table.add({pair->key()->str(), pair->value()->str()});
  table.print();
}

static void printEntries(const fb::Manifest &m) {
  std::puts("\nentries");
  Table table;
  table.add({"", "tokens", "sequences", "output rows", "launches", "arena"});
  for (const fb::Entry *entry : *m.entries())
    for (const fb::Program *p : *entry->programs())
      table.add({entry->name()->str(), std::to_string(p->max_tokens()),
                 std::to_string(p->max_sequences()), std::to_string(p->max_output_rows()),
                 std::to_string(p->launches()->size()), sizeText(p->arena_bytes())});
  table.print();
}

static void printImages(const fb::Manifest &m) {
  std::puts("\nimages");
  Table table;
  for (const fb::Image *image : *m.images())
    table.add({image->format()->str(), sizeText(m.segments()->Get(image->segment())->size()),
               image->alternative() < 0 ? "" : "else " + std::to_string(image->alternative())});
  table.print();
}

/// What a kernel takes of a multiprocessor, and what it spills.
static void printCudaKernels(const fb::Manifest &m) {
  std::vector<uint64_t> launches = countLaunches(m);
  Table table;
  table.add({"", "hero", "launches", "threads", "shared", "registers", "spills", "blocks per core",
             "cluster", "at most", "early", "maps", "schedule"});
  for (unsigned i = 0; i < m.kernels()->size(); ++i) {
    const fb::Kernel &k = *m.kernels()->Get(i);
    table.add(
        {k.symbol()->str(), textOf(k.hero()), std::to_string(launches[i]),
         std::to_string(k.threads()), sizeText(k.shared_bytes()), std::to_string(k.registers()),
         sizeText(k.spill_bytes()), std::to_string(k.blocks_per_core()),
         std::to_string(k.cluster()), k.max_blocks() ? std::to_string(k.max_blocks()) : "tiles",
         k.early_launch() ? "yes" : "no",
         std::to_string(k.tensor_maps() ? k.tensor_maps()->size() : 0), textOf(k.schedule())});
  }
  table.print();
}

/// What a kernel takes of a compute unit, as its code object says.
static void printHipKernels(const fb::Manifest &m) {
  std::vector<uint64_t> launches = countLaunches(m);
  Table table;
  table.add({"", "hero", "launches", "threads", "LDS", "VGPRs", "AGPRs", "SGPRs", "scratch",
             "groups per unit", "schedule"});
  for (unsigned i = 0; i < m.kernels()->size(); ++i) {
    const fb::Kernel &k = *m.kernels()->Get(i);
    table.add({k.symbol()->str(), textOf(k.hero()), std::to_string(launches[i]),
               std::to_string(k.threads()), sizeText(k.shared_bytes()),
               std::to_string(k.registers()), std::to_string(k.accumulator_registers()),
               std::to_string(k.scalar_registers()), sizeText(k.spill_bytes()),
               std::to_string(k.blocks_per_core()), textOf(k.schedule())});
  }
  table.print();
}

static void printKernels(const fb::Manifest &m) {
  std::printf("\nkernels (%u)\n", unsigned(m.kernels()->size()));
  if (m.target()->kind()->string_view() == "cuda")
    return printCudaKernels(m);
  if (m.target()->kind()->string_view() == "hip")
    return printHipKernels(m);
  std::vector<uint64_t> launches = countLaunches(m);
  Table table;
  table.add({"", "hero", "launches", "workspace", "schedule"});
  for (unsigned i = 0; i < m.kernels()->size(); ++i) {
    const fb::Kernel &k = *m.kernels()->Get(i);
    table.add({k.symbol()->str(), textOf(k.hero()), std::to_string(launches[i]),
               sizeText(k.workspace_bytes()), textOf(k.schedule())});
  }
  table.print();
}

static std::string placeText(const fb::Manifest &m, const fb::Weight &w) {
  if (w.segment() >= 0)
    return "at " + std::to_string(m.segments()->Get(w.segment())->offset());
  if (w.fill() == fb::FillKind::None)
    return "absent";
  char text[64];
  std::snprintf(text, sizeof text, "%s %g",
                w.fill() == fb::FillKind::Normal ? "normal, deviation" : "constant",
                double(w.fill_scale()));
  return text;
}

static void printWeights(const fb::Manifest &m) {
  std::puts("\nweights");
  Table table;
  for (const fb::Weight *w : *m.weights()) {
    std::string shape;
    for (uint64_t extent : *w->shape())
      shape += (shape.empty() ? "" : "x") + std::to_string(extent);
    table.add(
        {w->name()->str(), shape, typeText(w->dtype()), sizeText(w->bytes()), placeText(m, *w)});
  }
  table.print();
}

static void printPlan(const fb::Manifest &m) {
  for (const fb::Entry *entry : *m.entries())
    for (const fb::Program *p : *entry->programs()) {
      std::printf("\n%s, up to %u tokens\n", entry->name()->c_str(), p->max_tokens());
      for (const fb::Launch *launch : *p->launches()) {
        std::string args;
        for (const fb::Arg *arg : *launch->args())
          args += (args.empty() ? "" : ", ") + argText(m, *arg);
        std::printf("  %s(%s) grid %s%s%s\n", m.kernels()->Get(launch->kernel())->symbol()->c_str(),
                    args.c_str(), gridText(*launch->grid()).c_str(), launch->label() ? "  # " : "",
                    textOf(launch->label()).c_str());
      }
    }
}

void moec::inspectAsText(const rt::BundleFile &bundle, const InspectOptions &options) {
  const fb::Manifest &m = bundle.manifest();
  printHead(bundle);
  printPairs("sources", m.provenance());
  printPairs("numerics", m.numerics());
  printEntries(m);
  printImages(m);
  printKernels(m);
  if (options.weights)
    printWeights(m);
  if (options.plan)
    printPlan(m);
}
