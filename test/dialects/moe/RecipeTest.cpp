// Recipes: order of the runs, what does not fit, and rope tables against the
// goldens of the published code.
#include "dialects/moe/Recipe.h"

#include "frontend/safetensors/SafeTensors.h"
#include "mlir/AsmParser/AsmParser.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Parser/Parser.h"

#include <gtest/gtest.h>

using namespace moec::moe;

namespace {
class RecipeTest : public testing::Test {
protected:
  RecipeTest() { context.loadDialect<MoeDialect>(); }

  /// The weight `@w` of the given type and recipe.
  WeightOp parse(const std::string &type, const std::string &recipe) {
    // The verifier refuses what does not fit; here the functions themselves are tested.
    mlir::ParserConfig config(&context, /*verifyAfterParse=*/false);
    module =
        mlir::parseSourceString<mlir::ModuleOp>("moe.weight @w : " + type + " = " + recipe, config);
    return *module->getOps<WeightOp>().begin();
  }

  /// "tensor[first+count]" of each piece, or the error.
  std::string list(const std::string &type, const std::string &recipe, bool scales = false) {
    auto pieces = listPieces(parse(type, recipe), scales);
    if (!pieces)
      return llvm::toString(pieces.takeError());
    std::string text;
    for (const Piece &piece : *pieces) {
      EXPECT_EQ(piece.scales, scales);
      text += piece.tensor + "[" + std::to_string(piece.firstElement) + "+" +
              std::to_string(piece.numElements) + "] ";
    }
    return text;
  }

  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
};

const char *fp8 = "xf8E4M3FN, block = [128, 128], scale = f32>";
} // namespace

TEST_F(RecipeTest, CheckpointIsOneRun) {
  EXPECT_EQ(list("tensor<4x3xbf16>", "#moe.checkpoint<\"a\">"), "a[0+12] ");
  EXPECT_EQ(list("tensor<5xf32>", "#moe.checkpoint<\"a\">"), "a[0+5] ");
}

TEST_F(RecipeTest, ScalesCountPartialBlocks) {
  std::string type = std::string("!moe.qtensor<160x129") + fp8;
  EXPECT_EQ(list(type, "#moe.checkpoint<\"a\">"), "a[0+20640] ");
  EXPECT_EQ(list(type, "#moe.checkpoint<\"a\">", true), "a[0+4] ");
}

TEST_F(RecipeTest, StackNamesEachTensor) {
  EXPECT_EQ(list("tensor<3x2x5xf32>", "#moe.stack<\"e.{}.up\", 3>"),
            "e.0.up[0+10] e.1.up[0+10] e.2.up[0+10] ");
}

TEST_F(RecipeTest, ConcatOfRowsFollowsParts) {
  std::string recipe =
      "#moe.concat<axis = 0, sizes = [128, 160], [#moe.checkpoint<\"a\">, #moe.checkpoint<\"b\">]>";
  std::string type = std::string("!moe.qtensor<288x256") + fp8;
  EXPECT_EQ(list(type, recipe), "a[0+32768] b[0+40960] ");
  EXPECT_EQ(list(type, recipe, true), "a[0+2] b[0+4] ");
}

TEST_F(RecipeTest, ConcatOfStacksInterleavesExperts) {
  std::string recipe = "#moe.concat<axis = 1, sizes = [2, 3], "
                       "[#moe.stack<\"{}.gate\", 2>, #moe.stack<\"{}.up\", 2>]>";
  EXPECT_EQ(list("tensor<2x5x4xf32>", recipe), "0.gate[0+8] 0.up[0+12] 1.gate[0+8] 1.up[0+12] ");
}

TEST_F(RecipeTest, ConcatOfColumnsInterleavesRows) {
  std::string recipe =
      "#moe.concat<axis = 1, sizes = [2, 1], [#moe.checkpoint<\"a\">, #moe.checkpoint<\"b\">]>";
  EXPECT_EQ(list("tensor<2x3xf32>", recipe), "a[0+2] b[0+1] a[2+2] b[1+1] ");
}

