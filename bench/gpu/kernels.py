"""The kernels that are timed on a GPU: their text, their sizes, and what others need for the same work.

A group is {"name", "kernels": MLIR text, "tokens", "sequences", "earlier", "peer": {case: microseconds}}; each becomes one
package of pack-kernels. Names begin as lines.py expects. Peers' figures are medians measured on an NVIDIA H100 80GB HBM3 with the method of
moec-kernel-test (calls over inputs that no cache holds together), on another day: ratios to them are good to a few percent. peers.json has
those of FP8 products, with what cuBLASLt needed beside them.
"""
import peers

FP8 = "f8E4M3FN"


def quantized(shape, block):
    return f"!moe.qtensor<{shape}x{FP8}, block = {block}, scale = f32>"


def tokens_quantized(columns):
    return quantized(f"?x{columns}", "[1, 128]")


def weight_quantized(shape):
    return quantized(shape, "[128, 128]")


def kernel(name, hero, arguments, results, body):
    """`arguments` and `results` are (type, rows, row stride): rows a multiple of tokens ("8"), "sequences" or None."""
    def rows(what):
        if what is None:
            return "unit"
        return "#kern.rows<sequences * 1>" if what == "sequences" else f"#kern.rows<tokens * {what}>"

    signature = ", ".join(f"%{i}: {type}" for i, (type, _, _) in enumerate(arguments))
    types = ", ".join(type for type, _, _ in results)
    everything = arguments + results
    all_rows = ", ".join(rows(row) for _, row, _ in everything)
    strides = ", ".join(str(stride) for _, _, stride in everything)
    return f"""kern.kernel @{name}({signature}) -> ({types})
    attributes {{hero = #kern.hero<{hero}>, rows = [{all_rows}], row_strides = array<i64: {strides}>}} {{
{body}
}}
"""


def fp8_linear(n, k):
    x, w, y = tokens_quantized(k), weight_quantized(f"{n}x{k}"), f"tensor<?x{n}xbf16>"
    body = f"  %y = moe.linear %0, %1 : ({x}, {w}) -> {y}\n  kern.yield %y : {y}"
    return kernel(f"fp8_{n}x{k}", "matmul", [(x, 1, k), (w, None, k)], [(y, 1, n)], body)


def bf16_linear(n, k, result="bf16"):
    x, w, y = f"tensor<?x{k}xbf16>", f"tensor<{n}x{k}xbf16>", f"tensor<?x{n}x{result}>"
    body = f"  %y = moe.linear %0, %1 : ({x}, {w}) -> {y}\n  kern.yield %y : {y}"
    return kernel(f"bf16_{n}x{k}_{result}", "matmul", [(x, 1, k), (w, None, k)], [(y, 1, n)], body)


def grouped_linear(experts, top_k, n, k):
    """Rows lie expert by expert; every token goes to `top_k` experts."""
    x, w = tokens_quantized(k), weight_quantized(f"{experts}x{n}x{k}")
    offsets, y = f"tensor<{experts + 1}xi32>", f"tensor<?x{n}xbf16>"
    body = f"  %y = moe.grouped_linear %0, %1, %2 : ({x}, {w}, {offsets}) -> {y}\n  kern.yield %y : {y}"
    return kernel(f"grouped_{experts}_top{top_k}_{n}x{k}", "grouped_matmul",
                  [(x, top_k, k), (w, None, k), (offsets, None, 1)], [(y, top_k, n)], body)


QUANTIZED_LATENT = "!moe.qtensor<1x512xf8E4M3FN, block = [1, 128], scale = f32>"


def latent_attention(heads, element="bf16"):
    ql, q, cache = f"tensor<?x{heads * 512}xbf16>", f"tensor<?x{heads * 192}xbf16>", f"!moe.cache<576x{element}, page = 64>"
    ids, table, y = "tensor<?xi32>", "tensor<?x?xi32>", f"tensor<?x{heads * 512}xbf16>"
    body = (f"  %y = moe.latent_attention %0, %1, %2, %3, %4, %5 {{heads = {heads} : i64, rope_dim = 64 : i64, scale = 0.0722}}\n"
            f"      : ({ql}, {q}, {cache}, {ids}, {ids}, {table}) -> {y}\n  kern.yield %y : {y}")
    return kernel(f"mla_{heads}_heads{'' if element == 'bf16' else '_fp8'}", "attention",
                  [(ql, 1, heads * 512), (q, 1, heads * 192), (cache, None, 576), (ids, 1, 1), (ids, 1, 1),
                   (table, "sequences", 0)], [(y, 1, heads * 512)], body)


