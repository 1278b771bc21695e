// One mutation of a good manifest for every complaint of the verifier.
#include "runtime/bundle/Verify.h"
#include "test/runtime/toy/ExpectError.h"
#include "test/runtime/toy/TestBundle.h"

using namespace moec::rt;
using namespace moec::rt::test;

namespace {

struct Mutation {
  const char *name;
  const char *expected; // part of the message
  std::function<void(fb::ManifestT &)> edit;
};

void PrintTo(const Mutation &m, std::ostream *out) { *out << m.name; }

class VerifyTest : public testing::TestWithParam<Mutation> {};

TEST(Verify, AcceptsTheToyBundle) {
  for (ToyWeights w : {ToyWeights::Present, ToyWeights::Synthetic, ToyWeights::None}) {
    Bytes file = assemble(toyParts(w));
    EXPECT_EQ(verifyBundle(file, "toy")->vocab_size(), TOY_VOCAB);
  }
}

TEST_P(VerifyTest, Refuses) {
  Bytes file = assemble(toyParts(), GetParam().edit);
  std::string message = errorOf([&] { verifyBundle(file, "toy.moeb"); }, ErrorKind::Bundle);
  EXPECT_THAT(message, testing::StartsWith("bundle 'toy.moeb': "));
  EXPECT_THAT(message, testing::HasSubstr(GetParam().expected));
}

fb::ProgramT &decode(fb::ManifestT &m, int i = 0) { return *m.entries[1]->programs[i]; }
fb::LaunchT &launch(fb::ManifestT &m, int i = 0) { return *decode(m).launches[i]; }
using M = fb::ManifestT;
void setGrid(M &m, uint32_t multiplier, uint32_t divisor, uint64_t cap, uint64_t factor,
             fb::Dim dim = fb::Dim::Tokens) {
  *launch(m).grid = fb::Grid(dim, multiplier, divisor, cap, factor);
}
void setArg(M &m, fb::ArgKind kind, uint32_t index, uint64_t offset, uint64_t bytes) {
  launch(m).args[0] = fb::Arg(kind, index, offset, bytes);
}
void setSegment(M &m, int i, uint64_t offset, uint64_t size) {
  m.segments[i] = fb::Segment(offset, size, m.segments[i].checksum());
}

const Mutation kModel[] = {
    {"vocab", "vocab_size is 0", [](M &m) { m.vocab_size = 0; }},
    {"batch", "max_batch is 0", [](M &m) { m.max_batch = 0; }},
    {"context", "max_context is 0", [](M &m) { m.max_context = 0; }},
    {"pages", "pages_per_sequence is 0", [](M &m) { m.pages_per_sequence = 0; }},
    {"few_pages", "15 of 4 rows cannot hold max_context 61",
     [](M &m) { m.pages_per_sequence = 15, m.max_context = 61; }},
    {"rank", "rank 2 of a world of 2", [](M &m) { m.rank = 2, m.world_size = 2; }},
    {"world", "rank 0 of a world of 0", [](M &m) { m.world_size = 0; }},
    {"cache_layers", "cache.layers is 0", [](M &m) { m.cache->layers = 0; }},
    {"cache_width", "cache.row_width is 0", [](M &m) { m.cache->row_width = 0; }},
    {"cache_rows", "cache.page_rows is 0", [](M &m) { m.cache->page_rows = 0; }},
    {"cache_dtype", "cache.dtype is 200", [](M &m) { m.cache->dtype = fb::DType(200); }},
    {"cache_size", "the cache's size overflows",
     [](M &m) { m.cache->layers = m.cache->row_width = m.cache->page_rows = 1u << 30; }},
    {"file_twice", "file 'a' is there twice",
     [](M &m) {
       for (int i = 0; i < 2; ++i) {
         m.files.push_back(std::make_unique<fb::TextFileT>());
         m.files.back()->name = "a";
       }
     }},
};

const Mutation kSegments[] = {
    {"unaligned", "segments[1] offset 4100", [](M &m) { setSegment(m, 1, 4100, 8); }},
    {"in_header", "segments[1] offset 0", [](M &m) { setSegment(m, 1, 0, 8); }},
    {"empty", "segments[1] at 8192 with 0 bytes", [](M &m) { setSegment(m, 1, 8192, 0); }},
    {"past_end", "does not lie before the manifest",
     [](M &m) { setSegment(m, 2, m.segments[2].offset(), 1 << 30); }},
    {"offset_wraps", "does not lie before the manifest",
     [](M &m) { setSegment(m, 2, ~uint64_t(0) - 4095, 4096); }},
    {"overlap", "overlap",
     [](M &m) { setSegment(m, 1, m.segments[2].offset(), m.segments[1].size()); }},
    {"stray_bytes", "padding is damaged",
     [](M &m) { setSegment(m, 0, m.segments[0].offset(), 64); }},
    {"checksum", "segments[1], weight 'embedding', is damaged",
     [](M &m) { m.segments[1] = fb::Segment(m.segments[1].offset(), m.segments[1].size(), 1); }},
    {"code_checksum", "segments[0], images[0], is damaged",
     [](M &m) { m.segments[0] = fb::Segment(m.segments[0].offset(), m.segments[0].size(), 1); }},
    {"shared", "segments[1] belongs to weight 'embedding' and to weight 'head'",
     [](M &m) { m.weights[1]->segment = 1; }},
    {"orphan", "segments[1] belongs to nothing",
     [](M &m) { m.weights[0]->segment = -1, m.weights_present = false; }},
};

const Mutation kWeights[] = {
    {"no_name", "empty or repeated name", [](M &m) { m.weights[0]->name.clear(); }},
    {"same_name", "weights[1] 'embedding' has an empty or repeated name",
     [](M &m) { m.weights[1]->name = "embedding"; }},
    {"weight_dtype", "has dtype 99", [](M &m) { m.weights[0]->dtype = fb::DType(99); }},
    {"weight_bytes", "says 65535 bytes, its shape and dtype give 65536",
     [](M &m) { m.weights[0]->bytes = 65535; }},
    {"weight_shape", "its shape and dtype give 32768",
     [](M &m) { m.weights[0]->shape = {1024, 8}; }},
    {"shape_overflow", "size overflows",
     [](M &m) { m.weights[0]->shape = {1ull << 40, 1ull << 40}; }},
    {"shape_zero", "is empty", [](M &m) { m.weights[0]->shape = {0, 8}, m.weights[0]->bytes = 0; }},
    {"weight_segment", "names segment 3 of 3", [](M &m) { m.weights[0]->segment = 3; }},
    {"negative_segment", "names segment -2", [](M &m) { m.weights[0]->segment = -2; }},
    {"segment_size", "has 32768 bytes, its segment 65536",
     [](M &m) {
       m.weights[0]->shape = {1024, 8};
       m.weights[0]->bytes = 32768;
     }},
    {"both", "has both a segment and a fill",
     [](M &m) { m.weights[0]->fill = fb::FillKind::Normal; }},
    {"neither", "has neither a segment nor a fill", [](M &m) { m.weights[0]->segment = -1; }},
    {"fill_kind", "has fill kind 9", [](M &m) { m.weights[0]->fill = fb::FillKind(9); }},
    {"fill_scale", "has fill_scale nan",
     [](M &m) {
       m.weights[0]->fill = fb::FillKind::Normal;
       m.weights[0]->fill_scale = std::numeric_limits<float>::quiet_NaN();
     }},
};

const Mutation kKernels[] = {
    {"image_format", "images[0] has format 'cubin', expected 'elf-so'",
     [](M &m) { m.images[0]->format = "cubin"; }},
    {"alternative_itself", "images[0] has alternative 0, expected -1 or a later one of the 1",
     [](M &m) { m.images[0]->alternative = 0; }},
    {"alternative_range", "images[0] has alternative 1",
     [](M &m) { m.images[0]->alternative = 1; }},
    {"alternative_negative", "images[0] has alternative -2",
     [](M &m) { m.images[0]->alternative = -2; }},
    {"image_segment", "images[0] names segment 3 of 3", [](M &m) { m.images[0]->segment = 3; }},
    {"kernel_image", "kernels[1] 'toy_attend' names image 1 of 1",
     [](M &m) { m.kernels[1]->image = 1; }},
    {"no_symbol", "no symbol name", [](M &m) { m.kernels[0]->symbol = ""; }},
    {"odd_symbol", "no symbol name", [](M &m) { m.kernels[0]->symbol = "a b"; }},
    {"same_symbol", "kernels[1] 'toy_append' is there twice",
     [](M &m) { m.kernels[1]->symbol = "toy_append"; }},
    {"workspace", "wants a workspace of", [](M &m) { m.kernels[0]->workspace_bytes = 1ull << 40; }},
};

const Mutation kPrograms[] = {
    {"no_decode", "entry 'decode' is missing", [](M &m) { m.entries[1]->name = "other"; }},
    {"same_entry", "entry 'prefill' is there twice", [](M &m) { m.entries[1]->name = "prefill"; }},
    {"no_programs", "entry 'decode' has no programs", [](M &m) { m.entries[1]->programs.clear(); }},
    {"order", "programs[1] is for 1 tokens, not more than the 1 before",
     [](M &m) {
       decode(m, 1).max_tokens = 1;
       decode(m, 1).max_sequences = decode(m, 1).max_output_rows = 1;
     }},
    {"no_tokens", "has a bound of 0", [](M &m) { decode(m).max_tokens = 0; }},
    {"many_tokens", "has a bound of 4294967295", [](M &m) { decode(m, 2).max_tokens = ~0u; }},
    {"many_rows", "more sequences or output rows than its 1 tokens",
     [](M &m) { decode(m).max_output_rows = 2; }},
    {"many_sequences", "more sequences or output rows than its 1 tokens",
     [](M &m) { decode(m).max_sequences = 2; }},
    {"arena", "wants an arena of", [](M &m) { decode(m).arena_bytes = 1ull << 50; }},
    {"launch_kernel", "launches[0] names kernel 3 of 3", [](M &m) { launch(m).kernel = 3; }},
    {"launch_args", "has 6 arguments, kernel 'toy_append' takes 7",
     [](M &m) { launch(m).args.pop_back(); }},
    {"arg_kind", "args[0] has kind 77", [](M &m) { setArg(m, fb::ArgKind(77), 0, 0, 0); }},
    {"arg_weight", "names weight 2 of 2", [](M &m) { setArg(m, fb::ArgKind::Weight, 2, 0, 4); }},
    {"arg_input", "names input 6 of 6", [](M &m) { setArg(m, fb::ArgKind::Input, 6, 0, 4); }},
    {"arg_output", "names output 2 of 2", [](M &m) { setArg(m, fb::ArgKind::Output, 2, 0, 4); }},
    {"arg_tokens", "has tokens as an output, which entry 'sample' alone has",
     [](M &m) { setArg(m, fb::ArgKind::Output, 1, 0, 4); }},
    {"arg_sampling", "reads the input Sampling, which entry 'sample' alone has",
     [](M &m) { setArg(m, fb::ArgKind::Input, 5, 0, 4); }},
    {"sample_inputs", "entry 'sample' programs[0] reads another input than Sampling",
     [](M &m) { m.entries[1]->name = "sample"; }},
    {"arg_cache", "names cache 2 of 2", [](M &m) { setArg(m, fb::ArgKind::Cache, 2, 0, 0); }},
    {"arg_counters", "names counters 1 of 1",
     [](M &m) { setArg(m, fb::ArgKind::Counters, 1, 0, 4); }},
    {"arg_counters_size", "covers bytes [0, +1028) of 1024",
     [](M &m) { setArg(m, fb::ArgKind::Counters, 0, 0, 1028); }},
    {"arg_arena", "names arena 1 of 1", [](M &m) { setArg(m, fb::ArgKind::Arena, 1, 0, 0); }},
    {"cache_bytes", "covers bytes [0, +4) of 0",
     [](M &m) { setArg(m, fb::ArgKind::Cache, 0, 0, 4); }},
    {"weight_range", "covers bytes [65532, +8) of 65536",
     [](M &m) { setArg(m, fb::ArgKind::Weight, 0, 65532, 8); }},
    {"input_range", "covers bytes [0, +8) of 4",
     [](M &m) { setArg(m, fb::ArgKind::Input, 0, 0, 8); }},
    {"table_range", "covers bytes [0, +68) of 64",
     [](M &m) { setArg(m, fb::ArgKind::Input, 3, 0, 68); }},
    {"output_range", "covers bytes [4, +8192) of 8192",
     [](M &m) { setArg(m, fb::ArgKind::Output, 0, 4, 8192); }},
    {"arena_range", "covers bytes [64, +33) of 96",
     [](M &m) { setArg(m, fb::ArgKind::Arena, 0, 64, 33); }},
    {"range_wraps", "covers bytes [8, +18446744073709551615)",
     [](M &m) { setArg(m, fb::ArgKind::Arena, 0, 8, ~uint64_t(0)); }},
    {"grid_dim", "grid has dim 9", [](M &m) { setGrid(m, 1, 1, 1, 1, fb::Dim(9)); }},
    {"grid_divisor", "zero divisor", [](M &m) { setGrid(m, 1, 0, 1, 1); }},
    {"grid_multiplier", "zero divisor", [](M &m) { setGrid(m, 0, 1, 1, 1); }},
    {"grid_cap", "zero divisor", [](M &m) { setGrid(m, 1, 1, 0, 1); }},
    {"grid_factor", "zero divisor", [](M &m) { setGrid(m, 1, 1, 1, 0); }},
    {"grid_overflow", "grid overflows", [](M &m) { setGrid(m, 2, 1, 2, ~uint64_t(0)); }},
    {"grid_tiles", "grid has 4294967296 tiles", [](M &m) { setGrid(m, 1, 1, 1, 1ull << 32); }},
};

// Of the toy bundle for CUDA.
class VerifyCudaTest : public testing::TestWithParam<Mutation> {};

TEST(Verify, AcceptsTheCudaToyBundle) {
  Bytes file = assemble(cudaToyParts());
  EXPECT_EQ(verifyBundle(file, "toy")->kernels()->Get(2)->tensor_maps()->size(), 1u);
}

TEST_P(VerifyCudaTest, Refuses) {
  Bytes file = assemble(cudaToyParts(), GetParam().edit);
  EXPECT_RT_ERROR(verifyBundle(file, "toy.moeb"), Bundle, GetParam().expected);
}

fb::TensorMapT &headMap(M &m) { return *m.kernels[2]->tensor_maps[0]; }
fb::TensorMapT &cacheMap(M &m) { return *m.kernels[1]->tensor_maps[0]; }
void setSize(fb::TensorMapT &map, int i, uint64_t multiplier, uint64_t addend,
             fb::Dim dim = fb::Dim::One) {
  map.sizes[i] = fb::Extent(dim, multiplier, addend);
}

const Mutation kCuda[] = {
    {"image_format", "images[1] has format 'elf-so', expected 'cubin' or 'ptx'",
     [](M &m) { m.images[1]->format = "elf-so"; }},
    {"alternative_back", "images[1] has alternative 0, expected -1 or a later",
     [](M &m) { m.images[1]->alternative = 0; }},
    {"no_threads", "'toy_append' has threads 0, expected 1 to 1024",
     [](M &m) { m.kernels[0]->threads = 0; }},
    {"threads", "has threads 1025", [](M &m) { m.kernels[0]->threads = 1025; }},
    {"shared", "has shared_bytes 232449, expected 0 to 232448",
     [](M &m) { m.kernels[0]->shared_bytes = 232449; }},
    {"no_cluster", "has cluster 0, expected 1 to 16", [](M &m) { m.kernels[0]->cluster = 0; }},
    {"cluster", "has cluster 17", [](M &m) { m.kernels[0]->cluster = 17; }},
    {"max_blocks", "has max_blocks 3, expected a multiple of its cluster of 2",
     [](M &m) { m.kernels[2]->max_blocks = 3; }},
    {"co_resident", "has co_resident blocks and max_blocks 0, expected how many they are",
     [](M &m) { m.kernels[0]->co_resident = true; }},
    {"parameters", "'toy_head' has parameter bytes 4104",
     [](M &m) { m.kernels[2]->num_args = 496; }},
    {"blocks", "has 2147483648 blocks, at most 2147483647",
     [](M &m) { setGrid(m, 1, 1, 1, 1ull << 31); }},
    {"map_slot", "tensor_maps[0] names argument 3 of 3", [](M &m) { headMap(m).slot = 3; }},
    {"map_dtype", "has dtype 77", [](M &m) { headMap(m).dtype = fb::DType(77); }},
    {"map_no_rank", "has 0 dimensions", [](M &m) { headMap(m).sizes.clear(); }},
    {"map_rank", "has 6 dimensions, expected 1 to 5", [](M &m) { headMap(m).sizes.resize(6); }},
    {"map_strides", "has 2 sizes, 2 strides and a box of 2",
     [](M &m) { headMap(m).strides.push_back(16); }},
    {"map_box_rank", "has 2 sizes, 1 strides and a box of 1",
     [](M &m) { headMap(m).box.pop_back(); }},
    {"map_dim", "has a size over dim 9", [](M &m) { setSize(headMap(m), 1, 1, 0, fb::Dim(9)); }},
    {"map_no_stride", "has a stride of 0 bytes", [](M &m) { headMap(m).strides[0] = 0; }},
    {"map_stride", "has a stride of 40 bytes, expected a multiple of 16 below",
     [](M &m) { headMap(m).strides[0] = 40; }},
    {"map_far_stride", "has a stride of 1099511627776 bytes",
     [](M &m) { headMap(m).strides[0] = 1ull << 40; }},
    {"map_no_box", "has a box of 0 elements", [](M &m) { headMap(m).box[1] = 0; }},
    {"map_box", "has a box of 257 elements, expected 1 to 256",
     [](M &m) { headMap(m).box[1] = 257; }},
    {"map_box_bytes", "has box rows of 20 bytes, expected a multiple of 16",
     [](M &m) { headMap(m).box[0] = 5; }},
    {"map_box_swizzle", "has box rows of 64 bytes, its swizzle allows 32",
     [](M &m) { headMap(m).box[0] = 16; }},
    {"map_swizzle", "swizzle is 16, expected one of 0, 32, 64, 128",
     [](M &m) { headMap(m).swizzle = 16; }},
    {"map_promotion", "l2_promotion is 32, expected one of 0, 64, 128, 256",
     [](M &m) { headMap(m).l2_promotion = 32; }},
    {"map_empty", "has a size of 0", [](M &m) { setSize(headMap(m), 0, 0, 0); }},
    {"map_extent", "has a size of more than 4294967296 elements",
     [](M &m) { setSize(headMap(m), 1, 1, 1ull << 32); }},
    {"map_extent_wraps", "size overflows 63 bits",
     [](M &m) { setSize(headMap(m), 1, ~0ull, 0, fb::Dim::Tokens); }},
    {"map_reach_wraps", "size overflows 60 bits",
     [](M &m) {
       headMap(m).strides[0] = 1ull << 30;
       setSize(headMap(m), 1, 0, (1ull << 31) + 1);
     }},
    {"map_reach", "reaches bytes [0, +65568) of 65536",
     [](M &m) { setSize(headMap(m), 1, 0, TOY_VOCAB + 1); }},
    {"map_reach_of_bound", "reaches bytes [0, +262144) of 65536",
     [](M &m) { setSize(headMap(m), 1, TOY_VOCAB, 0, fb::Dim::OutputRows); }},
    {"map_offset", "reaches bytes [16, +65536) of 65536", [](M &m) { headMap(m).offset = 16; }},
    {"map_offset_wraps", "reaches bytes [18446744073709551600, +65536) of 65536",
     [](M &m) { headMap(m).offset = ~0ull - 15; }},
    {"map_alignment", "starts at byte 8, expected a multiple of 16",
     [](M &m) { headMap(m).offset = 8; }},
    {"map_open_weight", "has no outermost size, which only a cache may leave open",
     [](M &m) { setSize(headMap(m), 1, 0, 0); }},
    {"map_fixed_cache", "has a fixed outermost size, a cache's must be 0",
     [](M &m) { setSize(cacheMap(m), 1, 0, 4); }},
    {"map_cache_reach", "reaches bytes [16, +32) of 32 of an outermost element",
     [](M &m) { cacheMap(m).offset = 16; }},
};

// Of the toy bundle, as if its code were for an AMD GPU.
class VerifyHipTest : public testing::TestWithParam<Mutation> {};

void makeHip(M &m) {
  m.target->kind = "hip";
  m.target->arch = "gfx942";
  m.images[0]->format = "hsaco";
  for (auto &kernel : m.kernels)
    kernel->threads = 128;
}

TEST(Verify, AcceptsAHipBundle) {
  Bytes file = assemble(toyParts(), makeHip);
  EXPECT_EQ(verifyBundle(file, "toy")->target()->arch()->str(), "gfx942");
}

TEST_P(VerifyHipTest, Refuses) {
  Bytes file = assemble(toyParts(), [](M &m) {
    makeHip(m);
    GetParam().edit(m);
  });
  EXPECT_RT_ERROR(verifyBundle(file, "toy.moeb"), Bundle, GetParam().expected);
}

const Mutation kHip[] = {
    {"image_format", "images[0] has format 'cubin', expected 'hsaco'",
     [](M &m) { m.images[0]->format = "cubin"; }},
    {"threads", "has threads 1025, expected 1 to 1024", [](M &m) { m.kernels[0]->threads = 1025; }},
    {"shared", "has shared_bytes 163841, expected 0 to 163840",
     [](M &m) { m.kernels[0]->shared_bytes = 163841; }},
    {"cluster", "has cluster 2, expected 1 to 1", [](M &m) { m.kernels[0]->cluster = 2; }},
    {"early", "has early_launch 1, expected 0 to 0",
     [](M &m) { m.kernels[0]->early_launch = true; }},
    {"co_resident", "has co_resident 1, expected 0 to 0",
     [](M &m) { m.kernels[0]->co_resident = true; }},
    {"maps", "has tensor maps 1, expected 0 to 0",
     [](M &m) {
       auto &map = m.kernels[0]->tensor_maps.emplace_back(std::make_unique<fb::TensorMapT>());
       map->sizes.emplace_back();
       map->box.push_back(1);
     }},
    {"blocks", "has 2147483648 blocks, at most 2147483647",
     [](M &m) { setGrid(m, 1, 1, 1, 1ull << 31); }},
};

auto nameOf = [](const auto &info) { return std::string(info.param.name); };
INSTANTIATE_TEST_SUITE_P(Model, VerifyTest, testing::ValuesIn(kModel), nameOf);
INSTANTIATE_TEST_SUITE_P(Segments, VerifyTest, testing::ValuesIn(kSegments), nameOf);
INSTANTIATE_TEST_SUITE_P(Weights, VerifyTest, testing::ValuesIn(kWeights), nameOf);
INSTANTIATE_TEST_SUITE_P(Kernels, VerifyTest, testing::ValuesIn(kKernels), nameOf);
INSTANTIATE_TEST_SUITE_P(Programs, VerifyTest, testing::ValuesIn(kPrograms), nameOf);
INSTANTIATE_TEST_SUITE_P(Cuda, VerifyCudaTest, testing::ValuesIn(kCuda), nameOf);
INSTANTIATE_TEST_SUITE_P(Hip, VerifyHipTest, testing::ValuesIn(kHip), nameOf);

TEST(BlockCount, FollowsTheKernel) {
  fb::KernelT kernel;
  auto count = [&](uint64_t tiles) {
    flatbuffers::FlatBufferBuilder builder;
    builder.Finish(fb::Kernel::Pack(builder, &kernel));
    return blockCount(*flatbuffers::GetRoot<fb::Kernel>(builder.GetBufferPointer()), tiles);
  };
  kernel.symbol = "k";
  EXPECT_EQ(count(7), 7u);
  kernel.cluster = 2;
  EXPECT_EQ(count(7), 8u);
  kernel.max_blocks = 4;
  EXPECT_EQ(count(7), 4u);
  EXPECT_EQ(count(3), 4u);
  EXPECT_EQ(count(1), 2u);
}

TEST(TileCount, FollowsTheGrid) {
  const int64_t dims[] = {1, 7, 2, 3, 0};
  EXPECT_EQ(tileCount(fb::Grid(fb::Dim::One, 1, 1, 5, 3), dims), 3u);
  EXPECT_EQ(tileCount(fb::Grid(fb::Dim::Tokens, 2, 4, 100, 1), dims), 4u);
  EXPECT_EQ(tileCount(fb::Grid(fb::Dim::Tokens, 2, 4, 3, 5), dims), 15u);
  EXPECT_EQ(tileCount(fb::Grid(fb::Dim::Sequences, 1, 1, ~0ull, 1), dims), 2u);
  EXPECT_EQ(tileCount(fb::Grid(fb::Dim::OutputRows, 1, 2, ~0ull, 1), dims), 2u);
}

} // namespace