TEST_F(RecipeTest, ConcatsNest) {
  std::string inner = "#moe.concat<axis = 1, sizes = [1, 1], [#moe.checkpoint<\"a\">, "
                      "#moe.checkpoint<\"b\">]>";
  EXPECT_EQ(list("tensor<2x3xf32>",
                 "#moe.concat<axis = 1, sizes = [2, 1], [" + inner + ", #moe.checkpoint<\"c\">]>"),
            "a[0+1] b[0+1] c[0+1] a[1+1] b[1+1] c[1+1] ");
}

TEST_F(RecipeTest, InterleaveTakesBlocksInTurn) {
  std::string parts = "[#moe.checkpoint<\"a\">, #moe.checkpoint<\"b\">]>";
  EXPECT_EQ(list("tensor<10x3xf32>", "#moe.interleave<axis = 0, block = 2, " + parts),
            "a[0+6] b[0+6] a[6+6] b[6+6] a[12+3] b[12+3] ");
  EXPECT_EQ(list("tensor<2x4xf32>", "#moe.interleave<axis = 1, block = 1, " + parts),
            "a[0+1] b[0+1] a[1+1] b[1+1] a[2+1] b[2+1] a[3+1] b[3+1] ");
  // Of 2 x 2 scales each, a block has a row.
  std::string type = std::string("!moe.qtensor<512x129") + fp8;
  std::string recipe = "#moe.interleave<axis = 0, block = 128, " + parts;
  EXPECT_EQ(list(type, recipe), "a[0+16512] b[0+16512] a[16512+16512] b[16512+16512] ");
  EXPECT_EQ(list(type, recipe, true), "a[0+2] b[0+2] a[2+2] b[2+2] ");
}

TEST_F(RecipeTest, InterleavedStacksStayApart) {
  EXPECT_EQ(list("tensor<2x4x5xf32>", "#moe.interleave<axis = 1, block = 1, "
                                      "[#moe.stack<\"{}.gate\", 2>, #moe.stack<\"{}.up\", 2>]>"),
            "0.gate[0+5] 0.up[0+5] 0.gate[5+5] 0.up[5+5] "
            "1.gate[0+5] 1.up[0+5] 1.gate[5+5] 1.up[5+5] ");
}

TEST_F(RecipeTest, SplitStacksRanges) {
  EXPECT_EQ(list("tensor<1x4x3xf32>", "#moe.split<axis = 1, count = 1, #moe.checkpoint<\"a\">>"),
            "a[0+12] ");
  EXPECT_EQ(list("tensor<2x2x3xf32>", "#moe.split<axis = 0, count = 2, #moe.checkpoint<\"a\">>"),
            "a[0+6] a[6+6] ");
  EXPECT_EQ(list("tensor<2x2x3xf32>", "#moe.split<axis = 1, count = 2, #moe.checkpoint<\"a\">>"),
            "a[0+3] a[6+3] a[3+3] a[9+3] ");
  std::string type = std::string("!moe.qtensor<2x200x128") + fp8;
  EXPECT_EQ(list(type, "#moe.split<axis = 1, count = 2, #moe.checkpoint<\"a\">>", true),
            "a[0+1] a[2+1] a[1+1] a[3+1] ");
  // One range may end inside of a block.
  EXPECT_EQ(list(std::string("!moe.qtensor<1x200x129") + fp8,
                 "#moe.split<axis = 0, count = 1, #moe.checkpoint<\"a\">>", true),
            "a[0+4] ");
  EXPECT_EQ(list("tensor<3x2x2xf32>",
                 "#moe.concat<axis = 0, sizes = [2, 1], [#moe.stack<\"{}\", 2>, "
                 "#moe.split<axis = 0, count = 1, #moe.checkpoint<\"s\">>]>"),
            "0[0+4] 1[0+4] s[0+4] ");
}

