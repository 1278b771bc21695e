// Text of matrix kernels for tests and benchmarks.
#pragma once

#include "llvm/ADT/StringRef.h"
#include "llvm/ADT/Twine.h"

#include <cstdint>
#include <string>

namespace moec::test {

/// "tensor<129x576xbf16>", or for "f8" "!moe.qtensor<129x576xf8E4M3FN, block = [128, 128], ...>".
/// `shape` is like "129x576".
inline std::string weightType(const std::string &shape, const std::string &element) {
  if (element == "f8")
    return "!moe.qtensor<" + shape + "xf8E4M3FN, block = [128, 128], scale = f32>";
  return "tensor<" + shape + "x" + element + ">";
}

/// The type of activations: "f32", or "f8" for quantized ones.
inline std::string rowsType(const std::string &shape, const std::string &element) {
  if (element == "f8")
    return "!moe.qtensor<" + shape + "xf8E4M3FN, block = [1, 128], scale = f32>";
  return "tensor<" + shape + "x" + element + ">";
}

struct LinearText {
  int64_t columns, depth; // N, K
  std::string weight = "f32", x = "f32";
  bool add = false;                 // with a residual
  int64_t xStride = 0, yStride = 0; // 0: contiguous
  std::string bias = {};            // its element type; empty: none

  std::string str() const {
    std::string k = std::to_string(depth), n = std::to_string(columns),
                bType = bias.empty() ? "" : "tensor<" + n + "x" + bias + ">";
    std::string xType = rowsType("?x" + k, x), wType = weightType(n + "x" + k, weight),
                yType = "tensor<?x" + n + "xf32>";
    std::string strideX = std::to_string(xStride ? xStride : depth),
                strideY = std::to_string(yStride ? yStride : columns);
    std::string text =
        "kern.kernel @k(%x: " + xType + ", %w: " + wType + (bias.empty() ? "" : ", %b: " + bType) +
        (add ? ", %r: " + yType : "") + ") -> " + yType +
        " attributes {hero = #kern.hero<matmul>, rows = [#kern.rows<tokens * 1>, unit, " +
        (bias.empty() ? "" : "unit, ") + (add ? "#kern.rows<tokens * 1>, " : "") +
        "#kern.rows<tokens * 1>], row_strides = array<i64: " + strideX + ", " + k + ", " +
        (bias.empty() ? "" : "0, ") + (add ? n + ", " : "") + strideY + ">} {\n";
    text += "%0 = moe.linear %x, %w" + std::string(bias.empty() ? "" : ", %b") + " : (" + xType +
            ", " + wType + (bias.empty() ? "" : ", " + bType) + ") -> " + yType + "\n";
    if (add)
      text += "%1 = moe.add %r, %0 : " + yType + "\n";
    return text + "kern.yield " + (add ? "%1" : "%0") + " : " + yType + "\n}\n";
  }
};

struct GroupedText {
  int64_t experts, columns, depth, topK;
  std::string weight = "f32", x = "f32";
  bool gather = true; // x rows are tokens, found through `rows`

  std::string str() const {
    std::string k = std::to_string(depth), n = std::to_string(columns), e = std::to_string(experts),
                j = std::to_string(topK);
    std::string xType = rowsType("?x" + k, x), wType = weightType(e + "x" + n + "x" + k, weight),
                yType = "tensor<?x" + n + "xf32>",
                offsets = "tensor<" + std::to_string(experts + 1) + "xi32>", rows = "tensor<?xi32>",
                slots = "#kern.rows<tokens * " + j + ">";
    return "kern.kernel @k(%x: " + xType + ", %w: " + wType + ", %offsets: " + offsets +
           (gather ? ", %rows: " + rows : "") + ") -> " + yType +
           " attributes {hero = #kern.hero<grouped_matmul>, rows = [" +
           (gather ? "#kern.rows<tokens * 1>" : slots) + ", unit, unit, " +
           (gather ? slots + ", " : "") + slots + "], row_strides = array<i64: " + k + ", " + k +
           ", 1, " + (gather ? "1, " : "") + n + ">} {\n%0 = moe.grouped_linear %x, %w, %offsets" +
           (gather ? ", %rows {top_k = " + j + "}" : "") + " : (" + xType + ", " + wType + ", " +
           offsets + (gather ? ", " + rows : "") + ") -> " + yType + "\nkern.yield %0 : " + yType +
           "\n}\n";
  }
};

/// Gate and up product, SwiGLU and, with `quantize`, its quantization. Weight [2 * columns, depth],
/// or [experts, ...] with experts.
struct GatedText {
  int64_t columns, depth;
  std::string weight = "f32", x = "f32";
  bool quantize = false, keep = false; // `keep`: yield what is quantized too
  int64_t experts = 0, topK = 2;
  int64_t block = 0; // gates and what they gate in turn in blocks; 0: gates first

