// Row programs against the reference interpreter, at sizes that are no multiples of anything.
#include "test/codegen/KernelHarness.h"

#include "llvm/Support/FormatVariadic.h"
#include "gtest/gtest.h"

using namespace moec;
using namespace moec::test;

namespace {

/// All results within `tolerance`, on the host's widest registers and on narrow ones.
void expectClose(llvm::StringRef text, double tolerance) {
  for (const char *target : {"cpu", "cpu:x86-64-v3"}) {
    KernelHarness harness(text, {}, target);
    for (int64_t tokens : {1, 5, 33}) {
      harness.setDims({.tokens = tokens, .sequences = 3, .outputRows = 4});
      for (auto [i, error] : llvm::enumerate(harness.compare()))
        EXPECT_LE(error, tolerance) << "result " << i << ", " << tokens << " tokens on " << target;
    }
  }
}

TEST(Rows, AddStridedView) {
  expectClose(R"(
    kern.kernel @k(%x: tensor<?x129xf32>, %y: tensor<?x129xf32>) -> tensor<?x129xf32> attributes {
        hero = #kern.hero<pointwise>,
        rows = [#kern.rows<tokens * 2>, #kern.rows<tokens * 2>, #kern.rows<tokens * 2>],
        row_strides = array<i64: 300, 129, 129>} {
      %0 = moe.add %x, %y : tensor<?x129xf32>
      kern.yield %0 : tensor<?x129xf32>
    })",
              1e-7);
}

TEST(Rows, AddNormQuantize) {
  expectClose(R"(
    kern.kernel @k(%x: tensor<?x300xf32>, %y: tensor<?x300xf32>, %w: tensor<300xf32>)
        -> (tensor<?x300xf32>, tensor<?x300xf32>, !moe.qtensor<?x300xf8E4M3FN, block = [1, 128], scale = f32>)
        attributes {hero = #kern.hero<rows>,
        rows = [#kern.rows<tokens * 1>, #kern.rows<tokens * 1>, unit,
                #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>],
        row_strides = array<i64: 300, 512, 0, 300, 300, 300>} {
      %0 = moe.add %x, %y : tensor<?x300xf32>
      %1 = moe.rms_norm %0, %w {epsilon = 1.0e-6} : (tensor<?x300xf32>, tensor<300xf32>) -> tensor<?x300xf32>
      %2 = moe.quantize %1 : (tensor<?x300xf32>) -> !moe.qtensor<?x300xf8E4M3FN, block = [1, 128], scale = f32>
      kern.yield %0, %1, %2 : tensor<?x300xf32>, tensor<?x300xf32>, !moe.qtensor<?x300xf8E4M3FN, block = [1, 128], scale = f32>
    })",
              2e-3);
}

// What is yielded is rounded before the norm reads it.
TEST(Rows, NormOfRoundedSum) {
  expectClose(R"(
    kern.kernel @k(%x: tensor<?x301xbf16>, %y: tensor<?x301xf32>, %w: tensor<301xf32>)
        -> (tensor<?x301xbf16>, tensor<?x301xf32>)
        attributes {hero = #kern.hero<rows>,
        rows = [#kern.rows<tokens * 1>, #kern.rows<tokens * 1>, unit,
                #kern.rows<tokens * 1>, #kern.rows<tokens * 1>],
        row_strides = array<i64: 301, 512, 0, 301, 301>} {
      %0 = moe.add %x, %y : (tensor<?x301xbf16>, tensor<?x301xf32>) -> tensor<?x301xbf16>
      %1 = moe.rms_norm %0, %w {epsilon = 1.0e-6} : (tensor<?x301xbf16>, tensor<301xf32>) -> tensor<?x301xf32>
      kern.yield %0, %1 : tensor<?x301xbf16>, tensor<?x301xf32>
    })",
              2e-4);
}

TEST(Rows, NormOfBFloat16Weight) {
  expectClose(R"(
    kern.kernel @k(%x: tensor<?x71xf32>, %w: tensor<71xbf16>) -> tensor<?x71xf32>
        attributes {hero = #kern.hero<rows>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>],
        row_strides = array<i64: 71, 0, 71>} {
      %0 = moe.rms_norm %x, %w {epsilon = 1.0e-6} : (tensor<?x71xf32>, tensor<71xbf16>) -> tensor<?x71xf32>
      kern.yield %0 : tensor<?x71xf32>
    })",
              3e-7);
}