TEST_F(RecipeTest, WhatDoesNotInterleaveOrSplitIsSaid) {
  std::string two = "[#moe.checkpoint<\"a\">, #moe.checkpoint<\"b\">]>";
  EXPECT_EQ(list("tensor<5x3xf32>", "#moe.interleave<axis = 0, block = 2, " + two),
            "weight 'w': 2 parts of one size cannot be interleaved along axis 0 of shape [5, 3]");
  EXPECT_EQ(list("tensor<4xf32>", "#moe.interleave<axis = 1, block = 2, " + two),
            "weight 'w': 2 parts of one size cannot be interleaved along axis 1 of shape [4]");
  for (auto [rows, block] : {std::pair(512, 64), std::pair(400, 128)})
    EXPECT_EQ(list("!moe.qtensor<" + std::to_string(rows) + "x128" + fp8,
                   "#moe.interleave<axis = 0, block = " + std::to_string(block) + ", " + two),
              "weight 'w': interleaving " + std::to_string(block) + " rows of each " +
                  std::to_string(rows / 2) +
                  " of axis 0 parts a block of 128 that shares one scale");
  EXPECT_EQ(
      list("tensor<2x6xf32>", "#moe.split<axis = 0, count = 3, #moe.checkpoint<\"a\">>"),
      "weight 'w': 3 ranges of axis 0 cannot have shape [2, 6]; its axis 0 counts the ranges");
  EXPECT_EQ(
      list("tensor<2x6xf32>", "#moe.split<axis = 1, count = 2, #moe.checkpoint<\"a\">>"),
      "weight 'w': 2 ranges of axis 1 cannot have shape [2, 6]; its axis 0 counts the ranges");
  EXPECT_EQ(list(std::string("!moe.qtensor<2x64x128") + fp8,
                 "#moe.split<axis = 0, count = 2, #moe.checkpoint<\"a\">>"),
            "weight 'w': a range of 64 of axis 0 ends inside a block of 128 that shares one scale");
}

TEST_F(RecipeTest, WhatDoesNotFitIsSaid) {
  std::string two = "[#moe.checkpoint<\"a\">, #moe.checkpoint<\"b\">]>";
  EXPECT_EQ(list("tensor<2x3xf32>", "#moe.concat<axis = 0, sizes = [2, 2], " + two),
            "weight 'w': concat sizes add up to 4, axis 0 of shape [2, 3] has 2");
  EXPECT_EQ(list("tensor<4xf32>", "#moe.concat<axis = 1, sizes = [2, 2], " + two),
            "weight 'w': concat axis 1 is outside shape [4]");
  EXPECT_EQ(list(std::string("!moe.qtensor<200x128") + fp8,
                 "#moe.concat<axis = 0, sizes = [100, 100], " + two),
            "weight 'w': a part of the concat ends at 100 of axis 0, inside a block of 128 that "
            "shares one scale");
  EXPECT_EQ(list("tensor<3x2xf32>", "#moe.stack<\"{}\", 4>"),
            "weight 'w': a stack of 4 tensors cannot have shape [3, 2]; its axis 0 counts the "
            "tensors");
  EXPECT_EQ(list(std::string("!moe.qtensor<4x128") + fp8, "#moe.stack<\"{}\", 4>"),
            "weight 'w': tensor '0' would have shape [128]; a quantized tensor needs at least two "
            "axes");
  EXPECT_EQ(list("tensor<3x2xf32>", "#moe.checkpoint<\"a\">", true),
            "weight 'w' is not quantized and has no scales");
  EXPECT_EQ(
      list("tensor<8x4xf32>", "#moe.rope_table<<dim = 4, theta = 1.0e4, layout = interleaved>, 8>"),
      "weight 'w': a rope table is computed, it cannot be packed or be a part of another "
      "weight");
}

TEST_F(RecipeTest, CheckingFindsTheSameFaultsWithoutListing) {
  EXPECT_FALSE(
      bool(checkRecipe(parse("tensor<1000000000000x2xf32>", "#moe.stack<\"{}\", 1000000000000>"))));
  EXPECT_EQ(llvm::toString(checkRecipe(parse("tensor<3x2xf32>", "#moe.stack<\"{}\", 4>"))),
            "weight 'w': a stack of 4 tensors cannot have shape [3, 2]; its axis 0 counts the "
            "tensors");
  EXPECT_EQ(llvm::toString(checkRecipe(
                parse("tensor<8x6xf32>",
                      "#moe.rope_table<<dim = 4, theta = 1.0e4, layout = interleaved>, 8>"))),
            "weight 'w': its rope table has 8 positions and 4 columns of f32; got type "
            "tensor<8x6xf32>");
}

