"""How far small errors carry when activations are quantized: measured with the reference interpreter.

quantization_noise.py CHECKPOINT [--mode aqabs.] [--noise R,R,...] [--seed S] [--write FOLDER]

The weights of every norm but the last, and so what products read, are multiplied by 1 + R g, with a normal g for each weight.
For each R, over all positions of the golden's prompts: the relative error of the logits with exact activations; then, with
quantized ones, the medians of two distances, from the golden's logits in MODE and from its exact ones, in units of the
distance between these two. CHECKPOINT also holds golden.safetensors. --write leaves the checkpoint with the first R in FOLDER.
"""
import argparse
import array
import os
import random
import statistics
import tempfile

from router_gaps import Checkpoint, run_reference
from safetensors import Tensors, relative_error


def add_noise(checkpoint, noise, seed):
    generator = random.Random(seed)
    noisy = Checkpoint.__new__(Checkpoint)
    noisy.config, noisy.tensors = checkpoint.config, dict(checkpoint.tensors)
    for name, (_, shape, _) in checkpoint.tensors.items():
        if name.endswith("norm.weight") and name != "model.norm.weight":
            values = [value * (1 + noise * generator.gauss(0, 1)) for value in checkpoint.floats(name)]
            noisy.tensors[name] = "F32", shape, array.array("f", values).tobytes()
    return noisy


def distances(rows, others):
    return [relative_error([a], [b]) for a, b in zip(rows, others)]


def measure(folder, golden, mode):
    """(exact mode's errors, distances from MODE, distances from exact), each a list over all positions."""
    errors, moved, accuracy = [], [], []
    prompt = 0
    while f"p{prompt}.input_ids" in golden:
        tokens = list(golden.flat(f"p{prompt}.input_ids"))
        exact, expected = golden.rows(f"p{prompt}.logits"), golden.rows(f"{mode}p{prompt}.logits")
        errors += distances(run_reference(folder, tokens, "exact"), exact)
        quantized = run_reference(folder, tokens, "quantized")
        unit = distances(expected, exact)
        moved += [d / u for d, u in zip(distances(quantized, expected), unit)]
        accuracy += [d / u for d, u in zip(distances(quantized, exact), unit)]
        prompt += 1
    return errors, moved, accuracy


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("checkpoint")
    parser.add_argument("--mode", default="aqabs.")
    parser.add_argument("--noise", default="1e-6,1e-5,1e-4,1e-3,4e-3")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", metavar="FOLDER")
    options = parser.parse_args()
    checkpoint = Checkpoint(options.checkpoint)
    golden = Tensors(os.path.join(options.checkpoint, "golden.safetensors"))
    levels = [float(level) for level in options.noise.split(",")]
    if options.write:
        os.makedirs(options.write, exist_ok=True)
        add_noise(checkpoint, levels[0], options.seed).write(options.write)
        return
    for level in levels:
        with tempfile.TemporaryDirectory() as folder:
            add_noise(checkpoint, level, options.seed).write(folder)
            errors, moved, accuracy = (statistics.median(found) for found in measure(folder, golden, options.mode))
        print(f"noise {level:.0e}: exact {errors:.1e}; quantized: {moved:.2f} from the golden, {accuracy:.2f} from exact",
              flush=True)


if __name__ == "__main__":
    main()
