"""How far each token of a golden's prompts and greedy steps is from going to other experts.

router_gaps.py CHECKPOINT [--mode aqabs.] [--activations exact|quantized] [--out FILE]

Writes {"p0": {"gaps": [g, ...], "layers": [k, ...]}, ...}: for every position of prompt i followed by the golden's own
greedy tokens, the smallest gap of all mixture layers, and the layer that has it. CHECKPOINT also holds golden.safetensors.

A gap is in units of the relative error of the router's input x: an error of |d| = r |x| in a random direction moves the
difference f(x) between the scores of what is chosen and of what is not by r |x| |grad f| / sqrt(n) on average (root mean
square; n = size of x), so a gap of f sqrt(n) / (|x| |grad f|) = g is bridged one time in three by errors of r = g, and
one time in 300 by errors of r = g / 3. f is what decides: the score of a chosen expert less that of another one in the
chosen groups, or the score of a chosen group less that of another one, where that changes the experts.

The routers' inputs are those of the reference interpreter: it runs checkpoints that end at a mixture layer, whose last
norm is that layer's and whose head is the identity. Where the golden has the layer's input, attention and choice, they
must agree.
"""
import argparse
import array
import json
import math
import os
import struct
import subprocess
import sys
import tempfile

from safetensors import Tensors, relative_error

# Two float32 implementations: the goldens say 3e-6 of themselves.
INPUT_TOLERANCE = 1e-4


def to_floats(dtype, data):
    values = array.array("f" if dtype == "F32" else "H")
    values.frombytes(data)
    if dtype == "F32":
        return list(values)
    assert dtype == "BF16", dtype
    return [struct.unpack("<f", struct.pack("<I", value << 16))[0] for value in values]


class Checkpoint:
    """A folder's config and the raw tensors, {name: (dtype, shape, bytes)}."""

    def __init__(self, folder):
        with open(os.path.join(folder, "config.json")) as file:
            self.config = json.load(file)
        self.tensors = {}
        for name in sorted(os.listdir(folder)):
            if name.startswith("model") and name.endswith(".safetensors"):
                self.read(os.path.join(folder, name))

    def read(self, path):
        file = Tensors(path)
        for name, entry in file.header.items():
            begin, end = entry["data_offsets"]
            self.tensors[name] = entry["dtype"], entry["shape"], file.data[begin:end]

    def floats(self, name):
        dtype, _, data = self.tensors[name]
        return to_floats(dtype, data)

    def write(self, folder):
        with open(os.path.join(folder, "config.json"), "w") as file:
            json.dump(self.config, file)
        header, offset = {}, 0
        for name, (dtype, shape, data) in self.tensors.items():
            header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, offset + len(data)]}
            offset += len(data)
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        with open(os.path.join(folder, "model.safetensors"), "wb") as file:
            file.write(struct.pack("<Q", len(text)) + text)
            for _, _, data in self.tensors.values():
                file.write(data)


def layer_of(name):
    """The index in model.layers.K.x, or None."""
    parts = name.split(".")
    return int(parts[2]) if name.startswith("model.layers.") else None


def router_name(checkpoint, layer):
    """The name of the layer's gate without `.weight`, or None in a dense layer."""
    for block in ("mlp", "block_sparse_moe"):
        name = f"model.layers.{layer}.{block}.gate"
        if name + ".weight" in checkpoint.tensors:
            return name
    return None


def mixture_layers(checkpoint):
    return [layer for layer in range(checkpoint.config["num_hidden_layers"]) if router_name(checkpoint, layer)]


