// Remarks made as passes make them, and the table of them.
#include "codegen/tools/moec/RemarkTable.h"

#include "dialects/moe/MoeDialect.h"
#include "passes/Remarks.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/raw_ostream.h"
#include "gtest/gtest.h"

using namespace moec;

namespace {

/// Four layers of one add each, a gate in the last two, and an add outside.
constexpr const char *kModel = R"(
  func.func @decode(%x: tensor<?x4xf32>, %b: tensor<4xf32>) -> tensor<?x4xf32> {
    %0 = moe.add %x, %x : tensor<?x4xf32> loc("embed")
    %1 = moe.add %0, %x : tensor<?x4xf32> loc("layers.0.add")
    %2 = moe.add %1, %x : tensor<?x4xf32> loc("layers.1.add")
    %3 = moe.add %2, %x : tensor<?x4xf32> loc("layers.2.add")
    %4 = moe.add %3, %x : tensor<?x4xf32> loc("layers.3.add")
    %i, %w = moe.gate %3, %b {scoring = #moe<scoring sigmoid>, top_k = 2 : i64} : (tensor<?x4xf32>, tensor<4xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>) loc("layers.2.gate")
    %j, %v = moe.gate %4, %b {scoring = #moe<scoring sigmoid>, top_k = 2 : i64} : (tensor<?x4xf32>, tensor<4xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>) loc("layers.3.gate")
    return %4 : tensor<?x4xf32>
  })";

class RemarkTable : public ::testing::Test {
protected:
  RemarkTable() {
    context.loadDialect<mlir::func::FuncDialect, moe::MoeDialect>();
    module = mlir::parseSourceString<mlir::ModuleOp>(kModel, &context);
    llvm::cantFail(log.collectFrom(context));
    log.readLayers(*module);
  }

  /// Calls `visit` on all adds, as a pass in one function would.
  void forAdds(llvm::function_ref<void(mlir::Operation *)> visit) {
    module->walk([&](moe::AddOp op) { visit(op); });
  }

  std::string print() {
    std::string text;
    llvm::raw_string_ostream os(text);
    printRemarkTable(log, {{"fuse-a"}, {"fuse-b"}, {"fuse-c"}, {"fuse-d", /*disabled=*/true}}, os);
    return text;
  }

  RemarkLog log; // outlives the context
  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
};

TEST_F(RemarkTable, AlikeRemarksOfLayersAreOneRow) {
  ASSERT_TRUE(module);
  forAdds([](mlir::Operation *op) { passes::reportSuccess(op, "fuse-a", "fused 2 ops"); });
  std::string text = print();
  EXPECT_NE(text.find("passed   fuse-a  decode    embed                moe.add  fused 2 ops\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("passed   fuse-a  decode    layers.0-3.add (x4)  moe.add  fused 2 ops\n"),
            std::string::npos)
      << text;
}

TEST_F(RemarkTable, CountsByKindOfLayer) {
  forAdds([](mlir::Operation *op) { passes::reportSuccess(op, "fuse-a", "fused 2 ops"); });
  std::string text = print();
  EXPECT_NE(text.find("fired   function  dense layers (2)  MoE layers (2)  outside of layers\n"
                      "fuse-a  decode    2                 2               1\n"),
            std::string::npos)
      << text;
}

TEST_F(RemarkTable, TellsWhyAFusionNeverFired) {
  forAdds([](mlir::Operation *op) {
    std::string place = llvm::cast<mlir::NameLoc>(op->getLoc()).getName().str();
    passes::reportRefusal(op, "fuse-b", place == "embed" ? "rare" : "@" + place + " is in use");
  });
  std::string text = print();
  EXPECT_NE(text.find("missed   fuse-b  decode    layers.0-3.add (x4)  moe.add  "
                      "@layers.*.add is in use\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("\nnever fired\n"
                      "fuse-a  nothing to do\n"
                      "fuse-b  refused 5 times, 4 of them: @layers.*.add is in use\n"
                      "fuse-c  nothing to do\n"
                      "fuse-d  disabled\n"),
            std::string::npos)
      << text;
}

TEST_F(RemarkTable, FunctionsWithTheSameCountsShareARow) {
  for (const char *function : {"decode_16", "decode_2", "prefill"})
    log.add({"passed", "fuse-a", function, "layers.2.add", "moe.add", "fused"});
  log.add({"missed", "fuse-a", "prefill", "layers.2.add", "moe.add", "too wide"});
  log.add({"analysis", "fuse-a", "prefill", "layers.2.add", "moe.add", "costs 1 us"});
  std::string text = print();
  EXPECT_NE(text.find("fuse-a  decode_2,16  -                 1               -\n"
                      "        prefill      -                 1, 1 refused    -\n"),
            std::string::npos)
      << text;
}

TEST_F(RemarkTable, Json) {
  log.add({"missed", "fuse-a", "decode", "layers.2.add", "moe.add", "a \"reason\""});
  std::string text;
  llvm::raw_string_ostream os(text);
  printRemarkJson(log, {{"fuse-a"}, {"fuse-b"}}, os);
  EXPECT_NE(text.find("\"in\": \"MoE layers\""), std::string::npos) << text;
  EXPECT_NE(text.find("\"text\": \"a \\\"reason\\\"\""), std::string::npos) << text;
  EXPECT_NE(text.find("\"fuse-b\": \"nothing to do\""), std::string::npos) << text;
}

TEST(RemarkTexts, Ranges) {
  EXPECT_EQ(rangesText({}), "");
  EXPECT_EQ(rangesText({7}), "7");
  EXPECT_EQ(rangesText({0, 1, 2, 5, 7, 8}), "0-2,5,7-8");
}

TEST(RemarkTexts, Functions) {
  EXPECT_EQ(functionsText({"prefill", "decode"}), "decode prefill");
  EXPECT_EQ(functionsText({"decode_1", "decode_16", "decode_2", "prefill_64", "mtp"}),
            "decode_1,2,16 mtp prefill_64");
}

TEST(RemarkTexts, Layers) {
  EXPECT_EQ(getLayer("layers.3.mlp.gate"), "layers.3");
  EXPECT_EQ(getLayer("model.layers.61.x"), "model.layers.61");
  EXPECT_EQ(getLayer("embed_tokens"), "");
  EXPECT_EQ(getLayer(""), "");
}

} // namespace
