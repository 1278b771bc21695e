"""Interprets a whole model, with random weights, before and after every pass of the pipeline to kernels.

numerics_of_passes.py CHECKPOINT --activations exact|quantized [--activation-type bf16]

Fails when a result moves by more than its pass may move it, when anything cannot be compared, and when a pass of the
pipeline has reported neither a result nor that it changed nothing.
"""
import argparse
import re
import subprocess
import sys

# The interpreter computes in double precision: a pass that only moves ops changes no bit, one that takes a sum in
# another order (absorb-latent) some 1e-15.
TOLERANCE = "1e-12"
# Rounding inputs to FP8 is meant to change numbers: 3 bits of mantissa over random weights give 0.03 to 0.13 for the
# logits. A wrong scale or block gives about 1.
# Rounding to bf16 moves each value by one part in 512 at most.
TOLERANCES = {"quantize-activations": "0.25", "set-activation-type": "3e-2"}
# One bucket of each kind, so that both forms of attention occur; @mtp stays, to be checked too.
PIPELINE = "--moec-to-kern=decode-buckets=1 prefill-buckets=64 keep-mtp=true activation-type="


def run(command, **options):
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: exit status {done.returncode}\n{done.stderr}")
    return done


def passes_of_pipeline(module, pipeline):
    """Names of the passes, from `builtin.module(a,b{option=1},c)`."""
    text = run(["moec-opt", pipeline, "--dump-pass-pipeline", "-o", "/dev/null"], input=module).stderr
    body = re.search(r"builtin\.module\((.*)\)", text, re.DOTALL).group(1)
    while "{" in body:
        body = re.sub(r"\{[^{}]*\}", "", body)
    return [name.strip() for name in body.split(",")]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("checkpoint")
    parser.add_argument("--activations", required=True)
    parser.add_argument("--activation-type", default="")
    options = parser.parse_args()
    pipeline = PIPELINE + options.activation_type
    module = run(["moec", "compile", options.checkpoint, "--emit", "moe", "--activations", options.activations]).stdout
    names = passes_of_pipeline(module, pipeline)
    tolerances = ",".join([TOLERANCE] + [f"{name}={value}" for name, value in TOLERANCES.items()])
    report = run(["moec-opt", pipeline, "--check-numerics", "--numerics-strict", "--numerics-tolerance=" + tolerances,
                  "--numerics-dims=tokens=3,sequences=2,output_rows=2", "-o", "/dev/null"], input=module).stderr
    largest = {}
    for name, rest in re.findall(r"^numerics: ([\w-]+): (.*)$", report, re.MULTILINE):
        error = re.search(r"relative L2 error (\S+)$", rest)
        largest.setdefault(name, 0.0 if rest == "changed nothing" else None)
        if error:
            largest[name] = max(largest[name] or 0.0, float(error.group(1)))
    print("\n".join(f"{name}: {error}" for name, error in largest.items()))
    silent = [name for name in names if largest.get(name) is None]
    if silent:
        sys.exit(f"no numerics of {', '.join(silent)} in:\n{report}")


main()