def write_probe(checkpoint, layer, folder):
    """Writes a checkpoint whose logits are the inputs of the layer's router, then zeros."""
    probe = Checkpoint.__new__(Checkpoint)
    probe.config = dict(checkpoint.config, num_hidden_layers=layer + 1, tie_word_embeddings=False)
    if "num_nextn_predict_layers" in probe.config:
        probe.config["num_nextn_predict_layers"] = 0
    probe.tensors = {}
    for name, (dtype, shape, data) in checkpoint.tensors.items():
        index = layer_of(name)
        if index is not None and index > layer:
            continue
        if index == layer and name.endswith((".down_proj.weight", ".w2.weight")):
            data = bytes(len(data))
        probe.tensors[name] = dtype, shape, data
    probe.tensors["model.norm.weight"] = checkpoint.tensors[f"model.layers.{layer}.post_attention_layernorm.weight"]
    columns, rows = checkpoint.config["hidden_size"], checkpoint.config["vocab_size"]
    if rows < columns:
        sys.exit(f"{rows} logits cannot show {columns} inputs of a router")
    head = bytearray(2 * rows * columns)
    for i in range(columns):
        head[2 * i * (columns + 1) : 2 * i * (columns + 1) + 2] = b"\x80\x3f"  # 1 in BF16
    probe.tensors["lm_head.weight"] = "BF16", [rows, columns], bytes(head)
    probe.write(folder)