def attention(heads, kv_heads, dim):
    q, cache = f"tensor<?x{heads * dim}xbf16>", f"!moe.cache<{2 * kv_heads * dim}xbf16, page = 64>"
    ids, table = "tensor<?xi32>", "tensor<?x?xi32>"
    body = (f"  %y = moe.attention %0, %1, %2, %3, %4 {{heads = {heads} : i64, kv_heads = {kv_heads} : i64, key_dim = {dim} : i64, "
            f"value_dim = {dim} : i64, scale = 0.0884}}\n      : ({q}, {cache}, {ids}, {ids}, {table}) -> {q}\n  kern.yield %y : {q}")
    return kernel(f"gqa_{heads}_{kv_heads}x{dim}", "attention",
                  [(q, 1, heads * dim), (cache, None, 2 * kv_heads * dim), (ids, 1, 1), (ids, 1, 1), (table, "sequences", 0)],
                  [(q, 1, heads * dim)], body)


def add_norm_quantize(columns):
    x, w, y = f"tensor<?x{columns}xbf16>", f"tensor<{columns}xbf16>", tokens_quantized(columns)
    body = f"""  %a = moe.add %0, %1 : {x}
  %n = moe.rms_norm %a, %2 {{epsilon = 1.0e-6}} : ({x}, {w}) -> {x}
  %y = moe.quantize %n : ({x}) -> {y}
  kern.yield %a, %y : {x}, {y}"""
    return kernel(f"add_norm_quantize_{columns}", "rows", [(x, 1, columns), (x, 1, columns), (w, None, 0)],
                  [(x, 1, columns), (y, 1, columns)], body)


def swiglu_quantize(columns):
    x, h, y = f"tensor<?x{2 * columns}xbf16>", f"tensor<?x{columns}xbf16>", tokens_quantized(columns)
    body = f"""  %g = moe.slice %0 {{offset = 0}} : ({x}) -> {h}
  %u = moe.slice %0 {{offset = {columns}}} : ({x}) -> {h}
  %s = moe.swiglu %g, %u : {h}
  %y = moe.quantize %s : ({h}) -> {y}
  kern.yield %y : {y}"""
    return kernel(f"swiglu_quantize_{columns}", "pointwise", [(x, 1, 2 * columns)], [(y, 1, columns)], body)


def gate(experts, groups, top_groups, top_k):
    """A router's choice, of logits that are there."""
    x, bias, ids, weights = f"tensor<?x{experts}xf32>", f"tensor<{experts}xf32>", f"tensor<?x{top_k}xi32>", f"tensor<?x{top_k}xf32>"
    body = (f"  %i, %s = moe.gate %0, %1 {{top_k = {top_k} : i64, scoring = #moe<scoring sigmoid>, groups = {groups} : i64, "
            f"top_groups = {top_groups} : i64, normalize = true, scale = 2.5}} : ({x}, {bias}) -> ({ids}, {weights})\n"
            f"  kern.yield %i, %s : {ids}, {weights}")
    return kernel(f"gate_{experts}_top{top_k}", "routing", [(x, 1, experts), (bias, None, 0)], [(ids, 1, top_k), (weights, 1, top_k)], body)


FP8_SHAPES = [(2112, 7168), (4096, 7168), (7168, 2048), (7168, 16384), (24576, 1536), (32768, 512)]
MASKED = {  # (experts, rows of each, n): DeepGEMM's masked product, contiguous where that is faster
    (8, 1, 4096): 85.6, (8, 1, 7168): 46.4, (32, 1, 4096): 331.1, (32, 1, 7168): 177.5, (8, 16, 4096): 85.1,
    (8, 16, 7168): 46.5, (32, 16, 4096): 330.2, (32, 16, 7168): 177.2, (8, 64, 4096): 85.2, (8, 64, 7168): 46.4,
    (32, 64, 4096): 329.8, (32, 64, 7168): 177.9, (8, 128, 4096): 88.6, (8, 128, 7168): 55.3, (32, 128, 4096): 348.3,
    (32, 128, 7168): 190.8, (8, 256, 4096): 112.4, (8, 256, 7168): 64.0, (32, 256, 4096): 436.5, (32, 256, 7168): 241.2,
    (8, 1024, 4096): 372.7, (8, 1024, 7168): 198.9, (8, 4096, 4096): 1604.0, (8, 4096, 7168): 816.4,
    (4, 8192, 4096): 1580.0, (4, 8192, 7168): 798.6}
FLASHMLA = {  # tokens of a sequence: {(batch, context): microseconds with 128 and with 16 heads}, kernel and combination
    1: {(128, 4096): (246.1, 208.3), (32, 4096): (83.0, 60.5), (1, 4096): (20.8, 22.5), (128, 8192): (518.2, 409.2),
        (32, 8192): (138.3, 110.1), (1, 8192): (27.1, 25.2), (128, 32768): (1890.8, 1611.3), (32, 32768): (520.8, 409.5),
        (1, 32768): (46.7, 46.0)},
    2: {(128, 4096): (442.3, 209.2), (32, 4096): (121.2, 62.0), (1, 4096): (21.9, 23.6), (128, 8192): (838.4, 408.9),
        (32, 8192): (244.5, 112.4), (1, 8192): (27.2, 25.6), (128, 32768): (3775.4, 1664.5), (32, 32768): (891.6, 415.6),
        (1, 32768): (60.2, 47.4)}}
