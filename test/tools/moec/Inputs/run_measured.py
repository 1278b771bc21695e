"""Runs a command and bounds its peak memory and its processor time, which other processes do not change:
run_measured.py --seconds S --mib M COMMAND..."""
import argparse
import resource
import subprocess
import sys

parser = argparse.ArgumentParser()
parser.add_argument("--seconds", type=float, default=float("inf"))
parser.add_argument("--mib", type=float, required=True)
parser.add_argument("command", nargs=argparse.REMAINDER)
options = parser.parse_args()
status = subprocess.run(options.command).returncode
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
seconds, mib = usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024
print(f"{seconds:.1f} s of processor time, peak resident memory {mib:.0f} MiB")
if status:
    sys.exit(f"exit status {status}")
if mib > options.mib or seconds > options.seconds:
    sys.exit(f"expected at most {options.seconds} s and {options.mib} MiB")