  std::string str() const {
    auto number = [](int64_t value) { return std::to_string(value); };
    std::string k = number(depth), n = number(columns), all = number(2 * columns),
                multiple = experts ? number(topK) : "1";
    std::string xType = rowsType("?x" + k, x), product = "tensor<?x" + all + "xf32>",
                wType = weightType((experts ? number(experts) + "x" : "") + all + "x" + k, weight),
                half = "tensor<?x" + n + "xf32>", codes = rowsType("?x" + n, "f8"),
                offsets = "tensor<" + number(experts + 1) + "xi32>";
    bool both = quantize && keep;
    std::string results = both ? half + ", " + codes : quantize ? codes : half;
    std::string slots = "#kern.rows<tokens * " + multiple + ">";
    std::string text = "kern.kernel @k(%x: " + xType + ", %w: " + wType;
    if (experts)
      text += ", %offsets: " + offsets + ", %rows: tensor<?xi32>";
    text += ") -> (" + results + ") attributes {hero = #kern.hero<" +
            (experts ? "grouped_matmul" : "matmul") + ">, rows = [#kern.rows<tokens * 1>, unit, " +
            (experts ? "unit, " + slots + ", " : "") + slots + (both ? ", " + slots : "") +
            "], row_strides = array<i64: " + k + ", " + k + (experts ? ", 1, 1" : "") + ", " + n +
            (both ? ", " + n : "") + ">} {\n";
    if (experts)
      text += "%0 = moe.grouped_linear %x, %w, %offsets, %rows {top_k = " + multiple + "} : (" +
              xType + ", " + wType + ", " + offsets + ", tensor<?xi32>) -> " + product + "\n";
    else
      text += "%0 = moe.linear %x, %w : (" + xType + ", " + wType + ") -> " + product + "\n";
    std::string slice = " : (" + product + ") -> " + half + "\n";
    if (block)
      text += "%1, %2 = moe.deinterleave %0 {block = " + number(block) + "} : (" + product +
              ") -> (" + half + ", " + half + ")\n";
    else
      text += "%1 = moe.slice %0 {offset = 0}" + slice + "%2 = moe.slice %0 {offset = " + n + "}" +
              slice;
    text += "%3 = moe.swiglu %1, %2 : " + half + "\n";
    if (quantize)
      text += "%4 = moe.quantize %3 : (" + half + ") -> " + codes + "\n";
    return text + "kern.yield " +
           (both       ? "%3, %4"
            : quantize ? "%4"
                       : "%3") +
           " : " + results + "\n}\n";
  }
};

/// The experts' last product, its combination and, with `add`, a residual.
struct CombineText {
  int64_t experts, columns, depth, topK;
  std::string weight = "f32", x = "f32";
  bool add = false;