TRITON_NORM = {1: 2.52, 16: 3.06, 64: 3.86, 128: 4.78, 1024: 20.62, 4096: 71.29, 16384: 273.94}
TRITON_SWIGLU = {2048: {1: 1.41, 64: 1.70, 128: 2.44, 1024: 5.59, 4096: 16.06, 16384: 56.41},
                 18432: {1: 1.45, 64: 4.06, 128: 6.05, 1024: 33.59, 4096: 128.28, 16384: 507.35}}
TRITON_ROUTER = {1: 3.99, 64: 4.10, 128: 4.15, 4096: 13.90, 16384: 46.11}
BF16_SHAPES = [(129280, 7168, "f32"), (256, 7168, "f32"), (4608, 3584, "bf16"), (3584, 3584, "bf16"),
               (37888, 3584, "bf16"), (3584, 18944, "bf16"), (6144, 4096, "bf16"), (28672, 4096, "bf16"), (4096, 14336, "bf16")]


def group(name, text, tokens, peer=None, sequences=1, earlier=0):
    return {"name": name, "kernels": text, "tokens": tokens, "peer": peer or {}, "sequences": sequences, "earlier": earlier}


def fp8_groups():
    peer = {f"fp8_{shape} {m}": us["deepgemm"] for shape, row in peers.read()["fp8"].items() for m, us in row.items()}
    for name, tokens in (("fp8-few", [1, 16]), ("fp8-some", [64, 128, 256]), ("fp8-many", [1024, 4096])):
        yield group(name, "".join(fp8_linear(n, k) for n, k in FP8_SHAPES), tokens, peer)


def grouped_groups():
    peer = {f"grouped_{experts}_top{experts}_{n}x{7168 if n == 4096 else 2048} {rows}": us
            for (experts, rows, n), us in MASKED.items()}
    for experts, name, tokens in ((8, "grouped-few-8", [1, 16, 64, 128, 256]), (32, "grouped-few-32", [1, 16, 64, 128, 256]),
                                  (8, "grouped-many-8", [1024, 4096]), (4, "grouped-many-4", [8192])):
        text = grouped_linear(experts, experts, 4096, 7168) + grouped_linear(experts, experts, 7168, 2048)
        yield group(name, text, tokens, peer)


def attention_groups():
    for each, times in FLASHMLA.items():
        for (batch, context), (many, few) in times.items():
            peer = {f"mla_128_heads {each * batch}": many, f"mla_16_heads {each * batch}": few}
            yield group(f"mla-{batch}x{context}-{each}", latent_attention(16) + latent_attention(128), [each * batch], peer, batch,
                        context - each)
    for batch, context in ((128, 4096), (32, 4096), (1, 4096), (32, 32768), (1, 32768)):  # larger caches are one number
        text = latent_attention(16, QUANTIZED_LATENT) + latent_attention(128, QUANTIZED_LATENT)
        yield group(f"mla-fp8-{batch}x{context}", text, [batch], {}, batch, context - 1)
    for context in (4096, 32768):
        for batch in (1, 32):
            yield group(f"gqa-{batch}x{context}", attention(32, 8, 128) + attention(28, 4, 128), [batch], {}, batch, context - 1)
    yield group("gqa-prefill", attention(32, 8, 128), [1024, 4096], {}, 1, 1)


def row_groups():
    yield group("rows-add-norm-quantize", add_norm_quantize(7168), list(TRITON_NORM),
                {f"add_norm_quantize_7168 {m}": us for m, us in TRITON_NORM.items()})
    for columns, peers in TRITON_SWIGLU.items():
        yield group(f"rows-swiglu-quantize-{columns}", swiglu_quantize(columns), list(peers),
                    {f"swiglu_quantize_{columns} {m}": us for m, us in peers.items()})
    yield group("rows-router", gate(256, 8, 4, 8), list(TRITON_ROUTER),
                {f"gate_256_top8 {m}": us for m, us in TRITON_ROUTER.items()})


def bf16_groups():
    text = "".join(bf16_linear(*shape) for shape in BF16_SHAPES)
    yield group("bf16-few", text, [1, 16])
    yield group("bf16-many", "".join(bf16_linear(*shape) for shape in BF16_SHAPES[2:6]), [256, 4096])


def all_groups():
    for make in (fp8_groups, grouped_groups, bf16_groups, attention_groups, row_groups):
        yield from make()
