#!/usr/bin/env python3
"""Compiles the kernels of kernels.py into packages that run.py times where there is a GPU.

pack.py FOLDER --build build/release [--target sm_90a] [--only WORD] [--against sm_80]

Results are compared with what the plain kernels of the target --against make on the same device: expected values of such
sizes would take the interpreter minutes.
"""
import argparse
import json
import os
import shutil
import subprocess

import kernels


def pack(options, group):
    """The reason when a group does not compile, else nothing."""
    folder = os.path.join(options.folder, group["name"])
    os.makedirs(folder, exist_ok=True)
    text = os.path.join(folder, group["name"] + ".mlir")
    with open(text, "w") as file:
        file.write(group["kernels"])
    command = [os.path.join(options.build, "bin", "pack-kernels"), options.target, folder, text, "--against",
               options.against, "--tokens", ",".join(map(str, group["tokens"])), "--sequences", str(group["sequences"])]
    if group["earlier"]:
        command += ["--earlier-tokens", str(group["earlier"])]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        return done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"exit status {done.returncode}"
    os.replace(os.path.join(folder, "package.moeb"), os.path.join(options.folder, group["name"] + ".moeb"))
    print(done.stdout, end="")
    return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--build", required=True)
    parser.add_argument("--target", default="sm_90a")
    parser.add_argument("--against", default="sm_80")
    parser.add_argument("--only", default="", help="groups whose names contain this")
    options = parser.parse_args()
    os.makedirs(options.folder, exist_ok=True)
    path = os.path.join(options.folder, "groups.json")
    packed = json.load(open(path)) if os.path.exists(path) else {}
    for group in kernels.all_groups():
        if options.only in group["name"]:
            why = pack(options, group)
            print(f"{group['name']}: {why or 'compiled'}", flush=True)
            packed[group["name"]] = {"peer": group["peer"], "missing": why}
    for name in ("run.py", "ceilings.py", "peers.py", "peers.json", "lines.py", "plots.py", "svg.py"):
        shutil.copy(os.path.join(os.path.dirname(os.path.abspath(__file__)), name), options.folder)
    with open(path, "w") as file:
        json.dump(packed, file, indent=1)


main()
