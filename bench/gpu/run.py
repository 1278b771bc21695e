#!/usr/bin/env python3
"""Times the packages that pack.py made, and prints a table with the bound and the peers.

run.py FOLDER [--program moec-kernel-test] [--only WORD] [--json FILE] [--plots FOLDER] [--minutes 8] [--no-ceilings]
run.py --from FILE [--plots FOLDER]      the table and the plots of an earlier run's --json

A case is checked before it is timed; last come the means of lines.py. Bound: bytes at the read bandwidth measured in the same run, or flops at the chip's
peak. `peer` is the other's time over ours: above 1 we are faster. Ceilings of the same run (ceilings.py, where there is torch)
bring peers that were measured on another day to this run's pace.
"""
import argparse
import json
import math
import os
import subprocess
import sys
import time

import lines
import peers
import plots


def run_group(options, name, end):
    command = [options.program, os.path.join(options.folder, name + ".moeb"), "--json"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=max(1, end - time.time()))
        return json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        return [{"name": name, "pass": False, "complaint": "no time left"}]
    except OSError as error:
        return [{"name": name, "pass": False, "complaint": str(error)}]
    except ValueError:
        return [{"name": name, "pass": False, "complaint": (done.stderr.strip() or "no output").splitlines()[-1]}]


def measure_rows(options, end):
    """Rows of all groups: what moec-kernel-test prints, with "group" and "peer" (of another day, or None)."""
    with open(os.path.join(options.folder, "groups.json")) as file:
        groups = json.load(file)
    for name, group in groups.items():
        if options.only not in name:
            continue
        missing = [{"name": name, "pass": False, "complaint": group["missing"]}]
        for row in missing if group["missing"] else run_group(options, name, end):
            row["group"], row["name"] = name, row["name"].rsplit("/", 1)[-1]
            row["peer"] = group["peer"].get(row["name"].split(" after ")[0])
            yield row


def measure_ceilings(end):
    """In half of the time at most: rows come first."""
    command = [sys.executable, os.path.join(os.path.dirname(os.path.abspath(__file__)), "ceilings.py")]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=max(1, (end - time.time()) / 2))
        return json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        return {"missing": "no time left"}
    except ValueError:
        return {"missing": (done.stderr.strip() or "no output").splitlines()[-1]}


def print_ceilings(ceilings):
    if "missing" in ceilings:
        print(f"ceilings: not measured: {ceilings['missing']}; peers are of another day")
        return
    reads = ", ".join(f"{size} MB {us:.1f} us" for size, us in ceilings["read_microseconds"].items())
    print(f"{ceilings['device']}, {ceilings['date']}: copy {ceilings['copy_gbs']:.0f} GB/s; reads: {reads}")


def print_row(row, peer):
    if "microseconds" not in row:
        print(f"  {row['name']:<44} FAIL  {row['complaint']}", flush=True)
        return
    ratio = f"{peer / row['microseconds']:6.2f}" if peer else "      "
    print(f"  {row['name']:<44} {row['l2']:8.1e} {row['microseconds']:9.2f} {row['bound_microseconds']:9.2f} "
          f"{row['microseconds'] / max(row['bound_microseconds'], 1e-9):6.2f} {ratio}  {'' if row['pass'] else 'FAIL ' + row['complaint']}",
          flush=True)


def print_table(rows, ceilings):
    """Prints rows as they come; returns them."""
    then, seen, ratios = peers.read(), [], []

    def close_group():
        if ratios:
            mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
            print(f"  against the peer: geometric mean {mean:.2f}, least {min(ratios):.2f}")
        ratios.clear()

    print_ceilings(ceilings)
    print(f"  {'case':<44} {'L2':>8} {'us':>9} {'bound':>9} {'ratio':>6} {'peer':>6}")
    for row in rows:
        if not seen or seen[-1]["group"] != row["group"]:
            close_group()
            print(row["group"])
        peer = peers.scale(row, row["peer"], then, ceilings) if row["peer"] else None
        print_row(row, peer)
        if peer and "microseconds" in row:
            ratios.append(peer / row["microseconds"])
        seen.append({**row, "ratio": peer / row["microseconds"] if peer and "microseconds" in row else None})
    close_group()
    print(f"  {'against the peers':<46} {'n':>3} {'mean':>6} {'least':>6}  is at  (mean to have / wanted)")
    for line in lines.describe(seen):
        print(line)
    passed = sum(row["pass"] for row in seen)
    print(f"{passed} of {len(seen)} cases pass")
    return seen


def read_results(path):
    try:
        with open(path) as file:
            results = json.load(file)
        if not isinstance(results["rows"], list) or not isinstance(results["ceilings"], dict):
            raise ValueError("\"rows\" must be an array and \"ceilings\" an object")
        return results
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SystemExit(f"error: '{path}' is not what run.py --json writes: {error}; measure again")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", nargs="?")
    parser.add_argument("--from", dest="earlier", metavar="FILE")
    parser.add_argument("--program", default="moec-kernel-test")
    parser.add_argument("--only", default="")
    parser.add_argument("--json")
    parser.add_argument("--plots", metavar="FOLDER")
    parser.add_argument("--minutes", type=float, default=8)
    parser.add_argument("--no-ceilings", action="store_true")
    options = parser.parse_args()
    if bool(options.folder) == bool(options.earlier):
        parser.error("give either the folder that pack.py made or --from FILE")
    end = time.time() + 60 * options.minutes
    if options.earlier:
        results = read_results(options.earlier)
        print_table(results["rows"], results["ceilings"])
    else:
        ceilings = {"missing": "--no-ceilings"} if options.no_ceilings else measure_ceilings(end)
        results = {"ceilings": ceilings, "rows": print_table(measure_rows(options, end), ceilings)}
    if options.json:
        with open(options.json, "w") as file:
            json.dump(results, file, indent=1)
    if options.plots:
        for name in plots.write(results, options.plots):
            print(f"wrote {os.path.join(options.plots, name)}")
    raise SystemExit(0 if all(row["pass"] for row in results["rows"]) else 1)


main()