  std::string str() const {
    auto number = [](int64_t value) { return std::to_string(value); };
    std::string k = number(depth), n = number(columns), j = number(topK);
    std::string xType = rowsType("?x" + k, x),
                wType = weightType(number(experts) + "x" + n + "x" + k, weight),
                offsets = "tensor<" + number(experts + 1) + "xi32>", y = "tensor<?x" + n + "xf32>",
                slots = "tensor<?x" + j + "xi32>", weights = "tensor<?x" + j + "xf32>";
    std::string perSlot = "#kern.rows<tokens * " + j + ">", perToken = "#kern.rows<tokens * 1>";
    return "kern.kernel @k(%x: " + xType + ", %w: " + wType + ", %offsets: " + offsets +
           ", %slots: " + slots + ", %weights: " + weights + ", %rows: tensor<?xi32>" +
           (add ? ", %r: " + y : "") + ") -> " + y +
           " attributes {hero = #kern.hero<grouped_matmul>, rows = [" + perSlot + ", unit, unit, " +
           perToken + ", " + perToken + ", " + perSlot + ", " + (add ? perToken + ", " : "") +
           perToken + "], row_strides = array<i64: " + k + ", " + k + ", 1, " + j + ", " + j +
           ", 1, " + (add ? n + ", " : "") + n +
           ">} {\n%0 = moe.grouped_linear %x, %w, %offsets : (" + xType + ", " + wType + ", " +
           offsets + ") -> " + y + "\n%1 = moe.combine %0, %slots, %weights, %rows : (" + y + ", " +
           slots + ", " + weights + ", tensor<?xi32>) -> " + y + "\n" +
           (add ? "%2 = moe.add %r, %1 : " + y + "\n" : "") + "kern.yield " + (add ? "%2" : "%1") +
           " : " + y + "\n}\n";
  }
};

struct HeadText {
  int64_t heads, inputs, rows, depth; // x [T, heads * inputs], weight [heads * rows, depth]
  int64_t xOffset = 0, xSize, wOffset = 0, wSize;
  bool transposed = false;
  std::string weight = "f32";

  std::string str() const {
    int64_t columns = heads * (transposed ? depth : wSize);
    auto number = [](int64_t value) { return std::to_string(value); };
    std::string xType = rowsType("?x" + number(heads * inputs), "f32"),
                wType = weightType(number(heads * rows) + "x" + number(depth), weight),
                yType = "tensor<?x" + number(columns) + "xf32>";
    return "kern.kernel @k(%x: " + xType + ", %w: " + wType + ") -> " + yType +
           " attributes {hero = #kern.hero<head_matmul>, rows = [#kern.rows<tokens * 1>, unit, "
           "#kern.rows<tokens * 1>], row_strides = array<i64: " +
           number(heads * inputs) + ", " + number(depth) + ", " + number(columns) +
           ">} {\n%0 = moe.head_linear %x, %w {heads = " + number(heads) +
           ", x_offset = " + number(xOffset) + ", x_size = " + number(xSize) +
           ", w_offset = " + number(wOffset) + ", w_size = " + number(wSize) +
           ", transposed = " + (transposed ? "true" : "false") + "} : (" + xType + ", " + wType +
           ") -> " + yType + "\nkern.yield %0 : " + yType + "\n}\n";
  }
};

struct AttentionText {
  int64_t heads, latent, rope, nope, page;
  std::string cache = "f32";
  std::string schedule = ""; // "{heads = 2, ...}"; empty: the target's choice

  std::string str() const {
    auto number = [](int64_t value) { return std::to_string(value); };
    std::string chosen = schedule.empty() ? "" : "schedule = #kern.schedule<" + schedule + ">, ";
    std::string latents = "tensor<?x" + number(heads * latent) + "xf32>",
                q = "tensor<?x" + number(heads * (nope + rope)) + "xf32>",
                cacheType = "!moe.cache<" + number(latent + rope) + "x" + cache +
                            ", page = " + number(page) + ">",
                types = latents + ", " + q + ", " + cacheType +
                        ", tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>";
    return "kern.kernel @k(%l: " + latents + ", %q: " + q + ", %c: " + cacheType +
           ", %p: tensor<?xi32>, %s: tensor<?xi32>, %t: tensor<?x?xi32>) -> " + latents +
           " attributes {" + chosen +
           "hero = #kern.hero<attention>, rows = [#kern.rows<tokens * 1>, "
           "#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, "
           "#kern.rows<sequences * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: " +
           number(heads * latent) + ", " + number(heads * (nope + rope)) + ", " +
           number(latent + rope) + ", 1, 1, 0, " + number(heads * latent) +
           ">} {\n%0 = moe.latent_attention %l, %q, %c, %p, %s, %t {heads = " + number(heads) +
           ", rope_dim = " + number(rope) + ", scale = 0.3 : f64} : (" + types + ") -> " + latents +
           "\nkern.yield %0 : " + latents + "\n}\n";
  }
};

/// Attention, the product of its heads and, with `quantize`, the quantization of that.
struct AttentionOutputText {
  AttentionText attention;
  int64_t rows, wOffset, wSize; // of the weight, for each head
  std::string weight = "f32";
  bool quantize = false;

