#!/usr/bin/env python3
"""Collects what run.py needs on a machine with a GPU, on one without: programs, their libraries, compiled bundles.

pack.py KIT --build build/release [--target sm_90a] [--models NAME,...] [--packages NAME,...] [--kernels FOLDER] [--jobs N]

`--kernels` holds more packages for moec-kernel-test. What does not compile is written into the kit's missing.json.
"""
import argparse
import concurrent.futures
import json
import os
import re
import shutil
import subprocess
import sys

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAMS = ["bin/moec-run", "bin/moec-kernel-test", "test-tools/moec-gpu-device-test"]
# The machine's own C library must fit its driver: it stays out.
LEFT_OUT = re.compile(r"^(libc|libm|libdl|librt|libpthread)\.so|^ld-linux")


def copy_programs(kit, build):
    for folder in ("bin", "lib", "scripts"):
        os.makedirs(os.path.join(kit, folder), exist_ok=True)
    for program in PROGRAMS:
        path = os.path.join(build, program)
        shutil.copy(path, os.path.join(kit, "bin"))
        listing = subprocess.run(["ldd", path], capture_output=True, text=True, check=True).stdout
        for name, library in re.findall(r"(\S+) => (/\S+)", listing):
            if not LEFT_OUT.match(name):
                shutil.copy(library, os.path.join(kit, "lib", name))
    shutil.copy(os.path.join(build, "lib", "libmoert.so"), os.path.join(kit, "lib"))
    for script in ("compare_golden.py", "heldout_problems.py", "long_prompts.py", "safetensors.py"):
        shutil.copy(os.path.join(SOURCE, "test", "golden", script), os.path.join(kit, "scripts"))
    shutil.copy(os.path.join(SOURCE, "test", "gpu", "run.py"), kit)


# Goldens with tokens that go to other experts after an error as small as the tolerance (test/golden/router_gaps.py).
WITH_ROUTING_TIES = {"deepseek_v3", "deepseek_v3_fp8", "deepseek_v2_group"}


def golden_check(mode, *limits):
    return {"name": f"golden {mode or 'exact'}", "script": "compare_golden.py",
            "arguments": ["{}", f"--mode={mode}", *limits]}


def heldout_check():
    return {"name": "held-out problems", "script": "heldout_problems.py",
            "arguments": ["{}/heldout_problems.json", "--at-least", "92"]}


def list_goldens():
    """BF16 between kernels allows 3e-2 against the float32 golden; with float32 between them there is no excuse."""
    exact = golden_check("", "--tolerance", "3e-2", "--margin-of-error")
    with_ties = golden_check("", "--tolerance", "3e-2", "--margin-of-error", "--routing-ties", "3e-2", "{}/gaps.json")
    single = golden_check("", "--tolerance", "1e-3", "--margin-of-error")
    half = golden_check("aqabs.", "--half-from", "exact", "--margin-of-error")
    accurate = dict(golden_check("aqabs.", "--accurate-against", "exact"), name="accuracy aqabs.")
    same = golden_check("aqabs.", "--tolerance", "1e-3", "--margin-of-error")
    goldens = os.path.join(SOURCE, "test", "golden", "Inputs")
    for name in sorted(os.listdir(goldens)):
        folder = os.path.join(goldens, name)
        yield name, folder, ["--activations", "exact"], [with_ties if name in WITH_ROUTING_TIES else exact]
        yield f"{name}-f32", folder, ["--activations", "exact", "--activation-type", "f32"], [single]
    folder = os.path.join(goldens, "deepseek_v3_fp8")
    quantized, single = ["--activations", "quantized"], ["--activation-type", "f32"]
    yield "deepseek_v3_fp8-quantized", folder, quantized, [half, accurate]
    yield "deepseek_v3_fp8-quantized-f32", folder, quantized + single, [half, accurate]
    # Only plain kernels in f32 round to the golden's codes.
    yield "deepseek_v3_fp8-quantized-plain", folder, ["--target", "sm_80", *quantized, *single], [same]


