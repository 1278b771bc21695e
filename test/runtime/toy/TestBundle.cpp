#include "test/runtime/toy/TestBundle.h"

#include "runtime/bundle/Format.h"

#include <atomic>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <unistd.h>

namespace moec::rt::test {
namespace {

std::vector<float> pseudoRandom(uint64_t count, uint32_t state) {
  std::vector<float> out(count);
  for (float &value : out) {
    state = state * 1664525u + 1013904223u;
    value = float(int32_t(state >> 8) - (1 << 23)) / float(1 << 23);
  }
  return out;
}

Bytes bytesOf(const std::vector<float> &values) {
  Bytes out(values.size() * sizeof(float));
  std::memcpy(out.data(), values.data(), out.size());
  return out;
}

std::unique_ptr<fb::WeightT> weight(const char *name, ToyWeights kind, int32_t segment) {
  auto w = std::make_unique<fb::WeightT>();
  w->name = name;
  w->dtype = fb::DType::F32;
  w->shape = {TOY_VOCAB, TOY_WIDTH};
  w->bytes = TOY_VOCAB * TOY_WIDTH * 4;
  w->segment = kind == ToyWeights::Present ? segment : -1;
  if (kind == ToyWeights::Synthetic) {
    w->fill = fb::FillKind::Normal;
    w->fill_scale = 0.5f;
  }
  return w;
}

std::unique_ptr<fb::KernelT> kernel(const char *symbol, uint32_t args) {
  auto k = std::make_unique<fb::KernelT>();
  k->symbol = symbol;
  k->hero = "toy";
  k->num_args = args;
  k->workspace_bytes = TOY_WIDTH * 4;
  return k;
}

fb::Arg input(fb::InputKind kind, uint64_t elements) {
  return fb::Arg(fb::ArgKind::Input, uint32_t(kind), 0, elements * 4);
}

std::unique_ptr<fb::LaunchT> launch(uint32_t kernel, const char *label, fb::Dim dim,
                                    uint64_t factor, std::vector<fb::Arg> args) {
  auto l = std::make_unique<fb::LaunchT>();
  l->kernel = kernel;
  l->label = label;
  l->grid = std::make_unique<fb::Grid>(dim, 1, 1, ~uint64_t(0), factor);
  l->args = std::move(args);
  for (const fb::Arg &arg : l->args)
    l->bytes += arg.bytes();
  return l;
}

std::unique_ptr<fb::ProgramT> program(uint32_t tokens, uint32_t sequences, uint32_t rows) {
  constexpr uint64_t kWeight = TOY_VOCAB * TOY_WIDTH * 4;
  // Not 0, so that a wrong arena base or size is seen.
  constexpr uint64_t kHiddenAt = 64;
  uint64_t hiddenBytes = uint64_t(rows) * TOY_WIDTH * 4;
  auto p = std::make_unique<fb::ProgramT>();
  p->max_tokens = tokens;
  p->max_sequences = sequences;
  p->max_output_rows = rows;
  p->arena_bytes = kHiddenAt + hiddenBytes;
  fb::Arg tokenIds = input(fb::InputKind::TokenIds, tokens);
  fb::Arg positions = input(fb::InputKind::Positions, tokens);
  fb::Arg sequenceIds = input(fb::InputKind::SequenceIds, tokens);
  fb::Arg table = input(fb::InputKind::BlockTable, uint64_t(sequences) * TOY_PAGES_PER_SEQUENCE);
  fb::Arg outputRows = input(fb::InputKind::OutputRows, rows);
  fb::Arg embedding(fb::ArgKind::Weight, 0, 0, kWeight);
  fb::Arg head(fb::ArgKind::Weight, 1, 0, kWeight);
  fb::Arg cache0(fb::ArgKind::Cache, 0, 0, 0), cache1(fb::ArgKind::Cache, 1, 0, 0);
  fb::Arg hidden(fb::ArgKind::Arena, 0, kHiddenAt, hiddenBytes);
  fb::Arg logits(fb::ArgKind::Output, 0, 0, uint64_t(rows) * TOY_VOCAB * 4);
  p->launches.push_back(
      launch(0, "append", fb::Dim::Tokens, 1,
             {tokenIds, positions, sequenceIds, table, embedding, cache0, cache1}));
  p->launches.push_back(
      launch(1, "attend", fb::Dim::OutputRows, 1,
             {positions, sequenceIds, table, outputRows, cache0, cache1, hidden}));
  p->launches.push_back(launch(2, "head", fb::Dim::OutputRows, TOY_SPLIT, {hidden, head, logits}));
  return p;
}

template <typename... Programs>
std::unique_ptr<fb::EntryT> entry(const char *name, Programs... programs) {
  auto e = std::make_unique<fb::EntryT>();
  e->name = name;
  (e->programs.push_back(std::move(programs)), ...);
  return e;
}

fb::Extent constant(uint64_t extent) { return fb::Extent(fb::Dim::One, 0, extent); }

/// Of a buffer of F32 rows of TOY_WIDTH elements.
std::unique_ptr<fb::TensorMapT> tensorMap(uint32_t slot, std::vector<fb::Extent> sizes,
                                          std::vector<uint32_t> box) {
  auto map = std::make_unique<fb::TensorMapT>();
  map->slot = slot;
  map->dtype = fb::DType::F32;
  map->sizes = std::move(sizes);
  map->strides = {TOY_WIDTH * 4};
  map->box = std::move(box);
  map->swizzle = 32;
  map->l2_promotion = 128;
  return map;
}

} // namespace

std::vector<float> toyEmbedding() { return pseudoRandom(TOY_VOCAB * TOY_WIDTH, 1); }
std::vector<float> toyHead() { return pseudoRandom(TOY_VOCAB * TOY_WIDTH, 2); }

std::vector<float> toyLogits(std::span<const int32_t> tokens) {
  std::vector<float> embedding = toyEmbedding(), head = toyHead();
  std::vector<float> hidden(TOY_WIDTH), logits(TOY_VOCAB);
  for (size_t p = 0; p < tokens.size(); ++p)
    for (int i = 0; i < TOY_WIDTH; ++i)
      hidden[i] += 2 * embedding[tokens[p] * TOY_WIDTH + i] / float(tokens.size() - p);
  for (int v = 0; v < TOY_VOCAB; ++v)
    for (int i = 0; i < TOY_WIDTH; ++i)
      logits[v] += hidden[i] * head[v * TOY_WIDTH + i];
  return logits;
}

/// The toy model around `image`, which is for the host.
static BundleParts partsAround(Bytes image, ToyWeights kind) {
  BundleParts parts;
  fb::ManifestT &m = parts.manifest;
  m.model_type = "toy";
  m.model_name = "toy model";
  m.compiler = "by hand";
  m.target = std::make_unique<fb::TargetT>();
  m.target->kind = "cpu";
  m.target->arch = "x86-64";
  m.vocab_size = TOY_VOCAB;
  m.max_batch = TOY_BATCH;
  m.max_context = TOY_CONTEXT;
  m.pages_per_sequence = TOY_PAGES_PER_SEQUENCE;
  m.cache = std::make_unique<fb::CacheLayoutT>();
  m.cache->layers = 2;
  m.cache->row_width = TOY_WIDTH;
  m.cache->page_rows = TOY_PAGE_ROWS;
  m.weights_present = kind != ToyWeights::None;
  m.synthetic_seed = 7;
  parts.segments.push_back(std::move(image));
  if (kind == ToyWeights::Present) {
    parts.segments.push_back(bytesOf(toyEmbedding()));
    parts.segments.push_back(bytesOf(toyHead()));
  }
  m.weights.push_back(weight("embedding", kind, 1));
  m.weights.push_back(weight("head", kind, 2));
  m.images.push_back(std::make_unique<fb::ImageT>());
  m.images[0]->format = "elf-so";
  m.kernels.push_back(kernel("toy_append", 7));
  m.kernels.push_back(kernel("toy_attend", 7));
  m.kernels.push_back(kernel("toy_head", 3));
  m.entries.push_back(entry("prefill", program(4, 1, 4), program(16, 1, 8)));
  m.entries.push_back(entry("decode", program(1, 1, 1), program(2, 2, 2), program(4, 4, 4)));
  return parts;
}

static std::unique_ptr<fb::ProgramT> sampleProgram(uint32_t kernel, uint32_t rows) {
  auto p = std::make_unique<fb::ProgramT>();
  p->max_tokens = p->max_sequences = p->max_output_rows = rows;
  p->launches.push_back(
      launch(kernel, "sample", fb::Dim::OutputRows, 1,
             {fb::Arg(fb::ArgKind::Output, kLogitsOutput, 0, uint64_t(rows) * TOY_VOCAB * 4),
              input(fb::InputKind::Sampling, uint64_t(rows) * 4),
              fb::Arg(fb::ArgKind::Output, kTokensOutput, 0, uint64_t(rows) * 4)}));
  return p;
}

void addSampling(BundleParts &parts) {
  fb::ManifestT &m = parts.manifest;
  uint32_t index = uint32_t(m.kernels.size());
  m.kernels.push_back(kernel("toy_sample", 3));
  if (m.target->kind == "cuda") {
    m.kernels.back()->workspace_bytes = 0;
    m.kernels.back()->threads = 128;
  }
  m.entries.push_back(
      entry("sample", sampleProgram(index, 1), sampleProgram(index, 2), sampleProgram(index, 4)));
}

void addCases(BundleParts &parts, const std::string &casesJson) {
  std::vector<float> hidden = pseudoRandom(2 * TOY_WIDTH, 3), head = toyHead(), products, some;
  for (int row = 0; row < 2; ++row)
    for (int v = 0; v < TOY_VOCAB; ++v) {
      float sum = 0;
      for (int i = 0; i < TOY_WIDTH; ++i)
        sum += hidden[row * TOY_WIDTH + i] * head[v * TOY_WIDTH + i];
      products.push_back(sum);
    }
  std::vector<int32_t> indices = {0, 7, 2047, 2048, 4095};
  for (int32_t index : indices)
    some.push_back(products[index]);
  auto add = [&](const char *name, fb::DType type, uint64_t count, const void *data) {
    auto w = std::make_unique<fb::WeightT>();
    w->name = name;
    w->dtype = type;
    w->shape = {count};
    w->bytes = count * 4;
    w->segment = int32_t(parts.segments.size());
    const auto *bytes = static_cast<const uint8_t *>(data);
    parts.segments.emplace_back(bytes, bytes + count * 4);
    parts.manifest.weights.push_back(std::move(w));
  };
  add("hidden", fb::DType::F32, hidden.size(), hidden.data());
  add("products", fb::DType::F32, products.size(), products.data());
  add("some", fb::DType::F32, some.size(), some.data());
  add("indices", fb::DType::I32, indices.size(), indices.data());
  auto p = program(2, 2, 2);
  p->launches.erase(p->launches.begin(), p->launches.begin() + 2); // but toy_head
  parts.manifest.entries.push_back(entry("head", std::move(p)));
  parts.manifest.files.push_back(std::make_unique<fb::TextFileT>());
  parts.manifest.files.back()->name = "cases.json";
  parts.manifest.files.back()->text = casesJson;
}

BundleParts toyParts(ToyWeights kind) { return partsAround(readFile(TOY_KERNELS_SO), kind); }

BundleParts cudaToyParts(ToyWeights kind, const std::string &arch, Bytes cubin, Bytes ptx) {
  BundleParts parts = partsAround(std::move(cubin), kind);
  fb::ManifestT &m = parts.manifest;
  m.target->kind = "cuda";
  m.target->arch = arch;
  m.images[0]->format = "cubin";
  m.images[0]->alternative = 1;
  m.images.push_back(std::make_unique<fb::ImageT>());
  m.images[1]->format = "ptx";
  m.images[1]->segment = uint32_t(parts.segments.size());
  parts.segments.push_back(std::move(ptx));
  for (auto &kernel : m.kernels) {
    kernel->workspace_bytes = 0;
    kernel->threads = 128;
    kernel->registers = 40;
  }
  m.kernels[2]->shared_bytes = 64 << 10;
  m.kernels[2]->cluster = 2;
  m.kernels[2]->max_blocks = 4;
  m.kernels[2]->early_launch = true;
  // head: boxes of 64 rows and all columns; cache: the pages' rows one by one.
  m.kernels[2]->tensor_maps.push_back(
      tensorMap(1, {constant(TOY_WIDTH), constant(TOY_VOCAB)}, {8, 64}));
  m.kernels[1]->tensor_maps.push_back(tensorMap(4, {constant(TOY_WIDTH), constant(0)}, {8, 4}));
  return parts;
}

void writeFile(const std::string &path, std::span<const uint8_t> bytes) {
  std::ofstream out(path, std::ios::binary);
  out.write(reinterpret_cast<const char *>(bytes.data()), bytes.size());
  if (!out.flush())
    throw std::runtime_error("cannot write " + path);
}

Bytes readFile(const std::string &path) {
  std::ifstream in(path, std::ios::binary);
  if (!in)
    throw std::runtime_error("cannot read " + path);
  return Bytes{std::istreambuf_iterator<char>(in), {}};
}

TempFile::TempFile(const std::string &suffix) {
  static std::atomic<int> counter{0};
  name = (std::filesystem::temp_directory_path() /
          ("moec-test-" + std::to_string(::getpid()) + "-" + std::to_string(counter++) + suffix))
             .string();
}

TempFile::TempFile(const std::string &suffix, std::span<const uint8_t> bytes) : TempFile(suffix) {
  writeFile(name, bytes);
}

TempFile::~TempFile() {
  std::error_code ignored;
  std::filesystem::remove(name, ignored);
}

} // namespace moec::rt::test
