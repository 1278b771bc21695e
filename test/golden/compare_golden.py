"""Runs a bundle on the prompts of a golden and compares logits and greedy tokens.

compare_golden.py BUNDLE GOLDEN_FOLDER (--tolerance E | --half-from MODE) [--mode aqabs.] [--margin M | --margin-of-error]

Every prompt's logits must be within E (relative L2 error), or half as far from the golden's as the golden's own are in
MODE ("exact" for the one without a prefix). Greedy tokens must be equal; with a margin, the first difference is allowed
where the golden's two best logits are closer than M, or closer than four times the error that the prompt's logits showed.
"""
import argparse
import os
import subprocess
import sys
import tempfile

from safetensors import Tensors, relative_error


def generate(bundle, prompt, count):
    """The new tokens, and logits of every prompt position and every step after the first."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "logits.safetensors")
        command = ["moec-run", "generate", bundle, "--tokens", ",".join(map(str, prompt)), "--max-new-tokens",
                   str(count), "--ignore-eos", "--logits-out", path]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"{' '.join(command)}: exit status {done.returncode}\n{done.stderr}")
        return [int(token) for token in done.stdout.split(",")], Tensors(path).rows("logits")


def greedy_margins(golden, name):
    """For each greedy step, the distance of the golden's two best logits."""
    if name + "greedy.logits" in golden:
        best = [sorted(row)[-2:] for row in golden.rows(name + "greedy.logits")]
    else:
        best = [sorted(row)[-2:] for row in golden.rows(name + "greedy.top8_val")]
    return [high - low for low, high in best]


def compare_tokens(golden, name, actual, margin):
    expected = list(golden.flat(name + "greedy.tokens"))
    for step, (a, e) in enumerate(zip(actual, expected)):
        if a != e:
            gap = greedy_margins(golden, name)[step]
            print(f"{name}greedy step {step}: token {a}, expected {e}, margin {gap:.2e}")
            return gap < margin
    return len(actual) == len(expected)


def root_mean_square(rows):
    values = [value for row in rows for value in row]
    return (sum(value * value for value in values) / len(values)) ** 0.5


def prompt_logits(golden, name):
    return golden.rows(name + ("logits" if name + "logits" in golden else "logits_last"))


def tolerance_for(options, golden, index):
    if options.half_from is None:
        return options.tolerance
    other = "" if options.half_from == "exact" else options.half_from
    return relative_error(prompt_logits(golden, f"{other}p{index}."), prompt_logits(golden, f"{options.mode}p{index}.")) / 2


def compare_prompt(options, golden, index):
    name = f"{options.mode}p{index}."
    prompt = list(golden.flat(f"p{index}.input_ids"))
    tokens, logits = generate(options.bundle, prompt, len(golden.flat(name + "greedy.tokens")))
    expected = prompt_logits(golden, name)
    error = relative_error(logits[len(prompt) - len(expected) : len(prompt)], expected)
    tolerance = tolerance_for(options, golden, index)
    print(f"{name}logits: relative L2 error {error:.2e}, allowed {tolerance:.2e}")
    margin = 4 * error * root_mean_square(expected) if options.margin_of_error else options.margin
    return compare_tokens(golden, name, tokens, margin) and error <= tolerance


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("bundle")
    parser.add_argument("golden")
    parser.add_argument("--mode", default="")
    limit = parser.add_mutually_exclusive_group(required=True)
    limit.add_argument("--tolerance", type=float)
    limit.add_argument("--half-from", metavar="MODE")
    parser.add_argument("--margin", type=float, default=0.0)
    parser.add_argument("--margin-of-error", action="store_true")
    options = parser.parse_args()
    golden = Tensors(os.path.join(options.golden, "golden.safetensors"))
    index, good = 0, True
    while f"p{index}.input_ids" in golden:
        good = compare_prompt(options, golden, index) and good
        index += 1
    if not good or index == 0:
        sys.exit("the bundle does not agree with the golden")


main()