  std::string str() const {
    auto number = [](int64_t value) { return std::to_string(value); };
    auto replace = [](std::string &text, const std::string &from, const std::string &to) {
      text.replace(text.find(from), from.size(), to);
    };
    int64_t heads = attention.heads;
    std::string text = attention.str(), columns = number(heads * wSize),
                latents = "tensor<?x" + number(heads * attention.latent) + "xf32>",
                y = rowsType("?x" + columns, "f32"), z = rowsType("?x" + columns, "f8"),
                w = weightType(number(heads * rows) + "x" + number(attention.latent), weight),
                row = "#kern.rows<tokens * 1>";
    replace(text, "%t: tensor<?x?xi32>) -> " + latents,
            "%t: tensor<?x?xi32>, %w: " + w + ") -> (" + y + (quantize ? ", " + z : "") + ")");
    replace(text, "#kern.rows<sequences * 1>, ",
            "#kern.rows<sequences * 1>, unit, " + (quantize ? row + ", " : ""));
    std::string strides = ", 1, 1, 0, ";
    text.replace(text.find(strides), text.find(">}", text.find(strides)) - text.find(strides),
                 strides + number(attention.latent) + ", " + columns +
                     (quantize ? ", " + columns : ""));
    text.resize(text.find("kern.yield"));
    text += "%1 = moe.head_linear %0, %w {heads = " + number(heads) +
            ", x_offset = 0 : i64, x_size = " + number(attention.latent) +
            ", w_offset = " + number(wOffset) + ", w_size = " + number(wSize) +
            ", transposed = false} : (" + latents + ", " + w + ") -> " + y + "\n";
    if (quantize)
      text += "%2 = moe.quantize %1 : (" + y + ") -> " + z + "\n";
    return text + "kern.yield %1" + (quantize ? ", %2" : "") + " : " + y +
           (quantize ? ", " + z : "") + "\n}\n";
  }
};

/// A query's projection, its rope and the product with the key part of the up-projection.
struct QueryText {
  int64_t heads, inputs, nope, rope, rows, latent;
  std::string projection = "f32", up = "f32", x = "f32", layout = "interleaved";

  std::string str() const {
    auto number = [](int64_t value) { return std::to_string(value); };
    int64_t columns = heads * (nope + rope);
    std::string xType = rowsType("?x" + number(inputs), x),
                wType = weightType(number(columns) + "x" + number(inputs), projection),
                uType = weightType(number(heads * rows) + "x" + number(latent), up),
                q = "tensor<?x" + number(columns) + "xf32>",
                l = "tensor<?x" + number(heads * latent) + "xf32>",
                t = "tensor<300x" + number(rope) + "xf32>", row = "#kern.rows<tokens * 1>";
    return "kern.kernel @k(%x: " + xType + ", %w: " + wType + ", %p: tensor<?xi32>, %t: " + t +
           ", %u: " + uType + ") -> (" + q + ", " + l +
           ") attributes {hero = #kern.hero<head_matmul>, rows = [" + row + ", unit, " + row +
           ", unit, unit, " + row + ", " + row + "], row_strides = array<i64: " + number(inputs) +
           ", 0, 1, 0, 0, " + number(columns) + ", " + number(heads * latent) +
           ">} {\n%0 = moe.linear %x, %w : (" + xType + ", " + wType + ") -> " + q +
           "\n%1 = moe.rope %0, %p, %t {heads = " + number(heads) +
           " : i64, rope = #moe.rope<dim = " + number(rope) +
           ", theta = 1.0e4, layout = " + layout + ">} : (" + q + ", tensor<?xi32>, " + t +
           ") -> " + q + "\n%2 = moe.head_linear %1, %u {heads = " + number(heads) +
           ", x_offset = 0 : i64, x_size = " + number(nope) +
           ", w_offset = 0 : i64, w_size = " + number(nope) + ", transposed = true} : (" + q +
           ", " + uType + ") -> " + l + "\nkern.yield %1, %2 : " + q + ", " + l + "\n}\n";
  }
};

/// Attention over expanded keys and values and, with `quantize`, the quantization of its result.
struct MlaText {
  int64_t heads, latent, nope, rope, v, page;
  std::string cache = "f32", weight = "f32";
  bool quantize = false;