TEST_F(RecipeTest, LeavesCarryTheirTypes) {
  WeightOp weight = parse(std::string("!moe.qtensor<2x256x128") + fp8,
                          "#moe.concat<axis = 1, sizes = [128, 128], "
                          "[#moe.stack<\"{}.gate\", 2>, #moe.stack<\"{}.up\", 2>]>");
  auto leaves = listLeaves(weight);
  ASSERT_TRUE(bool(leaves));
  ASSERT_EQ(leaves->size(), 4u);
  EXPECT_EQ((*leaves)[1].tensor, "1.gate");
  EXPECT_EQ((*leaves)[1].type,
            mlir::parseType(std::string("!moe.qtensor<128x128") + fp8, &context));
  EXPECT_FALSE(isComputed(weight));
}

//===----------------------------------------------------------------------===//
// Rope tables
//===----------------------------------------------------------------------===//

namespace {
std::vector<float> readFloats(const moec::frontend::SafeTensorsFile &file, const char *name) {
  auto bytes = file.bytes(*file.find(name));
  std::vector<float> values(bytes.size() / sizeof(float));
  memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

struct RopeGolden {
  const char *file;
  int64_t dim;
  const char *scaling; // of the checkpoint's config.json
  const char *theta = "1.0e4";
};

class RopeTableTest : public RecipeTest, public testing::WithParamInterface<RopeGolden> {};
} // namespace

TEST_P(RopeTableTest, MatchesThePublishedCode) {
  RopeGolden golden = GetParam();
  auto file = llvm::cantFail(
      moec::frontend::SafeTensorsFile::open(std::string(getenv("MOEC_SOURCE_DIR")) + golden.file));
  std::string dim = std::to_string(golden.dim);
  auto weight = parse("tensor<64x" + dim + "xf32>",
                      "#moe.rope_table<<dim = " + dim + ", theta = " + golden.theta +
                          ", layout = interleaved" + golden.scaling + ">, 64>");
  EXPECT_TRUE(isComputed(weight));
  auto rope = mlir::cast<RopeTableAttr>(weight.getRecipe()).getRope();

  auto frequencies = readFloats(*file, "rope.inv_freq");
  auto computed = computeRopeFrequencies(rope);
  ASSERT_EQ(computed.size(), frequencies.size());
  for (size_t j = 0; j < computed.size(); ++j)
    EXPECT_NEAR(computed[j] / frequencies[j], 1, 1e-6) << "pair " << j;

  auto cosines = readFloats(*file, "rope.cos"), sines = readFloats(*file, "rope.sin");
  auto table = computeRopeTable(rope, 64);
  int64_t half = golden.dim / 2;
  for (int64_t p = 0; p < 64; ++p)
    for (int64_t j = 0; j < half; ++j) {
      EXPECT_NEAR(table[p * golden.dim + j], cosines[p * golden.dim + j], 1e-5);
      EXPECT_NEAR(table[p * golden.dim + half + j], sines[p * golden.dim + j], 1e-5);
    }
}

INSTANTIATE_TEST_SUITE_P(
    Goldens, RopeTableTest,
    testing::Values(
        RopeGolden{
            "/test/golden/Inputs/deepseek_v3/golden.safetensors", 16,
            ", scaling = #moe.yarn<factor = 40.0, original_context = 4096, beta_fast = 32.0, "
            "beta_slow = 1.0, attention_factor = 1.0>"},
        RopeGolden{"/test/golden/Inputs/deepseek_v3_noqlora/golden.safetensors", 16, ""},
        RopeGolden{
            "/test/golden/Inputs/deepseek_v3_fp8/golden.safetensors", 32,
            ", scaling = #moe.yarn<factor = 40.0, original_context = 4096, beta_fast = 32.0, "
            "beta_slow = 1.0, attention_factor = 1.0>"},
        RopeGolden{"/models/tiny-r1/golden.safetensors", 32,
                   ", scaling = #moe.yarn<factor = 4.0, original_context = 512, beta_fast = 32.0, "
                   "beta_slow = 1.0, attention_factor = 1.0>"},
        RopeGolden{"/test/golden/Inputs/llama3/golden.safetensors", 32,
                   ", scaling = #moe.llama3<factor = 8.0, low_freq_factor = 1.0, "
                   "high_freq_factor = 4.0, original_context = 8192>",
                   "5.0e5"}));
