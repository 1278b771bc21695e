#include "codegen/tools/moec/Inspect.h"

#include <iostream>
#include <nlohmann/json.hpp>

using namespace moec;
namespace fb = moec::rt::fb;
using Json = nlohmann::ordered_json;

static Json pairsJson(const flatbuffers::Vector<flatbuffers::Offset<fb::KeyValue>> *pairs) {
  Json object = Json::object();
  if (pairs)
    for (const fb::KeyValue *pair : *pairs)
      object[pair->key()->str()] = pair->value()->str();
  return object;
}

static Json targetJson(const fb::Target &target) {
  Json features = Json::array();
  if (target.features())
    for (const flatbuffers::String *feature : *target.features())
      features.push_back(feature->str());
  return {{"kind", target.kind()->str()}, {"arch", target.arch()->str()}, {"features", features}};
}

static Json launchJson(const fb::Manifest &m, const fb::Launch &launch) {
  Json args = Json::array();
  for (const fb::Arg *arg : *launch.args())
    args.push_back({{"buffer", argText(m, *arg)}, {"bytes", arg->bytes()}});
  return {{"kernel", m.kernels()->Get(launch.kernel())->symbol()->str()},
          {"label", textOf(launch.label())},
          {"args", args},
          {"grid", gridText(*launch.grid())},
          {"bytes", launch.bytes()},
          {"context_bytes", launch.context_bytes()},
          {"flops", launch.flops()}};
}

static Json entriesJson(const fb::Manifest &m, bool launches) {
  Json entries = Json::array();
  for (const fb::Entry *entry : *m.entries()) {
    Json programs = Json::array();
    for (const fb::Program *p : *entry->programs()) {
      Json program = {{"max_tokens", p->max_tokens()},
                      {"max_sequences", p->max_sequences()},
                      {"max_output_rows", p->max_output_rows()},
                      {"arena_bytes", p->arena_bytes()},
                      {"num_launches", p->launches()->size()}};
      if (launches)
        for (const fb::Launch *launch : *p->launches())
          program["launches"].push_back(launchJson(m, *launch));
      programs.push_back(std::move(program));
    }
    entries.push_back({{"name", entry->name()->str()}, {"programs", programs}});
  }
  return entries;
}

static Json imagesJson(const fb::Manifest &m) {
  Json images = Json::array();
  for (const fb::Image *image : *m.images())
    images.push_back({{"format", image->format()->str()},
                      {"bytes", m.segments()->Get(image->segment())->size()},
                      {"alternative", image->alternative()}});
  return images;
}

/// An extent as text: "64", "8 * tokens + 128".
static std::string extentText(const fb::Extent &extent) {
  std::string text;
  if (extent.multiplier())
    text = std::to_string(extent.multiplier()) + " * " + fb::EnumNameDim(extent.dim());
  if (extent.addend() || text.empty())
    text += (text.empty() ? "" : " + ") + std::to_string(extent.addend());
  return text;
}

static Json tensorMapJson(const fb::TensorMap &map) {
  Json sizes = Json::array();
  for (const fb::Extent *extent : *map.sizes())
    sizes.push_back(extentText(*extent));
  return {{"slot", map.slot()},
          {"offset", map.offset()},
          {"dtype", typeText(map.dtype())},
          {"sizes", sizes},
          {"strides", std::vector<uint64_t>(map.strides()->begin(), map.strides()->end())},
          {"box", std::vector<uint32_t>(map.box()->begin(), map.box()->end())},
          {"swizzle", map.swizzle()},
          {"l2_promotion", map.l2_promotion()}};
}

/// HIP: what the code object's metadata says.
static void addHipFields(Json &kernel, const fb::Kernel &k) {
  kernel["image"] = k.image();
  kernel["threads"] = k.threads();
  kernel["shared_bytes"] = k.shared_bytes();
  kernel["vector_registers"] = k.registers();
  kernel["accumulator_registers"] = k.accumulator_registers();
  kernel["scalar_registers"] = k.scalar_registers();
  kernel["scratch_bytes"] = k.spill_bytes();
  kernel["blocks_per_core"] = k.blocks_per_core();
}