  std::string str() const {
    auto number = [](int64_t value) { return std::to_string(value); };
    std::string columns = number(heads * v),
                q = "tensor<?x" + number(heads * (nope + rope)) + "xf32>",
                w = weightType(number(heads * (nope + v)) + "x" + number(latent), weight),
                c = "!moe.cache<" + number(latent + rope) + "x" + cache +
                    ", page = " + number(page) + ">",
                y = rowsType("?x" + columns, "f32"), z = rowsType("?x" + columns, "f8"),
                row = "#kern.rows<tokens * 1>";
    std::string results = y + (quantize ? ", " + z : "");
    return "kern.kernel @k(%q: " + q + ", %w: " + w + ", %c: " + c +
           ", %p: tensor<?xi32>, %s: tensor<?xi32>, %t: tensor<?x?xi32>) -> (" + results +
           ") attributes {hero = #kern.hero<attention>, rows = [" + row + ", unit, unit, " + row +
           ", " + row + ", #kern.rows<sequences * 1>, " + row + (quantize ? ", " + row : "") +
           "], row_strides = array<i64: " + number(heads * (nope + rope)) + ", 0, " +
           number(latent + rope) + ", 1, 1, 0, " + columns + (quantize ? ", " + columns : "") +
           ">} {\n%0 = moe.mla_attention %q, %w, %c, %p, %s, %t {heads = " + number(heads) +
           " : i64, nope_dim = " + number(nope) + " : i64, rope_dim = " + number(rope) +
           " : i64, v_dim = " + number(v) + " : i64, scale = 0.3 : f64} : (" + q + ", " + w + ", " +
           c + ", tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> " + y + "\n" +
           (quantize ? "%1 = moe.quantize %0 : (" + y + ") -> " + z + "\n" : "") + "kern.yield %0" +
           (quantize ? ", %1" : "") + " : " + results + "\n}\n";
  }
};

/// Attention over cached keys and values and, with `quantize`, the quantization of its result.
struct GqaText {
  int64_t heads, kvHeads, key, value, page;
  std::string cache = "f32";
  bool quantize = false;
  std::string schedule = {}; // "{...}"; empty: the target's

  std::string str() const {
    auto number = [](int64_t value) { return std::to_string(value); };
    int64_t width = kvHeads * (key + value);
    std::string columns = number(heads * value), q = "tensor<?x" + number(heads * key) + "xf32>",
                c = "!moe.cache<" + number(width) + "x" + cache + ", page = " + number(page) + ">",
                y = rowsType("?x" + columns, "f32"), z = rowsType("?x" + columns, "f8"),
                row = "#kern.rows<tokens * 1>";
    std::string results = y + (quantize ? ", " + z : "");
    return "kern.kernel @k(%q: " + q + ", %c: " + c +
           ", %p: tensor<?xi32>, %s: tensor<?xi32>, %t: tensor<?x?xi32>) -> (" + results +
           ") attributes {hero = #kern.hero<attention>, " +
           (schedule.empty() ? "" : "schedule = #kern.schedule<" + schedule + ">, ") + "rows = [" +
           row + ", unit, " + row + ", " + row + ", #kern.rows<sequences * 1>, " + row +
           (quantize ? ", " + row : "") + "], row_strides = array<i64: " + number(heads * key) +
           ", " + number(width) + ", 1, 1, 0, " + columns + (quantize ? ", " + columns : "") +
           ">} {\n%0 = moe.attention %q, %c, %p, %s, %t {heads = " + number(heads) +
           " : i64, kv_heads = " + number(kvHeads) + " : i64, key_dim = " + number(key) +
           " : i64, value_dim = " + number(value) + " : i64, scale = 0.3 : f64} : (" + q + ", " +
           c + ", tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> " + y + "\n" +
           (quantize ? "%1 = moe.quantize %0 : (" + y + ") -> " + z + "\n" : "") + "kern.yield %0" +
           (quantize ? ", %1" : "") + " : " + results + "\n}\n";
  }
};

} // namespace moec::test