def list_models():
    """(name, checkpoint, options of compile, checks)"""
    yield from list_goldens()
    exact = golden_check("", "--tolerance", "3e-2", "--margin-of-error")
    tiny = os.path.join(SOURCE, "models", "tiny-r1")
    yield "tiny-r1", tiny, ["--activations", "exact", "--max-context", "256"], [exact, heldout_check()]
    yield ("tiny-r1-quantized", tiny, ["--activations", "quantized", "--max-context", "256"], [heldout_check()])
    # Chunks of 1024 and 2047 tokens against chunks of 256.
    long = {"name": "long prompts", "script": "long_prompts.py",
            "arguments": ["--lengths", "300,1000,2047", "--piece", "256", "--tolerance", "1e-3"]}
    single = ["--activations", "exact", "--activation-type", "f32"]
    yield "tiny-r1-long", tiny, [*single, "--max-context", "2048"], [long]


# Kernel tests: (package, files of kernels/, options of pack-kernels). The interpreter checks small sizes, and at those the
# plain kernels of sm_80 too, which then make what large sizes are compared with, on the device. In a large package are also
# sizes about those of tiles.
SMALL = ["--tokens", "1,3,17"]
AGAINST = ["--against", "sm_80"]
# Tables of rotations have 300 rows, so that no sequence may be long.
LARGE = [*AGAINST, "--tokens", "127,129,4099", "--sequences", "32"]
ROWS = ["rows", "rows_bf16", "tall", "wide", "bf16"]
PRODUCTS = ["dense", "grouped", "grouped_bf16", "products"]
LATENT = ["latent", "latent_fp8"]
ATTENTION = ["attention", *LATENT, "expanded"]
# The interpreter's results for many heads are large to store.
FEW_HEADS, MANY_HEADS = ["--filter", "heads_16"], ["--skip", "heads_16,heads_16_f32,fp8_heads_16,fp8_heads_16_f32"]
ON_SM_80 = "--drop-schedules"
PACKAGES = [
    *((name, [name], SMALL) for name in [*ROWS, *PRODUCTS, "attention", "expanded"]),
    ("norm", ["norm"], ["--tokens", "1,3,4"]),
    ("streaming", ["streaming"], ["--tokens", "1"]),
    ("shared-k", ["shared_k"], ["--tokens", "1,3,17,129"]),
    ("shared-k-large", ["shared_k"], [*AGAINST, "--tokens", "127,4099"]),
    *((name, [name], ["--tokens", "1,3"]) for name in LATENT),
    ("latent-17", LATENT, ["--tokens", "17", *FEW_HEADS]),
    ("prompts-wide", LATENT, [*AGAINST, "--tokens", "17", *MANY_HEADS]),
    # Logits are stored, since a choice compares them: few rows of large vocabularies.
    ("sampling", ["sampling"], [*SMALL, "--filter", "_1000"]),
    ("sampling-wide", ["sampling"], ["--tokens", "1", "--skip", "maxima_1000,masses_1000,sample_1000"]),
    *((f"{name}-large", [name], LARGE) for name in ROWS + PRODUCTS),
    # Prompts of three sequences that begin and end within pages.
    ("attention-large", ATTENTION, [*AGAINST, "--tokens", "127,129", "--earlier-tokens", "40"]),
    ("prompts-large", ATTENTION, [*AGAINST, "--tokens", "4099", "--earlier-tokens", "40"]),
    # Contexts of 1, 63, 64 and 65 tokens: a page has 64 or 128.
    ("contexts", ATTENTION, ["--sequences", "1", "--tokens", "1", "--earlier-tokens", "0,62,63,64"]),
    ("contexts-large", ["attention", "latent"], [*AGAINST, "--tokens", "1,3", "--earlier-tokens", "32767"]),
    ("contexts-large-fp8", ["latent_fp8"], [*AGAINST, "--tokens", "1", "--earlier-tokens", "32767"]),
    ("crowded", ["grouped", "grouped_bf16"], ["--crowded", "--tokens", "3,17"]),
    ("crowded-large", ["grouped"], ["--crowded", *LARGE]),
    *((f"sm_80-{name}", [name], ["--tokens", "1,17", ON_SM_80]) for name in [*ROWS, *PRODUCTS, "attention", "expanded"]),
    *((f"sm_80-{name}", [name], ["--tokens", "1,3", ON_SM_80]) for name in LATENT),
    ("sm_80-latent-17", LATENT, ["--tokens", "17", *FEW_HEADS, ON_SM_80]),
    *((f"{target}-fragments", ["fragments"], ["--tokens", "1,3,17,129"]) for target in ("sm_80", "sm_89")),
]
# Checkers of memory and races take small packages; of these only cases whose names contain this: races of many heads take minutes.
CHECKED = {"expanded": "heads_3", "latent": " 3", "latent_fp8": " 3"}


