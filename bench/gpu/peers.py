"""Times of others that were measured on another day, brought to the run's own by what both runs measured.

DeepGEMM is not there when our kernels are timed; cuBLASLt is, where torch is. Its product of the same shape, with a scale a row
instead of one a block, tells how much faster or slower this machine is today: others' times are multiplied by that.
"""
import json
import os


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
    now = ceilings.get("cublaslt_row", {}).get(" ".join(key)) if key else None
    if not now:
        return microseconds
    return microseconds * now / then["fp8"][key[0]][key[1]]["cublaslt_row"]
