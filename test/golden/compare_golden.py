"""Runs a bundle on the prompts of a golden and compares logits and greedy tokens.

compare_golden.py BUNDLE GOLDEN_FOLDER (--tolerance E | --half-from MODE | --accurate-against MODE) [--mode aqabs.]
    [--margin M | --margin-of-error] [--routing-ties G GAPS]

Every prompt's logits must be within E (relative L2 error), or half as far from the golden's as the golden's own are in
MODE ("exact" for the one without a prefix). Greedy tokens must be equal; with a margin, the first difference is allowed
where the golden's two best logits are closer than M, or closer than four times the error that the prompt's logits showed.

--accurate-against judges a mode that rounds, where roundings fall otherwise after errors of any size (quantization_noise.py), by
the golden in MODE that does not: how far the bundle's logits are from these, over how far the golden's own are, must at half
of all positions be at most sqrt(1 + 1/4). So far would errors bring them that are half as large as the rounding's and
independent of it. Tokens are not compared.

GAPS is what router_gaps.py wrote. A position whose gap is below G is a routing tie: errors in the router's input as small
as G may send its token to other experts, and so give it quite other logits. A tie that exceeds the tolerance by itself is
left out of the prompt's error, and the first greedy difference is allowed at a tie. Half of all positions must be left.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

from safetensors import Tensors, relative_error

# Of the error of a rounding mode, with another half as large beside it.
LARGEST_RATIO = (1 + 1 / 4) ** 0.5


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


def compare_tokens(golden, name, actual, margin, ties):
    """`ties` says of each step whether the position that its logits come from is a routing tie."""
    expected = list(golden.flat(name + "greedy.tokens"))
    for step, (a, e) in enumerate(zip(actual, expected)):
        if a != e:
            gap = greedy_margins(golden, name)[step]
            tie = ", a routing tie" if ties[step] else ""
            print(f"{name}greedy step {step}: token {a}, expected {e}, margin {gap:.2e}{tie}")
            return gap < margin or ties[step]
    return len(actual) == len(expected)


def root_mean_square(rows):
    values = [value for row in rows for value in row]
    return (sum(value * value for value in values) / len(values)) ** 0.5


def prompt_logits(golden, name):
    return golden.rows(name + ("logits" if name + "logits" in golden else "logits_last"))


def tolerance_for(options, golden, index, positions):
    if options.half_from is None:
        return options.tolerance
    other = "" if options.half_from == "exact" else options.half_from
    pair = (prompt_logits(golden, f"{prefix}p{index}.") for prefix in (other, options.mode))
    return relative_error(*([rows[i] for i in positions] for rows in pair)) / 2


class RoutingTies:
    """Which positions of a golden are ties, and how many were left out for it."""

    def __init__(self, limit=0.0, path=None):
        self.limit, self.gaps, self.positions, self.left_out = float(limit), None, 0, 0
        if path:
            with open(path) as file:
                self.gaps = json.load(file)

    def of_prompt(self, index, count):
        """A bool for each of a prompt's positions and greedy steps but the last."""
        if not self.gaps:
            return [False] * count
        gaps = self.gaps[f"p{index}"]["gaps"]
        if len(gaps) != count:
            sys.exit(f"p{index}: gaps of {len(gaps)} positions, expected {count}")
        return [gap < self.limit for gap in gaps]

    def leave_out(self, name, errors, ties, tolerance):
        """The positions to compare, given each one's relative error."""
        kept = [i for i, error in enumerate(errors) if not (ties[i] and error > tolerance)]
        self.positions += len(errors)
        self.left_out += len(errors) - len(kept)
        if any(ties):
            print(f"{name}routing ties: {sum(ties)} of {len(errors)} positions, {len(errors) - len(kept)} left out; "
                  f"largest error of a position {max((errors[i] for i in kept), default=0.0):.2e}, with those {max(errors):.2e}")
        return kept

    def enough_left(self):
        if self.limit:
            print(f"compared {self.positions - self.left_out} of {self.positions} positions")
        return 2 * self.left_out <= self.positions


def compare_prompt(options, golden, index, routing):
    name = f"{options.mode}p{index}."
    prompt = list(golden.flat(f"p{index}.input_ids"))
    steps = len(golden.flat(name + "greedy.tokens"))
    tokens, logits = generate(options.bundle, prompt, steps)
    expected = prompt_logits(golden, name)
    first = len(prompt) - len(expected)
    actual = logits[first : len(prompt)]
    ties = routing.of_prompt(index, len(prompt) + steps - 1)
    errors = [relative_error([a], [e]) for a, e in zip(actual, expected)]
    tolerance = tolerance_for(options, golden, index, range(len(expected)))
    kept = routing.leave_out(name, errors, ties[first : len(prompt)], tolerance)
    error = relative_error([actual[i] for i in kept], [expected[i] for i in kept]) if kept else 0.0
    tolerance = tolerance_for(options, golden, index, kept) if kept else 0.0
    print(f"{name}logits: relative L2 error {error:.2e}, allowed {tolerance:.2e}")
    margin = 4 * error * root_mean_square(expected) if options.margin_of_error else options.margin
    return compare_tokens(golden, name, tokens, margin, ties[len(prompt) - 1 :]) and error <= tolerance


def compare_accuracy(options, golden):
    ratios, index = [], 0
    while f"p{index}.input_ids" in golden:
        other = "" if options.accurate_against == "exact" else options.accurate_against
        reference = prompt_logits(golden, f"{other}p{index}.")
        expected = prompt_logits(golden, f"{options.mode}p{index}.")
        prompt = list(golden.flat(f"p{index}.input_ids"))
        actual = generate(options.bundle, prompt, 1)[1][len(prompt) - len(expected) : len(prompt)]
        ratios += [relative_error([a], [r]) / relative_error([e], [r]) for a, e, r in zip(actual, expected, reference)]
        index += 1
    if not ratios:
        sys.exit("the golden has no prompts")
    ratio = statistics.median(ratios)
    print(f"error of {len(ratios)} positions over that of {options.mode or 'the golden'}: median {ratio:.2f}, allowed {LARGEST_RATIO:.2f}")
    if not ratio <= LARGEST_RATIO:
        sys.exit(f"the bundle is less accurate than {options.mode or 'the golden'}: {ratio:.2f} of its error")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("bundle")
    parser.add_argument("golden")
    parser.add_argument("--mode", default="")
    limit = parser.add_mutually_exclusive_group(required=True)
    limit.add_argument("--tolerance", type=float)
    limit.add_argument("--half-from", metavar="MODE")
    limit.add_argument("--accurate-against", metavar="MODE")
    parser.add_argument("--margin", type=float, default=0.0)
    parser.add_argument("--margin-of-error", action="store_true")
    parser.add_argument("--routing-ties", nargs=2, metavar=("G", "GAPS"), default=())
    options = parser.parse_args()
    routing = RoutingTies(*options.routing_ties)
    golden = Tensors(os.path.join(options.golden, "golden.safetensors"))
    if options.accurate_against is not None:
        compare_accuracy(options, golden)
        return
    index, good = 0, True
    while f"p{index}.input_ids" in golden:
        good = compare_prompt(options, golden, index, routing) and good
        index += 1
    if not routing.enough_left() or not good or index == 0:
        sys.exit("the bundle does not agree with the golden")


main()
