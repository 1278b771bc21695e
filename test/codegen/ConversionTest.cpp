// The conversions and the exponential that the host lowering expands, bit by bit.
#include "codegen/target/cpu/Lower.h"
#include "dialects/reference/SmallFloat.h"
#include "test/codegen/KernelHarness.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/ExecutionEngine/ExecutionEngine.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"

#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/TargetSelect.h"
#include "gtest/gtest.h"

#include <cmath>
#include <limits>
#include <numeric>

using namespace moec;
using namespace moec::test;
using reference::SmallFloat;

namespace {

/// A function from vectors of In to vectors of Out, lowered for the host and run.
template <typename In, typename Out> class Converter {
public:
  /// `op` converts `%x` of type `vector<8xFROM>` to the result of type `vector<8xTO>`.
  Converter(llvm::StringRef op, llvm::StringRef from, llvm::StringRef to) {
    context->loadDialect<mlir::arith::ArithDialect, mlir::math::MathDialect,
                         mlir::memref::MemRefDialect, mlir::scf::SCFDialect,
                         mlir::vector::VectorDialect>();
    std::string text = llvm::formatv(R"(
      func.func @f(%in: memref<?x{1}>, %out: memref<?x{2}>, %n: index) attributes {{llvm.emit_c_interface} {{
        %c0 = arith.constant 0 : index
        %c8 = arith.constant 8 : index
        scf.for %i = %c0 to %n step %c8 {{
          %x = vector.load %in[%i] : memref<?x{1}>, vector<8x{1}>
          %y = {0} : vector<8x{1}> to vector<8x{2}>
          vector.store %y, %out[%i] : memref<?x{2}>, vector<8x{2}>
        }
        return
      })",
                                     op, from, to);
    if (op == "math.exp %x") // its type is written once
      text.replace(text.find(" to vector<8xf32>"), 17, "");
    module = parseModule(text, *context);
    if (failed(codegen::lowerToLLVM(*module)))
      throw std::runtime_error("cannot lower");
    mlir::registerBuiltinDialectTranslation(*context);
    mlir::registerLLVMDialectTranslation(*context);
    llvm::InitializeNativeTarget();
    llvm::InitializeNativeTargetAsmPrinter();
    engine = llvm::cantFail(mlir::ExecutionEngine::create(*module));
    function = reinterpret_cast<Function>(llvm::cantFail(engine->lookup("_mlir_ciface_f")));
  }

  std::vector<Out> operator()(std::vector<In> in) {
    size_t size = in.size();
    in.resize((size + 7) / 8 * 8);
    std::vector<Out> out(in.size());
    Buffer<In> from{in.data(), in.data(), 0, int64_t(in.size()), 1};
    Buffer<Out> to{out.data(), out.data(), 0, int64_t(out.size()), 1};
    function(&from, &to, in.size());
    out.resize(size);
    return out;
  }

private:
  template <typename T> struct Buffer {
    T *allocated, *aligned;
    int64_t offset, size, stride;
  };
  using Function = void (*)(Buffer<In> *, Buffer<Out> *, int64_t);

  std::unique_ptr<mlir::MLIRContext> context = makeContext();
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::unique_ptr<mlir::ExecutionEngine> engine;
  Function function;
};

/// The codes' values, the points half way between neighbours, and those points' neighbours, with
/// both signs; infinities, NaN, and random bits.
std::vector<float> getProbes(SmallFloat format, uint32_t codes) {
  std::vector<float> probes;
  auto add = [&](float value) {
    float infinity = std::numeric_limits<float>::infinity();
    for (float near : {std::nextafter(value, -infinity), value, std::nextafter(value, infinity)})
      probes.insert(probes.end(), {near, -near});
  };
  for (uint32_t code = 0; code + 1 < codes; ++code) {
    double low = format.decode(code), high = format.decode(code + 1);
    if (!std::isfinite(low) || !std::isfinite(high))
      continue;
    add(low);
    add((low + high) / 2);
    add(high);
  }
  for (float value : {448.f, 464.f, 480.f, 1e30f, std::numeric_limits<float>::infinity(), 1e-40f})
    add(value);
  std::mt19937 random(7);
  for (int i = 0; i < 1000000; ++i)
    probes.push_back(llvm::bit_cast<float>(uint32_t(random())));
  return probes;
}

TEST(Conversions, AllCodesOfE4M3) {
  std::vector<uint8_t> codes(256);
  std::iota(codes.begin(), codes.end(), 0);
  auto values = Converter<uint8_t, float>("arith.extf %x", "f8E4M3FN", "f32")(codes);
  for (int code = 0; code < 256; ++code) {
    double expected = SmallFloat::e4m3().decode(code);
    if (std::isnan(expected)) {
      EXPECT_TRUE(std::isnan(values[code])) << code;
      continue;
    }
    EXPECT_EQ(values[code], expected) << code;
    EXPECT_EQ(std::signbit(values[code]), std::signbit(expected)) << code;
  }
}

TEST(Conversions, FloatToE4M3) {
  std::vector<float> probes = getProbes(SmallFloat::e4m3(), 127);
  auto codes = Converter<float, uint8_t>("arith.truncf %x", "f32", "f8E4M3FN")(probes);
  size_t wrong = 0;
  for (size_t i = 0; i < probes.size(); ++i)
    if (std::isnan(probes[i]))
      wrong += (codes[i] & 0x7F) != 0x7F;
    else
      wrong += codes[i] != SmallFloat::e4m3().encode(probes[i]);
  EXPECT_EQ(wrong, 0u) << "of " << probes.size();
}

TEST(Conversions, FloatToBFloat16AndBack) {
  std::vector<float> probes = getProbes(SmallFloat::bf16(), 0x7F80);
  auto codes = Converter<float, uint16_t>("arith.truncf %x", "f32", "bf16")(probes);
  auto values = Converter<uint16_t, float>("arith.extf %x", "bf16", "f32")(codes);
  size_t wrong = 0;
  for (size_t i = 0; i < probes.size(); ++i) {
    if (std::isnan(probes[i])) {
      wrong += !std::isnan(values[i]);
      continue;
    }
    wrong += codes[i] != SmallFloat::bf16().encode(probes[i]);
    wrong += values[i] != SmallFloat::bf16().decode(codes[i]);
  }
  EXPECT_EQ(wrong, 0u) << "of " << probes.size();
}

TEST(Conversions, Exponential) {
  std::mt19937 random(3);
  std::uniform_real_distribution<float> uniform(-110, 95);
  std::vector<float> x = {0,         -0.f,       1,        -1,      88.72283f,
                          88.72284f, -87.33654f, -103.97f, -104.1f, 1e-30f};
  while (x.size() < 2000000)
    x.push_back(uniform(random));
  auto y = Converter<float, float>("math.exp %x", "f32", "f32")(x);
  double worst = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    double exact = std::exp(double(x[i]));
    if (exact > std::numeric_limits<float>::max()) {
      EXPECT_TRUE(std::isinf(y[i])) << x[i];
      continue;
    }
    double place = std::max(std::ldexp(1.0, std::ilogb(exact) - 23), std::ldexp(1.0, -149));
    worst = std::max(worst, std::abs(y[i] - exact) / place);
  }
  EXPECT_LE(worst, 1.1); // units in the last place
  float infinity = std::numeric_limits<float>::infinity();
  auto ends =
      Converter<float, float>("math.exp %x", "f32", "f32")({infinity, -infinity, std::nanf("")});
  EXPECT_EQ(ends[0], infinity);
  EXPECT_EQ(ends[1], 0);
  EXPECT_TRUE(std::isnan(ends[2]));
}

} // namespace
