"""Prints the specification of the first kernel that `moec inspect --json` lists: print_kernel.py BUNDLE JSON."""
import json
import subprocess
import sys

with open(sys.argv[2]) as file:
    symbol = json.load(file)["kernels"][0]["symbol"]
subprocess.run(["moec", "inspect", sys.argv[1], "--kernel", symbol], check=True)