def run_reference(folder, tokens, activations):
    path = os.path.join(folder, "logits.safetensors")
    command = ["moec", "interpret", folder, "--tokens", ",".join(map(str, tokens)), "--logits-out", path]
    done = subprocess.run(command + (["--activations", activations] if activations else []), capture_output=True,
                          text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: exit status {done.returncode}\n{done.stderr}")
    return Tensors(path).rows("logits")


class Router:
    """Scores and choice of one mixture layer."""

    def __init__(self, checkpoint, layer):
        config, name = checkpoint.config, router_name(checkpoint, layer)
        weights, self.columns = checkpoint.floats(name + ".weight"), config["hidden_size"]
        self.weights = [weights[i : i + self.columns] for i in range(0, len(weights), self.columns)]
        self.chosen = config["num_experts_per_tok"]
        self.sigmoid = config.get("scoring_func") == "sigmoid"
        self.biases = [0.0] * len(self.weights)
        if name + ".e_score_correction_bias" in checkpoint.tensors:
            self.biases = checkpoint.floats(name + ".e_score_correction_bias")
        self.groups, self.chosen_groups = 1, 1
        if config.get("topk_method") in ("noaux_tc", "group_limited_greedy"):
            self.groups, self.chosen_groups = config["n_group"], config["topk_group"]
        # noaux_tc adds up a group's two best, group_limited_greedy takes its best.
        self.best_of_group = 2 if config.get("topk_method") == "noaux_tc" else 1

    def scores(self, x):
        """What experts are chosen by, and each score's slope by its logit. Softmax keeps the order of logits."""
        logits = [sum(w * v for w, v in zip(row, x)) for row in self.weights]
        if not self.sigmoid:
            return logits, [1.0] * len(logits)
        gates = [1 / (1 + math.exp(-logit)) for logit in logits]
        return [gate + bias for gate, bias in zip(gates, self.biases)], [gate * (1 - gate) for gate in gates]

    def members(self, group):
        size = len(self.weights) // self.groups
        return range(group * size, (group + 1) * size)

    def choose(self, scores, groups):
        allowed = [expert for group in groups for expert in self.members(group)]
        return set(sorted(allowed, key=lambda expert: -scores[expert])[: self.chosen])

    def choose_groups(self, scores):
        """(chosen groups, other groups, the experts that each group is judged by)."""
        judged = [sorted(self.members(group), key=lambda expert: -scores[expert])[: self.best_of_group]
                  for group in range(self.groups)]
        order = sorted(range(self.groups), key=lambda group: -sum(scores[expert] for expert in judged[group]))
        return order[: self.chosen_groups], order[self.chosen_groups :], judged

    def select(self, x):
        """(experts in ascending order, gap) for the normalized row x."""
        scores, slopes = self.scores(x)
        groups, others, judged = self.choose_groups(scores)
        experts = self.choose(scores, groups)
        rivals = [([expert], [other]) for expert in experts
                  for group in groups for other in self.members(group) if other not in experts]
        for group in groups:
            for other in others:
                changed = [g for g in groups if g != group] + [other]
                if self.choose(scores, changed) != experts:
                    rivals.append((judged[group], judged[other]))
        size = math.sqrt(sum(v * v for v in x) / len(x))
        return sorted(experts), min(self.distance(scores, slopes, ahead, behind) for ahead, behind in rivals) / size

    def distance(self, scores, slopes, ahead, behind):
        """The difference of sums of scores, over the norm of its gradient by the router's input."""
        signs = [(expert, slopes[expert]) for expert in ahead] + [(expert, -slopes[expert]) for expert in behind]
        norm = math.sqrt(sum(sum(slope * self.weights[expert][c] for expert, slope in signs) ** 2
                             for c in range(self.columns)))
        return (sum(scores[expert] for expert in ahead) - sum(scores[expert] for expert in behind)) / norm


def normalize(checkpoint, layer, row):
    weights = checkpoint.floats(f"model.layers.{layer}.post_attention_layernorm.weight")
    scale = 1 / math.sqrt(sum(v * v for v in row) / len(row) + checkpoint.config["rms_norm_eps"])
    return [v * scale * w for v, w in zip(row, weights)]


def check_against_golden(checkpoint, golden, prompt, layer, inputs, experts):
    """The golden's own input of the router, and the experts that it chose, at the prompt's positions."""
    hidden, attention = f"p{prompt}.hidden.{layer}", f"p{prompt}.attn_out.{layer}"
    if hidden in golden and attention in golden:
        expected = [normalize(checkpoint, layer, [a + b for a, b in zip(*rows)])
                    for rows in zip(golden.rows(hidden), golden.rows(attention))]
        error = relative_error(inputs[: len(expected)], expected)
        if not error <= INPUT_TOLERANCE:
            sys.exit(f"p{prompt}: the router's inputs in layer {layer} have a relative L2 error of {error:.2e}")
    choice = f"p{prompt}.router.{layer}.topk_idx"
    if choice in golden:
        expected = [list(row) for row in golden.rows(choice)]
        if experts[: len(expected)] != expected:
            sys.exit(f"p{prompt}: other experts than the golden's in layer {layer}")


def gaps_of_golden(checkpoint, golden, mode, activations):
    """{layer: {prompt: (experts, gaps)}} with a list over positions each."""
    result = {}
    for layer in mixture_layers(checkpoint):
        router = Router(checkpoint, layer)
        with tempfile.TemporaryDirectory() as folder:
            write_probe(checkpoint, layer, folder)
            prompt = 0
            while f"p{prompt}.input_ids" in golden:
                # The last greedy token is no input.
                tokens = list(golden.flat(f"p{prompt}.input_ids")) + list(golden.flat(f"{mode}p{prompt}.greedy.tokens"))[:-1]
                rows = run_reference(folder, tokens, activations)
                inputs = [row[: router.columns] for row in rows]
                experts, gaps = zip(*(router.select(x) for x in inputs))
                if not mode:
                    check_against_golden(checkpoint, golden, prompt, layer, inputs, list(experts))
                result.setdefault(layer, {})[prompt] = experts, gaps
                prompt += 1
    return result


def smallest_gaps(by_layer):
    """Over the layers, as main() writes them; a model without routers has none."""
    result = {}
    for prompt in next(iter(by_layer.values()), {}):
        found = [min((gap, layer) for layer, gap in zip(by_layer, gaps))
                 for gaps in zip(*(by_layer[layer][prompt][1] for layer in by_layer))]
        result[f"p{prompt}"] = {"gaps": [gap for gap, _ in found], "layers": [layer for _, layer in found]}
    return result


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("checkpoint")
    parser.add_argument("--mode", default="")
    parser.add_argument("--activations", default="")
    parser.add_argument("--out")
    options = parser.parse_args()
    golden = Tensors(os.path.join(options.checkpoint, "golden.safetensors"))
    gaps = smallest_gaps(gaps_of_golden(Checkpoint(options.checkpoint), golden, options.mode, options.activations))
    for name, found in gaps.items():
        print(f"{name}: {len(found['gaps'])} positions, smallest gap {min(found['gaps']):.2e}")
    if options.out:
        with open(options.out, "w") as file:
            json.dump(gaps, file)


if __name__ == "__main__":
    main()
