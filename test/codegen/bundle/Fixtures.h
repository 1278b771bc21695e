// What the bundle writer's tests share: a small plan as text, and its checkpoint.
#pragma once

#include "codegen/bundle/WriteBundle.h"
#include "test/frontend/TestFiles.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"

namespace moec::bundle::test {

using frontend::test::errorOf;
using frontend::test::hasPart;
using frontend::test::TestFolder;
using frontend::test::valueOf;

/// Two weights (one quantized, of two checkpoint tensors), a rope table, one
/// kernel, two entries.
inline constexpr const char *planText = R"mlir(
module attributes {moe.model_type = "toy", moe.model_name = "small", moe.vocab_size = 8 : i64,
                   moe.max_context = 100 : i64, moe.numerics = {activations = "exact"}} {
  moe.weight @norm : tensor<4xf32> = #moe.checkpoint<"norm.weight">
  moe.weight @w : !moe.qtensor<256x128xf8E4M3FN, block = [128, 128], scale = f32>
      = #moe.concat<axis = 0, sizes = [128, 128], [#moe.checkpoint<"a.weight">, #moe.checkpoint<"b.weight">]>
  moe.weight @rope : tensor<100x2xf32> = #moe.rope_table<<dim = 2, theta = 1.0e4, layout = interleaved>, 100>
  kern.kernel @k(%x: tensor<?x128xf32>, %c: !moe.cache<16xf32, page = 64>) -> tensor<?x128xf32> attributes {
      hero = #kern.hero<rows>, schedule = #kern.schedule<{row_tile = 4 : i64}>,
      rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>], row_strides = array<i64: 128, 0, 128>} {
    %0 = moe.add %x, %x : tensor<?x128xf32>
    kern.yield %0 : tensor<?x128xf32>
  }
  plan.weight @norm.values : tensor<4xf32> of @norm values
  plan.weight @w.values : tensor<256x128xf8E4M3FN> of @w values
  plan.weight @w.scales : tensor<2x1xf32> of @w scales
  plan.weight @rope.values : tensor<100x2xf32> of @rope values
  plan.program @prefill_16 entry "prefill" tokens 16 sequences 2 output_rows 2 arena 16384 {
    %0 = plan.arena 0 bytes 8192
    %1 = plan.cache 1
    %2 = plan.arena 8192 bytes 8192
    plan.launch @k(%0, %1, %2) grid #kern.grid<dim = tokens, divisor = 4> bytes 1024 flops 128 label "here"
  }
  plan.program @prefill_4 entry "prefill" tokens 4 sequences 2 output_rows 2 arena 4096 {
    %0 = plan.arena 0 bytes 2048
    %1 = plan.cache 0
    %2 = plan.arena 2048 bytes 2048
    plan.launch @k(%0, %1, %2) grid #kern.grid<dim = tokens, cap = 9> bytes 1024 flops 128
  }
  plan.program @decode_1 entry "decode" tokens 1 sequences 1 output_rows 1 arena 512 {
    %0 = plan.weight_ref @w.values
    %1 = plan.cache 0
    %2 = plan.input token_ids
    plan.launch @k(%0, %1, %2) grid #kern.grid<dim = one> bytes 1 flops 1
  }
}
)mlir";

/// The plan, its code and its checkpoint, ready to be written.
class Compiled {
public:
  explicit Compiled(const char *text = planText) {
    context.loadDialect<mlir::func::FuncDialect, moe::MoeDialect, kern::KernDialect,
                        plan::PlanDialect>();
    module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
    EXPECT_TRUE(module);
    code.images.push_back({"elf-so", std::vector<uint8_t>(5000, 0x90)});
    code.targetKind = "cpu";
    code.arch = "x86-64-v3";
    code.kernels["k"].workspaceBytes = 256;
  }

  /// Writes the checkpoint into `folder`: byte i of a tensor of codes is i % 100,
  /// scales and norms are as given.
  void makeCheckpoint(const TestFolder &folder, std::vector<float> scales = {2.0f, 3.0f}) {
    using frontend::DType;
    folder.write("config.json",
                 R"({"model_type": "toy", "quantization_config": {"quant_method": "fp8",)"
                 R"( "fmt": "e4m3", "weight_block_size": [128, 128]}})");
    auto writer = valueOf(frontend::SafeTensorsWriter::create(
        folder.path("model.safetensors"), {{"norm.weight", DType::F32, {4}},
                                           {"a.weight_scale_inv", DType::F32, {1, 1}},
                                           {"b.weight_scale_inv", DType::F32, {1, 1}},
                                           {"a.weight", DType::F8_E4M3, {128, 128}},
                                           {"b.weight", DType::F8_E4M3, {128, 128}}}));
    std::vector<float> floats = {1, 2, 3, 4, scales[0], scales[1]};
    std::vector<uint8_t> bytes(floats.size() * 4 + 2 * 128 * 128);
    std::memcpy(bytes.data(), floats.data(), floats.size() * 4);
    for (size_t i = 0; i < 2 * 128 * 128; ++i)
      bytes[floats.size() * 4 + i] = i % 100;
    ASSERT_EQ(errorOf(writer->append(bytes)), "(no error)");
    ASSERT_EQ(errorOf(writer->finish()), "(no error)");
  }

  llvm::Expected<BundleResult> write(const TestFolder &checkpointFolder,
                                     const BundleRequest &request) {
    auto checkpoint = valueOf(frontend::Checkpoint::open(checkpointFolder.path()));
    frontend::ConfigReader config(checkpoint->config(), "config.json");
    auto scheme = frontend::readQuantScheme(config);
    return writeBundle(*module, code, *checkpoint, *scheme, request);
  }

  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  KernelCode code;
};

} // namespace moec::bundle::test
