"""Times of others that were measured on another day, brought to the run's own by what both runs measured.

DeepGEMM is not there when our kernels are timed; cuBLASLt and plain reads are, where torch is. Each tells how much faster or slower
this machine is today: cuBLASLt's products of the same shape, with a scale a row and in BF16, and a read of about the weight's bytes. They
differ by up to a fifth of each other; a peer's time is multiplied by their median. Row kernels of many rows do little but read and write: theirs
is multiplied by the pace of the read.
"""
import json
import math
import os
import statistics

LARGE_BYTES = 30e6  # of a row kernel that is bound by memory


def read():
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "peers.json")) as file:
        return json.load(file)


def split_name(name):
    """("2112x7168", "16") of "fp8_2112x7168 16", or None for a row of another kind."""
    what, _, tokens = name.partition(" ")
    return (what[len("fp8_"):], tokens) if what.startswith("fp8_") else None


def read_pace(size_in_bytes, then, ceilings):
    """How much longer than then a plain read of about so many bytes takes."""
    size = min(then["read_microseconds"], key=lambda size: abs(math.log(int(size) * 1e6 / size_in_bytes)))
    return ceilings["read_microseconds"][size] / then["read_microseconds"][size]


def scale(row, microseconds, then, ceilings):
    """The time of a peer of `row`, in this run; as it was where this run has nothing to scale it by."""
    key = split_name(row["name"])
    if "missing" in ceilings:
        return microseconds
    if not key:
        is_read = row["group"].startswith("rows-") and row["bytes"] > LARGE_BYTES
        return microseconds * (read_pace(row["bytes"], then, ceilings) if is_read else 1)
    shape, tokens = key
    ratios = [ceilings[what][f"{shape} {tokens}"] / us for what, us in then["fp8"][shape][tokens].items()
              if f"{shape} {tokens}" in ceilings.get(what, {})]
    rows, columns = map(int, shape.split("x"))
    ratios.append(read_pace(rows * columns, then, ceilings))
    return microseconds * statistics.median(ratios)
