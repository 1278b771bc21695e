"""Compares a bundle's logits with those of the reference interpreter on the same checkpoint.

compare_reference.py BUNDLE CHECKPOINT --activations exact|quantized [--kv-cache bf16] --tolerance E
"""
import argparse
import json
import os
import random
import subprocess
import sys
import tempfile

from safetensors import Tensors, relative_error


def logits_of(command):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "logits.safetensors")
        done = subprocess.run(command + ["--logits-out", path], capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"{' '.join(command)}: exit status {done.returncode}\n{done.stderr}")
        return Tensors(path).rows("logits")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("bundle")
    parser.add_argument("checkpoint")
    parser.add_argument("--activations", required=True)
    parser.add_argument("--kv-cache", default="f32")
    parser.add_argument("--tolerance", type=float, required=True)
    parser.add_argument("--length", type=int, default=21)
    options = parser.parse_args()
    with open(os.path.join(options.checkpoint, "config.json")) as file:
        vocabulary = json.load(file)["vocab_size"]
    generator = random.Random(1)
    prompt = ",".join(str(generator.randrange(vocabulary)) for _ in range(options.length))
    actual = logits_of(["moec-run", "generate", options.bundle, "--tokens", prompt, "--max-new-tokens", "1",
                        "--ignore-eos"])
    expected = logits_of(["moec", "interpret", options.checkpoint, "--tokens", prompt, "--activations",
                          options.activations, "--kv-cache", options.kv_cache])
    error = relative_error(actual[: options.length], expected)
    print(f"relative L2 error {error:.2e}")
    if not error <= options.tolerance:
        sys.exit("the bundle does not agree with the reference interpreter")


main()
