#!/usr/bin/env python3
"""Runs everything that wants a GPU, from a kit that pack.py made elsewhere, and prints one table.

run.py KIT [--device N] [--minutes 8] [--only WORD] [--json FILE]

Needs an NVIDIA driver and Python, nothing else; compute-sanitizer and cuobjdump are used where they are found. A kit:

    bin/ lib/             moec-run, moec-kernel-test, moec-gpu-device-test and the libraries they link
    scripts/              compare_golden.py, heldout_problems.py, safetensors.py
    kernels/*.moeb        packages for moec-kernel-test
    models/NAME/          bundle/ and the checks.json that pack.py wrote: script and arguments for each check
    checked.json          package: which of its cases compute-sanitizer runs, by a part of their names; otherwise all
    missing.json          what could not be compiled, and why: each is a failed row

The exit status is 0 when every row is ok.
"""
import argparse
import concurrent.futures
import glob
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time


class Rows:
    """The table, printed line by line as results come."""

    def __init__(self):
        self.rows = []

    def add(self, name, good, detail, seconds=None):
        self.rows.append({"name": name, "ok": good, "detail": detail, "seconds": seconds})
        took = "" if seconds is None else f"{seconds:6.1f} s"
        print(f"{name:<58.58} {'ok' if good else 'FAIL':<5}{took:>9}  {detail}", flush=True)

    def failed(self):
        return [row for row in self.rows if not row["ok"]]


class Kit:
    def __init__(self, options):
        self.folder = os.path.abspath(options.kit)
        self.options = options
        self.end = time.time() + 60 * options.minutes
        self.environment = dict(os.environ)
        self.environment["PATH"] = os.path.join(self.folder, "bin") + os.pathsep + os.environ["PATH"]
        # Tools of the machine itself must not see the kit's libraries.
        self.own = dict(self.environment)
        libraries = [os.path.join(self.folder, "lib"), os.environ.get("LD_LIBRARY_PATH", "")]
        self.environment["LD_LIBRARY_PATH"] = os.pathsep.join(filter(None, libraries))

        self.checked = {}
        if os.path.exists(self.path("checked.json")):
            with open(self.path("checked.json")) as file:
                self.checked = json.load(file)

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def run(self, command, environment=None):
        """(exit status, output, seconds); a command that outlives the script's time has status 124."""
        start = time.time()
        try:
            done = subprocess.run(command, env=environment or self.environment, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True, errors="replace",
                                  timeout=max(1, self.end - start))
            return done.returncode, done.stdout, time.time() - start
        except subprocess.TimeoutExpired as late:
            output = late.stdout or b""
            return 124, (output.decode(errors="replace") if isinstance(output, bytes) else output) + "\nno time left", time.time() - start
        except OSError as error:
            return 127, str(error), 0.0

    def device(self):
        return ["--device", str(self.options.device)]


def last_line(text):
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else "no output"


def check_device(kit, rows):
    program = kit.path("bin", "moec-gpu-device-test")
    if not os.path.exists(program):
        return
    status, output, seconds = kit.run([program])
    facts = [line for line in output.splitlines() if re.match(r"(copied|filled|reads|device)", line)]
    for fact in facts:
        print("    " + fact)
    rows.add("device: uploads, fills, reads", status == 0, last_line(output), seconds)


def check_package(kit, rows, package, options):
    name = os.path.basename(package)
    status, output, seconds = kit.run(["moec-kernel-test", package, "--json", *options, *kit.device()])
    try:
        cases = json.loads(output)
    except ValueError:
        rows.add(name, False, last_line(output), seconds)
        return
    for case in cases:
        detail = case["complaint"] or f"max {case['max']:.1e}, L2 {case['l2']:.1e}"
        if "microseconds" in case:
            bound = case["bound_microseconds"]
            detail += f", {case['microseconds']:.2f} us"
            if bound > 0:
                detail += f", bound {bound:.2f}, ratio {case['microseconds'] / bound:.2f}"
        rows.add(f"{name}: {case['name']}", case["pass"], detail)
    rows.add(f"{name}: all cases", status == 0, f"{sum(c['pass'] for c in cases)} of {len(cases)} pass", seconds)


def check_sanitizer(kit, rows, package, tool):
    only = kit.checked.get(os.path.splitext(os.path.basename(package))[0], "")
    command = ["compute-sanitizer", "--tool", tool, "--error-exitcode", "9", kit.path("bin", "moec-kernel-test"), package,
               "--no-graphs", "--filter", only, *kit.device()]
    status, output, seconds = kit.run(command)
    summary = [line for line in output.splitlines() if "SUMMARY" in line]
    cases = re.search(r"^(\d+) of \d+ cases pass$", output, re.MULTILINE)
    detail = f"{summary[-1].strip('= ')}, {cases[0]}" if summary and cases else last_line(output)
    if kernels := sorted(set(re.findall(r"\bat ([\w.$]+)\+0x", output))):
        detail += ", in " + ", ".join(kernels)
    rows.add(f"{os.path.basename(package)}: {tool}", status == 0 and bool(summary) and bool(cases and int(cases[1])), detail, seconds)


def check_model(kit, rows, folder):
    with open(os.path.join(folder, "checks.json")) as file:
        checks = json.load(file)
    for check in checks:
        command = [sys.executable, kit.path("scripts", check["script"]), os.path.join(folder, "bundle")]
        command += [argument.replace("{}", folder) for argument in check["arguments"]]
        status, output, seconds = kit.run(command)
        errors = [float(e) for e in re.findall(r"relative L2 error ([0-9.e+-]+)", output)]
        detail = f"largest relative L2 error {max(errors):.2e}" if errors and status == 0 else last_line(output)
        compared = re.findall(r"^compared .* positions$", output, re.MULTILINE)
        detail += "".join(", " + line for line in compared)
        rows.add(f"{os.path.basename(folder)}: {check['name']}", status == 0, detail, seconds)