def compile_package(kit, build, target, name, files, options):
    """The reason when it does not compile, else nothing."""
    target = name.split("-")[0] if name.startswith("sm_") else target
    folder = os.path.join(kit, "packing", name)
    sources = [os.path.join(SOURCE, "test", "gpu", "kernels", file + ".mlir") for file in files]
    command = [os.path.join(build, "bin", "pack-kernels"), target, folder, *sources, *options]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode == 0:
        os.makedirs(os.path.join(kit, "kernels"), exist_ok=True)
        os.replace(os.path.join(folder, "package.moeb"), os.path.join(kit, "kernels", name + ".moeb"))
    shutil.rmtree(folder, ignore_errors=True)
    return why_not(done)


def why_not(done):
    """The line that says why a command failed; nothing when it did not."""
    if done.returncode == 0:
        return None
    lines = [line for line in done.stderr.splitlines() if "error" in line] or done.stderr.splitlines()
    return lines[-1] if lines else f"exit status {done.returncode}"


def compile_model(kit, build, target, name, checkpoint, arguments, checks):
    """The reason when it does not compile, else nothing."""
    folder = os.path.join(kit, "models", name)
    shutil.rmtree(folder, ignore_errors=True)
    if "--target" not in arguments:
        arguments = ["--target", target, *arguments]
    command = [os.path.join(build, "bin", "moec"), "compile", checkpoint, *arguments, "-o",
               os.path.join(folder, "bundle")]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        shutil.rmtree(folder, ignore_errors=True)
        return why_not(done)
    for file in ("golden.safetensors", "heldout_problems.json"):
        if os.path.exists(os.path.join(checkpoint, file)):
            shutil.copy(os.path.join(checkpoint, file), folder)
    with open(os.path.join(folder, "checks.json"), "w") as file:
        json.dump(checks, file, indent=1)
    if any("--routing-ties" in check["arguments"] for check in checks):
        write_gaps(build, checkpoint, os.path.join(folder, "gaps.json"))
    return None


def write_gaps(build, checkpoint, path):
    """Takes the reference interpreter, so it is done where there is a compiler."""
    script = os.path.join(SOURCE, "test", "golden", "router_gaps.py")
    environment = dict(os.environ, PATH=os.path.join(build, "bin") + os.pathsep + os.environ["PATH"])
    subprocess.run([sys.executable, script, checkpoint, "--activations", "exact", "--out", path], env=environment,
                   check=True, stdout=subprocess.DEVNULL)


class Missing:
    """A kit's missing.json; what an earlier call left there stays unless it is compiled now."""

    def __init__(self, kit):
        self.path = os.path.join(kit, "missing.json")
        self.reasons = {}
        if os.path.exists(self.path):
            with open(self.path) as file:
                self.reasons = json.load(file)
        self.write()

    def note(self, name, why):
        print(f"{name}: {why or 'compiled'}", flush=True)
        self.reasons.pop(name, None)
        if why:
            self.reasons[name] = why
        self.write()

    def write(self):
        with open(self.path, "w") as file:
            json.dump(self.reasons, file, indent=1)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("kit")
    parser.add_argument("--build", required=True)
    parser.add_argument("--target", default="sm_90a")
    parser.add_argument("--models", help="only these, separated by commas; empty: none")
    parser.add_argument("--packages", help="only these, as --models")
    parser.add_argument("--kernels")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="how much is compiled at a time")
    options = parser.parse_args()
    copy_programs(options.kit, options.build)
    if options.kernels:
        shutil.copytree(options.kernels, os.path.join(options.kit, "kernels"), dirs_exist_ok=True)
    with open(os.path.join(options.kit, "checked.json"), "w") as file:
        json.dump(CHECKED, file, indent=1)
    chosen = lambda name, names: names is None or name in names.split(",")
    work = [(compile_model, *model) for model in list_models() if chosen(model[0], options.models)]
    work += [(compile_package, *package) for package in PACKAGES if chosen(package[0], options.packages)]
    missing = Missing(options.kit)
    where = (options.kit, options.build, options.target)
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        waiting = {pool.submit(make, *where, name, *rest): name for make, name, *rest in work}
        for done in concurrent.futures.as_completed(waiting):
            missing.note(waiting[done], done.result())


main()
