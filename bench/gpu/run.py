#!/usr/bin/env python3
"""Times the packages that pack.py made, and prints a table with the bound and the peers.

run.py FOLDER [--program moec-kernel-test] [--only WORD] [--json FILE] [--minutes 8]

A case is checked before it is timed. Bound: bytes at the read bandwidth measured in the same run, or flops at the chip's
peak. `peer` is the other's time over ours: above 1 we are faster.
"""
import argparse
import json
import math
import os
import subprocess
import time


def run_group(options, name, end):
    command = [options.program, os.path.join(options.folder, name + ".moeb"), "--json"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=max(1, end - time.time()))
        return json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        return [{"name": name, "pass": False, "complaint": "no time left"}]
    except ValueError:
        return [{"name": name, "pass": False, "complaint": (done.stderr.strip() or "no output").splitlines()[-1]}]


def print_row(row):
    if "microseconds" not in row:
        print(f"  {row['name']:<44} FAIL  {row['complaint']}", flush=True)
        return
    peer = f"{row['peer'] / row['microseconds']:6.2f}" if row.get("peer") else "      "
    print(f"  {row['name']:<44} {row['l2']:8.1e} {row['microseconds']:9.2f} {row['bound_microseconds']:9.2f} "
          f"{row['microseconds'] / max(row['bound_microseconds'], 1e-9):6.2f} {peer}  {'' if row['pass'] else 'FAIL ' + row['complaint']}",
          flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--program", default="moec-kernel-test")
    parser.add_argument("--only", default="")
    parser.add_argument("--json")
    parser.add_argument("--minutes", type=float, default=8)
    options = parser.parse_args()
    end = time.time() + 60 * options.minutes
    with open(os.path.join(options.folder, "groups.json")) as file:
        groups = json.load(file)
    everything = []
    print(f"  {'case':<44} {'L2':>8} {'us':>9} {'bound':>9} {'ratio':>6} {'peer':>6}")
    for name, group in groups.items():
        if options.only not in name:
            continue
        if group["missing"]:
            rows = [{"name": name, "pass": False, "complaint": group["missing"]}]
        else:
            rows = run_group(options, name, end)
        print(name)
        for row in rows:
            row["group"], row["name"] = name, row["name"].rsplit("/", 1)[-1]
            row["peer"] = group["peer"].get(row["name"])
            print_row(row)
        peers = [row["peer"] / row["microseconds"] for row in rows if row.get("peer") and "microseconds" in row]
        if peers:
            mean = math.exp(sum(map(math.log, peers)) / len(peers))
            print(f"  against the peer: geometric mean {mean:.2f}, least {min(peers):.2f}")
        everything += rows
    failed = [row for row in everything if not row["pass"]]
    print(f"{len(everything) - len(failed)} of {len(everything)} cases pass")
    if options.json:
        with open(options.json, "w") as file:
            json.dump(everything, file, indent=1)
    raise SystemExit(1 if failed else 0)


main()
