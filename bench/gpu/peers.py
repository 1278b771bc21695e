"""Times of others that were measured on another day, brought to the run's own by what both runs measured.

DeepGEMM is not there when our kernels are timed; cuBLASLt and plain reads are, where torch is. Each tells how much faster or slower
this machine is today: cuBLASLt's products of the same shape, with a scale a row and in BF16, and a read of about the weight's bytes. They
differ by up to a fifth of each other; a peer's time is multiplied by their median.
"""
import json
import math
import os
import statistics


def read():
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "peers.json")) as file:
        return json.load(file)


def split_name(name):
    """("2112x7168", "16") of "fp8_2112x7168 16", or None for a row of another kind."""
    what, _, tokens = name.partition(" ")
    return (what[len("fp8_"):], tokens) if what.startswith("fp8_") else None


def scale(name, microseconds, then, ceilings):
    """The time of a peer of the row `name`, in this run; as it was where this run has nothing to scale it by."""
    key = split_name(name)
    if not key or "missing" in ceilings:
        return microseconds
    shape, tokens = key
    ratios = [ceilings[what][f"{shape} {tokens}"] / us for what, us in then["fp8"][shape][tokens].items()
              if f"{shape} {tokens}" in ceilings.get(what, {})]
    rows, columns = map(int, shape.split("x"))
    size = min(then["read_microseconds"], key=lambda size: abs(math.log(int(size) * 1e6 / (rows * columns))))
    ratios.append(ceilings["read_microseconds"][size] / then["read_microseconds"][size])
    return microseconds * statistics.median(ratios)