static void addCudaFields(Json &kernel, const fb::Kernel &k) {
  kernel["image"] = k.image();
  kernel["threads"] = k.threads();
  kernel["shared_bytes"] = k.shared_bytes();
  kernel["cluster"] = k.cluster();
  kernel["max_blocks"] = k.max_blocks();
  kernel["early_launch"] = k.early_launch();
  kernel["co_resident"] = k.co_resident();
  kernel["registers"] = k.registers();
  kernel["spill_bytes"] = k.spill_bytes();
  kernel["blocks_per_core"] = k.blocks_per_core();
  kernel["tensor_maps"] = Json::array();
  if (k.tensor_maps())
    for (const fb::TensorMap *map : *k.tensor_maps())
      kernel["tensor_maps"].push_back(tensorMapJson(*map));
}

static Json kernelsJson(const fb::Manifest &m) {
  std::vector<uint64_t> launches = countLaunches(m);
  Json kernels = Json::array();
  for (unsigned i = 0; i < m.kernels()->size(); ++i) {
    const fb::Kernel &k = *m.kernels()->Get(i);
    kernels.push_back({{"symbol", k.symbol()->str()},
                       {"hero", textOf(k.hero())},
                       {"schedule", textOf(k.schedule())},
                       {"launches", launches[i]},
                       {"workspace_bytes", k.workspace_bytes()},
                       {"spec", textOf(k.spec())}});
    if (m.target()->kind()->string_view() == "cuda")
      addCudaFields(kernels.back(), k);
    else if (m.target()->kind()->string_view() == "hip")
      addHipFields(kernels.back(), k);
  }
  return kernels;
}

static Json weightsJson(const fb::Manifest &m) {
  Json weights = Json::array();
  for (const fb::Weight *w : *m.weights()) {
    Json weight = {{"name", w->name()->str()},
                   {"dtype", typeText(w->dtype())},
                   {"shape", std::vector<uint64_t>(w->shape()->begin(), w->shape()->end())},
                   {"bytes", w->bytes()}};
    if (w->segment() >= 0)
      weight["offset"] = m.segments()->Get(w->segment())->offset();
    if (w->fill() != fb::FillKind::None)
      weight["fill"] = {{"kind", fb::EnumNameFillKind(w->fill())}, {"scale", w->fill_scale()}};
    weights.push_back(std::move(weight));
  }
  return weights;
}

void moec::inspectAsJson(const rt::BundleFile &bundle, const InspectOptions &options) {
  const fb::Manifest &m = bundle.manifest();
  const fb::CacheLayout &cache = *m.cache();
  Json root = {{"path", bundle.path()},
               {"bytes", bundle.fileBytes()},
               {"model_type", m.model_type()->str()},
               {"model_name", textOf(m.model_name())},
               {"vocab_size", m.vocab_size()},
               {"max_batch", m.max_batch()},
               {"max_context", m.max_context()},
               {"target", targetJson(*m.target())},
               {"cache",
                {{"layers", cache.layers()},
                 {"row_width", cache.row_width()},
                 {"dtype", typeText(cache.dtype())},
                 {"page_rows", cache.page_rows()},
                 {"pages_per_sequence", m.pages_per_sequence()}}},
               {"weights_present", m.weights_present()},
               {"synthetic_seed", m.synthetic_seed()},
               {"compiler", textOf(m.compiler())},
               {"sources", pairsJson(m.provenance())},
               {"numerics", pairsJson(m.numerics())},
               {"entries", entriesJson(m, options.plan)},
               {"images", imagesJson(m)},
               {"kernels", kernelsJson(m)}};
  if (options.weights)
    root["weights"] = weightsJson(m);
  std::cout << root.dump(2) << "\n";
}
