"""Runs a command and bounds its time and peak memory: run_measured.py --seconds S --mib M COMMAND..."""
import argparse
import resource
import subprocess
import sys
import time

parser = argparse.ArgumentParser()
parser.add_argument("--seconds", type=float, default=float("inf"))
parser.add_argument("--mib", type=float, required=True)
parser.add_argument("command", nargs=argparse.REMAINDER)
options = parser.parse_args()
start = time.monotonic()
status = subprocess.run(options.command).returncode
seconds = time.monotonic() - start
mib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
print(f"{seconds:.1f} s, peak resident memory {mib:.0f} MiB")
if status:
    sys.exit(f"exit status {status}")
if mib > options.mib or seconds > options.seconds:
    sys.exit(f"expected at most {options.seconds} s and {options.mib} MiB")
