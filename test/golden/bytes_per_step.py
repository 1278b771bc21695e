"""Compares the bytes that a bundle's plan moves in a decode step with what the config says must be moved.

bytes_per_step.py BUNDLE CONFIG --context TOKENS [--activations quantized]

One token of one sequence after TOKENS cached ones. Must be moved: every weight that the token uses once, the cached
rows of all layers once and a new one, and what passes from one kernel to the next where each layer is fused as far as
products allow (q_a and kv_a; q_b and absorption; attention and the value part; output; router; gate and up; down),
written once and read once by each kernel that needs it. Nothing here is taken from the compiler but the plan and the
element type of the cache. The plan must lie between the weights and the cache alone and 1.10 times all of it.
"""
import argparse
import json
import math
import subprocess
import sys

LIMIT = 1.10
F32, BF16, I32 = 4, 2, 4


class Model:
    def __init__(self, config, cache_bytes, quantized):
        self.c, self.cache_bytes = config, cache_bytes
        self.block = (config.get("quantization_config") or {}).get("weight_block_size")
        self.quantized = quantized and self.block

    # Weights.

    def matrix(self, rows, columns, count=1):
        if not self.block:
            return count * rows * columns * BF16
        blocks = math.ceil(rows / self.block[0]) * math.ceil(columns / self.block[1])
        return count * (rows * columns + blocks * F32)

    def ffn(self, width, count=1):
        hidden = self.c["hidden_size"]
        return 2 * self.matrix(width, hidden, count) + self.matrix(hidden, width, count)

    def attention_weights(self):
        c, hidden, heads = self.c, self.c["hidden_size"], self.c["num_attention_heads"]
        q_rank, kv_rank, rope = c["q_lora_rank"], c["kv_lora_rank"], c["qk_rope_head_dim"]
        queries = heads * (c["qk_nope_head_dim"] + rope)
        norms = (2 * hidden + kv_rank + (q_rank or 0)) * BF16
        query = self.matrix(q_rank, hidden) + self.matrix(queries, q_rank) if q_rank else self.matrix(queries, hidden)
        latent = self.matrix(kv_rank + rope, hidden)
        latent += self.matrix(heads * (c["qk_nope_head_dim"] + c["v_head_dim"]), kv_rank)
        return norms + query + latent + self.matrix(hidden, heads * c["v_head_dim"])

    def moe_weights(self):
        c, width = self.c, self.c["moe_intermediate_size"]
        router = c["n_routed_experts"] * (c["hidden_size"] * BF16 + F32)
        shared = self.ffn(width * c["n_shared_experts"])
        return router + self.ffn(width, c["num_experts_per_tok"]) + shared

    def weights(self):
        c, dense = self.c, self.c["first_k_dense_replace"]
        layers = c["num_hidden_layers"]
        total = layers * self.attention_weights() + dense * self.ffn(c["intermediate_size"])
        total += (layers - dense) * self.moe_weights()
        # One row of the embedding; the last norm; the head stays in bf16.
        return total + (2 + c["vocab_size"]) * c["hidden_size"] * BF16

    # The cache.

    def cache(self, context):
        width = self.c["kv_lora_rank"] + self.c["qk_rope_head_dim"]
        return self.c["num_hidden_layers"] * (context + 1) * width * self.cache_bytes

    # What passes between kernels.

    def row(self, columns):
        """A row as a product reads it."""
        return columns + math.ceil(columns / 128) * F32 if self.quantized else columns * F32

    def attention_borders(self):
        c, hidden, heads = self.c, self.c["hidden_size"], self.c["num_attention_heads"]
        absorbed = heads * (c["kv_lora_rank"] + c["qk_rope_head_dim"]) * F32
        passed = [self.row(hidden),  # the normed input, to q_a and kv_a
                  self.row(c["q_lora_rank"] or 0),  # to q_b
                  absorbed,  # to attention
                  self.row(heads * c["v_head_dim"])]  # to the output projection
        # The residual comes in and goes out beside them.
        return 2 * sum(passed) + 2 * hidden * F32

    def borders(self):
        c, hidden, dense = self.c, self.c["hidden_size"], self.c["first_k_dense_replace"]
        layers, experts = c["num_hidden_layers"], c["num_experts_per_tok"]
        residual = 2 * hidden * F32
        width = c["moe_intermediate_size"]
        slots = 2 * experts * (2 * I32 + F32)  # which rows and weights each expert has
        # The normed input goes to the router exact, to the experts and the shared expert as products read it.
        moe = 2 * hidden * F32 + 3 * self.row(hidden) + slots
        moe += 2 * (experts + c["n_shared_experts"]) * self.row(width) + residual
        dense_layer = 2 * self.row(hidden) + 2 * self.row(c["intermediate_size"]) + residual
        total = layers * self.attention_borders() + (layers - dense) * moe + dense * dense_layer
        # The embedding, the chosen row, its norm, the logits.
        return total + 5 * hidden * F32 + c["vocab_size"] * F32


def planned(bundle, context):
    text = subprocess.run(["moec", "inspect", bundle, "--json", "--plan"], capture_output=True, text=True, check=True)
    plan = json.loads(text.stdout)
    decode = next(entry for entry in plan["entries"] if entry["name"] == "decode")
    program = next(program for program in decode["programs"] if program["max_tokens"] == 1)
    launches = program["launches"]
    total = sum(launch["bytes"] + context * launch["context_bytes"] for launch in launches)
    return total, len(launches), {"f32": 4, "bf16": 2}[plan["cache"]["dtype"]]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("bundle")
    parser.add_argument("config")
    parser.add_argument("--context", type=int, required=True)
    parser.add_argument("--activations", default="exact")
    options = parser.parse_args()
    with open(options.config) as file:
        config = json.load(file)
    actual, launches, cache_bytes = planned(options.bundle, options.context)
    model = Model(config, cache_bytes, options.activations == "quantized")
    weights, cache, borders = model.weights(), model.cache(options.context), model.borders()
    expected = weights + cache + borders
    print(f"{launches} launches move {actual} bytes; weights {weights}, cache {cache}, between kernels {borders}; "
          f"ratio {actual / expected:.4f}")
    if not weights + cache <= actual <= LIMIT * expected:
        sys.exit(f"expected from {weights + cache} to {LIMIT} * {expected} bytes")


main()