def cubins_of(bundle):
    """The CUDA ELF images in a bundle: they start at multiples of 4096."""
    with open(bundle, "rb") as file:
        data = file.read()
    for offset in range(4096, len(data), 4096):
        if data[offset : offset + 4] == b"\x7fELF" and struct.unpack_from("<H", data, offset + 18)[0] == 190:
            tables, = struct.unpack_from("<Q", data, offset + 40)
            entry, count = struct.unpack_from("<HH", data, offset + 58)
            programs, = struct.unpack_from("<Q", data, offset + 32)
            program, many = struct.unpack_from("<HH", data, offset + 54)
            yield data[offset : offset + max(tables + entry * count, programs + program * many)]


def count_instructions(kit, cubin):
    """For each function of a cubin, how often the instructions occur that tell how it works."""
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(cubin)
        file.flush()
        status, output, _ = kit.run(["cuobjdump", "-sass", file.name], kit.own)
    if status != 0:
        raise RuntimeError(last_line(output))
    counts, function = {}, None
    for line in output.splitlines():
        found = re.search(r"Function : (\S+)", line)
        if found:
            function = counts.setdefault(found.group(1), {})
        code = re.search(r"\*/\s+(?:@!?U?P\w+\s+)?(QGMMA|HGMMA|UTMALDG|LDL|STL)\b", line)
        if code and function is not None:
            function[code.group(1)] = function.get(code.group(1), 0) + 1
    return counts


def check_code(kit, rows, bundles):
    """No function may use local memory; the matrix and copy engines must be in use somewhere."""
    everywhere, functions = {}, 0
    cubins = [(bundle, cubin) for bundle in bundles for cubin in cubins_of(bundle)]
    try:
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            counted = list(pool.map(lambda work: count_instructions(kit, work[1]), cubins))
    except RuntimeError as error:
        rows.add("machine code", False, str(error))
        return
    for (bundle, _), counts in zip(cubins, counted):
        functions += len(counts)
        for name, found in counts.items():
            for code, count in found.items():
                everywhere[code] = everywhere.get(code, 0) + count
            if "LDL" in found or "STL" in found:
                rows.add(f"{os.path.relpath(bundle, kit.folder)}: {name}", False,
                         f"uses local memory: {found.get('LDL', 0)} loads, {found.get('STL', 0)} stores")
    detail = ", ".join(f"{code} {everywhere.get(code, 0)}" for code in ("QGMMA", "HGMMA", "UTMALDG", "LDL", "STL"))
    rows.add("machine code: matrix and copy engines in use", bool(everywhere.get("QGMMA") and everywhere.get("UTMALDG")),
             f"{functions} functions, {detail}")


# Packages whose cases differ from others' in what they compute rather than in how long that takes.
UNTIMED = re.compile(r"^(sm_\d+-|crowded|contexts\.|prompts)")
# Packages for the checkers of memory and races: these are slow, and what they look for is there in small sizes too.
UNCHECKED = re.compile(r"-large|-wide|^sm_\d+-")


def list_jobs(kit, rows, packages, wanted):
    """What can run side by side, the longest first, since nothing in it is timed."""
    files = lambda pattern, keep: [package for package in packages if bool(pattern.search(os.path.basename(package))) == keep]
    if wanted("sanitizer") and shutil.which("compute-sanitizer"):
        for tool in ("racecheck", "memcheck"):
            for package in files(UNCHECKED, False):
                yield check_sanitizer, package, tool
    models = sorted(glob.glob(kit.path("models", "*", "checks.json")))
    bundles = packages + sorted(glob.glob(kit.path("models", "*", "bundle", "*.moeb")))
    if wanted("code") and bundles and shutil.which("cuobjdump"):
        yield check_code, bundles
    for model in models if wanted("models") else []:
        yield check_model, os.path.dirname(model)
    for package in files(UNTIMED, True) if wanted("kernels") else []:
        yield check_package, package, ["--no-timing"]


def run_all(kit, rows):
    wanted = lambda name: not kit.options.only or kit.options.only in name
    if os.path.exists(kit.path("missing.json")):
        with open(kit.path("missing.json")) as file:
            for name, why in sorted(json.load(file).items()):
                rows.add(name, False, why)
    packages = sorted(glob.glob(kit.path("kernels", "*.moeb")))
    if wanted("device"):
        check_device(kit, rows)
    for package in packages if wanted("kernels") else []:
        if not UNTIMED.search(os.path.basename(package)):
            check_package(kit, rows, package, [])
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(check, kit, rows, *rest) for check, *rest in list_jobs(kit, rows, packages, wanted)]
        for done in waiting:
            done.result()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("kit")
    parser.add_argument("--device", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=8)
    parser.add_argument("--only", default="", help="device, kernels, models, code or sanitizer")
    parser.add_argument("--json", help="write the rows to this file")
    options = parser.parse_args()
    kit, rows = Kit(options), Rows()
    start = time.time()
    run_all(kit, rows)
    if options.json:
        with open(options.json, "w") as file:
            json.dump(rows.rows, file, indent=1)
    print(f"{len(rows.rows) - len(rows.failed())} of {len(rows.rows)} rows ok in {time.time() - start:.0f} s")
    sys.exit(1 if rows.failed() or not rows.rows else 0)


main()
