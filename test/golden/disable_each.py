"""Compiles a checkpoint without each fusion in turn and compares every bundle with the golden.

disable_each.py GOLDEN_FOLDER WORK_FOLDER --tolerance E [--shard I/N]

The names come from `moec list --fusions`; a shard takes every N-th of them.
"""
import argparse
import os
import subprocess
import sys


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("golden")
    parser.add_argument("work")
    parser.add_argument("--tolerance", required=True)
    parser.add_argument("--shard", default="0/1")
    options = parser.parse_args()
    listed = subprocess.run(["moec", "list", "--fusions"], capture_output=True, text=True, check=True).stdout
    names = [line.split()[0] for line in listed.splitlines()]
    if not names:
        sys.exit("moec list --fusions names nothing")
    shard, shards = map(int, options.shard.split("/"))
    compare = os.path.join(os.path.dirname(os.path.abspath(__file__)), "compare_golden.py")
    for name in names[shard::shards]:
        print(f"without {name}", flush=True)
        bundle = os.path.join(options.work, name)
        subprocess.run(["moec", "compile", options.golden, "--activations", "exact", "--disable", name, "-o", bundle],
                       check=True)
        subprocess.run([sys.executable, compare, bundle, options.golden, "--tolerance", options.tolerance], check=True)


main()