TEST(Rows, NormOfHeads) {
  expectClose(R"(
    kern.kernel @k(%x: tensor<?x99xf32>, %w: tensor<33xf32>) -> tensor<?x99xf32>
        attributes {hero = #kern.hero<rows>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>],
        row_strides = array<i64: 150, 0, 99>} {
      %0 = moe.rms_norm %x, %w {epsilon = 1.0e-6, heads = 3 : i64} : (tensor<?x99xf32>, tensor<33xf32>) -> tensor<?x99xf32>
      kern.yield %0 : tensor<?x99xf32>
    })",
              3e-7);
}

// Queries and keys normalised by head and rotated, values as they are: of one product's row.
TEST(Rows, HeadsIntoCache) {
  expectClose(R"(
    kern.kernel @k(%x: tensor<?x120xf32>, %v: tensor<20xf32>, %w: tensor<20xf32>, %p: tensor<?xi32>, %t: tensor<300x20xf32>,
                   %c: !moe.cache<60xf32, page = 64>, %s: tensor<?xi32>, %b: tensor<?x?xi32>)
        -> (tensor<?x60xf32>, !moe.cache<60xf32, page = 64>)
        attributes {hero = #kern.hero<rows>,
        rows = [#kern.rows<tokens * 1>, unit, unit, #kern.rows<tokens * 1>, unit, unit, #kern.rows<tokens * 1>,
                #kern.rows<sequences * 1>, #kern.rows<tokens * 1>, unit],
        row_strides = array<i64: 120, 0, 0, 1, 20, 60, 1, 0, 60, 60>} {
      %q = moe.slice %x {offset = 0} : (tensor<?x120xf32>) -> tensor<?x60xf32>
      %k = moe.slice %x {offset = 60} : (tensor<?x120xf32>) -> tensor<?x40xf32>
      %u = moe.slice %x {offset = 100} : (tensor<?x120xf32>) -> tensor<?x20xf32>
      %qn = moe.rms_norm %q, %v {epsilon = 1.0e-6, heads = 3 : i64} : (tensor<?x60xf32>, tensor<20xf32>) -> tensor<?x60xf32>
      %kn = moe.rms_norm %k, %w {epsilon = 1.0e-6, heads = 2 : i64} : (tensor<?x40xf32>, tensor<20xf32>) -> tensor<?x40xf32>
      %qr = moe.rope %qn, %p, %t {heads = 3 : i64, rope = #moe.rope<dim = 20, theta = 1.0e4, layout = half>}
          : (tensor<?x60xf32>, tensor<?xi32>, tensor<300x20xf32>) -> tensor<?x60xf32>
      %kr = moe.rope %kn, %p, %t {heads = 2 : i64, rope = #moe.rope<dim = 20, theta = 1.0e4, layout = half>}
          : (tensor<?x40xf32>, tensor<?xi32>, tensor<300x20xf32>) -> tensor<?x40xf32>
      %a = moe.concat %kr, %u : (tensor<?x40xf32>, tensor<?x20xf32>) -> tensor<?x60xf32>
      %0 = moe.cache_append %c, %a, %p, %s, %b
          : (!moe.cache<60xf32, page = 64>, tensor<?x60xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>)
          -> !moe.cache<60xf32, page = 64>
      kern.yield %qr, %0 : tensor<?x60xf32>, !moe.cache<60xf32, page = 64>
    })",
              1e-6);
}

// The halves of one buffer, as merge-linears leaves them, and a slice inside of the kernel.
TEST(Rows, SwigluOfSlicesQuantized) {
  expectClose(R"(
    kern.kernel @k(%x: tensor<?x400xf32>) -> (tensor<?x200xf32>, !moe.qtensor<?x200xf8E4M3FN, block = [1, 128], scale = f32>)
        attributes {hero = #kern.hero<pointwise>,
        rows = [#kern.rows<tokens * 8>, #kern.rows<tokens * 8>, #kern.rows<tokens * 8>],
        row_strides = array<i64: 400, 200, 200>} {
      %g = moe.slice %x {offset = 0} : (tensor<?x400xf32>) -> tensor<?x200xf32>
      %u = moe.slice %x {offset = 200} : (tensor<?x400xf32>) -> tensor<?x200xf32>
      %0 = moe.swiglu %g, %u : tensor<?x200xf32>
      %1 = moe.quantize %0 : (tensor<?x200xf32>) -> !moe.qtensor<?x200xf8E4M3FN, block = [1, 128], scale = f32>
      kern.yield %0, %1 : tensor<?x200xf32>, !moe.qtensor<?x200xf8E4M3FN, block = [1, 128], scale = f32>
    })",
              2e-3);
}

TEST(Rows, Swiglu) {
  expectClose(R"(
    kern.kernel @k(%g: tensor<?x129xf32>, %u: tensor<?x129xf32>) -> tensor<?x129xf32>
        attributes {hero = #kern.hero<pointwise>,
        rows = [#kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>],
        row_strides = array<i64: 129, 129, 129>} {
      %0 = moe.swiglu %g, %u : tensor<?x129xf32>
      kern.yield %0 : tensor<?x129xf32>
    })",
              3e-7);
}

TEST(Rows, QuantizeRoundTrip) {
  expectClose(R"(
    kern.kernel @k(%x: tensor<?x130xf32>) -> tensor<?x130xf32>
        attributes {hero = #kern.hero<rows>, rows = [#kern.rows<tokens * 1>, #kern.rows<tokens * 1>],
        row_strides = array<i64: 130, 130>} {
      %0 = moe.quantize %x : (tensor<?x130xf32>) -> !moe.qtensor<?x130xf8E4M3FN, block = [1, 128], scale = f32>
      %1 = moe.dequantize %0 : (!moe.qtensor<?x130xf8E4M3FN, block = [1, 128], scale = f32>) -> tensor<?x130xf32>
      kern.yield %1 : tensor<?x130xf32>
    })",
              2e-3);
}

// A view and a value that is yielded twice have to be copied.
TEST(Rows, YieldedTwice) {
  expectClose(R"(
    kern.kernel @k(%x: tensor<?x40xf32>) -> (tensor<?x24xf32>, tensor<?x40xf32>, tensor<?x40xf32>)
        attributes {hero = #kern.hero<rows>,
        rows = [#kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>],
        row_strides = array<i64: 40, 24, 40, 40>} {
      %0 = moe.add %x, %x : tensor<?x40xf32>
      %1 = moe.slice %0 {offset = 13} : (tensor<?x40xf32>) -> tensor<?x24xf32>
      kern.yield %1, %0, %0 : tensor<?x24xf32>, tensor<?x40xf32>, tensor<?x40xf32>
    })",
              1e-7);
}

TEST(Rows, RopeInterleaved) {
  expectClose(R"(
    kern.kernel @k(%x: tensor<?x90xf32>, %p: tensor<?xi32>, %t: tensor<200x20xf32>) -> tensor<?x90xf32>
        attributes {hero = #kern.hero<rows>,
        rows = [#kern.rows<tokens * 1>, #kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>],
        row_strides = array<i64: 100, 1, 20, 90>} {
      %0 = moe.rope %x, %p, %t {heads = 3 : i64, rope = #moe.rope<dim = 20, theta = 1.0e4, layout = interleaved>}
          : (tensor<?x90xf32>, tensor<?xi32>, tensor<200x20xf32>) -> tensor<?x90xf32>
      kern.yield %0 : tensor<?x90xf32>
    })",
              1e-6);
}

TEST(Rows, RopeHalf) {
  expectClose(R"(
    kern.kernel @k(%x: tensor<?x64xf32>, %p: tensor<?xi32>, %t: tensor<200x64xf32>) -> tensor<?x64xf32>
        attributes {hero = #kern.hero<rows>,
        rows = [#kern.rows<tokens * 1>, #kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>],
        row_strides = array<i64: 64, 1, 64, 64>} {
      %0 = moe.rope %x, %p, %t {heads = 1 : i64, rope = #moe.rope<dim = 64, theta = 1.0e4, layout = half>}
          : (tensor<?x64xf32>, tensor<?xi32>, tensor<200x64xf32>) -> tensor<?x64xf32>
      kern.yield %0 : tensor<?x64xf32>
    })",
              1e-6);
}

TEST(Rows, RopeWithoutTableIsRefused) {
  try {
    KernelHarness harness(R"(
      kern.kernel @k(%x: tensor<?x64xf32>, %p: tensor<?xi32>) -> tensor<?x64xf32>
          attributes {hero = #kern.hero<rows>,
          rows = [#kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>],
          row_strides = array<i64: 64, 1, 64>} {
        %0 = moe.rope %x, %p {heads = 1 : i64, rope = #moe.rope<dim = 64, theta = 1.0e4, layout = half>}
            : (tensor<?x64xf32>, tensor<?xi32>) -> tensor<?x64xf32>
        kern.yield %0 : tensor<?x64xf32>
      })");
    FAIL() << "compiled";
  } catch (const std::runtime_error &error) {
    EXPECT_NE(
        std::string(error.what()).find("a rope needs its table; run attach-rope-tables first"),
        std::string::npos)
        << error.what();
  }
}

// Latent norm, rope of the key, concatenation and the cache, as one kernel.
std::string latentKernel(llvm::StringRef element) {
  return llvm::formatv(R"(
    kern.kernel @k(%x: tensor<?x76xf32>, %w: tensor<60xf32>, %p: tensor<?xi32>, %t: tensor<300x16xf32>,
                   %c: !moe.cache<76x{0}, page = 64>, %s: tensor<?xi32>, %b: tensor<?x?xi32>)
        -> !moe.cache<76x{0}, page = 64>
        attributes {{hero = #kern.hero<rows>,
        rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, unit, unit, #kern.rows<tokens * 1>,
                #kern.rows<sequences * 1>, unit],
        row_strides = array<i64: 200, 0, 1, 16, 76, 1, 0, 76>} {{
      %l = moe.slice %x {{offset = 0} : (tensor<?x76xf32>) -> tensor<?x60xf32>
      %k = moe.slice %x {{offset = 60} : (tensor<?x76xf32>) -> tensor<?x16xf32>
      %n = moe.rms_norm %l, %w {{epsilon = 1.0e-6} : (tensor<?x60xf32>, tensor<60xf32>) -> tensor<?x60xf32>
      %r = moe.rope %k, %p, %t {{heads = 1 : i64, rope = #moe.rope<dim = 16, theta = 1.0e4, layout = interleaved>}
          : (tensor<?x16xf32>, tensor<?xi32>, tensor<300x16xf32>) -> tensor<?x16xf32>
      %a = moe.concat %n, %r : (tensor<?x60xf32>, tensor<?x16xf32>) -> tensor<?x76xf32>
      %0 = moe.cache_append %c, %a, %p, %s, %b
          : (!moe.cache<76x{0}, page = 64>, tensor<?x76xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>)
          -> !moe.cache<76x{0}, page = 64>
      kern.yield %0 : !moe.cache<76x{0}, page = 64>
    })",
                       element);
}

TEST(Rows, LatentIntoCache) { expectClose(latentKernel("f32"), 3e-7); }
TEST(Rows, LatentIntoBFloat16Cache) { expectClose(latentKernel("bf16"), 2e-3); }

TEST(Rows, LatentIntoQuantizedCache) {
  expectClose(latentKernel("!moe.qtensor<1x60xf8E4M3FN, block = [1, 128], scale = f32>"), 2e-3);
  expectClose(latentKernel("!moe.qtensor<1x60xf8E4M3FN, block = [1, 32], scale = f32>"), 2e-3);
}

// What the down-projection's halves become: siblings of different widths, one of them a cache row.
TEST(Rows, NormQuantizeBesideCacheWrite) {
  expectClose(R"(
    kern.kernel @k(%a: tensor<?x130xf32>, %v: tensor<130xf32>, %x: tensor<?x60xf32>, %w: tensor<60xf32>, %y: tensor<?x16xf32>,
                   %p: tensor<?xi32>, %t: tensor<300x16xf32>, %c: !moe.cache<76xf32, page = 64>,
                   %s: tensor<?xi32>, %b: tensor<?x?xi32>)
        -> (tensor<?x130xf32>, !moe.qtensor<?x130xf8E4M3FN, block = [1, 128], scale = f32>, !moe.cache<76xf32, page = 64>)
        attributes {hero = #kern.hero<rows>,
        rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>,
                #kern.rows<tokens * 1>, unit, unit, #kern.rows<tokens * 1>, #kern.rows<sequences * 1>,
                #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, unit],
        row_strides = array<i64: 206, 0, 206, 0, 206, 1, 16, 76, 1, 0, 130, 130, 76>} {
      %m = moe.rms_norm %a, %v {epsilon = 1.0e-6} : (tensor<?x130xf32>, tensor<130xf32>) -> tensor<?x130xf32>
      %q = moe.quantize %m : (tensor<?x130xf32>) -> !moe.qtensor<?x130xf8E4M3FN, block = [1, 128], scale = f32>
      %n = moe.rms_norm %x, %w {epsilon = 1.0e-6} : (tensor<?x60xf32>, tensor<60xf32>) -> tensor<?x60xf32>
      %r = moe.rope %y, %p, %t {heads = 1 : i64, rope = #moe.rope<dim = 16, theta = 1.0e4, layout = interleaved>}
          : (tensor<?x16xf32>, tensor<?xi32>, tensor<300x16xf32>) -> tensor<?x16xf32>
      %k = moe.concat %n, %r : (tensor<?x60xf32>, tensor<?x16xf32>) -> tensor<?x76xf32>
      %0 = moe.cache_append %c, %k, %p, %s, %b
          : (!moe.cache<76xf32, page = 64>, tensor<?x76xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>)
          -> !moe.cache<76xf32, page = 64>
      kern.yield %m, %q, %0 : tensor<?x130xf32>, !moe.qtensor<?x130xf8E4M3FN, block = [1, 128], scale = f32>, !moe.cache<76xf32, page = 64>
    })",
              2e-3);
}

TEST(Rows, Embedding) {
  expectClose(R"(
    kern.kernel @k(%i: tensor<?xi32>, %t: tensor<77x35xbf16>) -> tensor<?x35xf32>
        attributes {hero = #kern.hero<rows>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>],
        row_strides = array<i64: 1, 35, 35>} {
      %0 = moe.embedding %i, %t : (tensor<?xi32>, tensor<77x35xbf16>) -> tensor<?x35xf32>
      kern.yield %0 : tensor<?x35xf32>
    })",
              0);
}

TEST(Rows, GatherThenNorm) {
  expectClose(R"(
    kern.kernel @k(%x: tensor<?x66xf32>, %r: tensor<?xi32>, %w: tensor<66xf32>) -> tensor<?x66xf32>
        attributes {hero = #kern.hero<rows>,
        rows = [#kern.rows<tokens * 1>, #kern.rows<output_rows * 1>, unit, #kern.rows<output_rows * 1>],
        row_strides = array<i64: 80, 1, 0, 66>} {
      %0 = moe.gather_rows %x, %r : (tensor<?x66xf32>, tensor<?xi32>) -> tensor<?x66xf32>
      %1 = moe.rms_norm %0, %w {epsilon = 1.0e-5} : (tensor<?x66xf32>, tensor<66xf32>) -> tensor<?x66xf32>
      kern.yield %1 : tensor<?x66xf32>
    })",
              3e-7);
}

TEST(Rows, CombineAddAdd) {
  expectClose(R"(
    kern.kernel @k(%y: tensor<?x65xf32>, %s: tensor<?x3xi32>, %w: tensor<?x3xf32>, %r: tensor<?x65xf32>, %h: tensor<?x65xf32>)
        -> tensor<?x65xf32>
        attributes {hero = #kern.hero<rows>,
        rows = [#kern.rows<tokens * 3>, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>,
                #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>],
        row_strides = array<i64: 65, 3, 3, 65, 100, 65>} {
      %0 = moe.combine %y, %s, %w : (tensor<?x65xf32>, tensor<?x3xi32>, tensor<?x3xf32>) -> tensor<?x65xf32>
      %1 = moe.add %0, %r : tensor<?x65xf32>
      %2 = moe.add %h, %1 : tensor<?x65xf32>
      kern.yield %2 : tensor<?x65xf32>
    })",
              3e-7);
}

} // namespace
