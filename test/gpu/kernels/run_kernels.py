"""Runs packed kernels (pack-kernels) on this machine's GPU and compares them with what was expected.

    run_kernels.py <package folder>... [--ptx] [--filter TEXT] [--repeat N]

Needs the CUDA driver's Python bindings of CuPy, and NumPy. Prints a line for each case that fails and a
summary; exits with 1 when one fails. `--ptx` has the driver compile the PTX instead of loading the cubin.
"""
import argparse
import json
import pathlib
import sys

import cupy
import numpy


def decode(raw, dtype):
    """The elements of `raw` as float64, or integers."""
    if dtype == "i32":
        return raw.view(numpy.int32)
    if dtype == "f32":
        return raw.view(numpy.float32).astype(numpy.float64)
    if dtype == "f16":
        return raw.view(numpy.float16).astype(numpy.float64)
    if dtype == "bf16":
        return (raw.view(numpy.uint16).astype(numpy.uint32) << 16).view(numpy.float32).astype(numpy.float64)
    if dtype == "f8E4M3FN":
        codes = numpy.arange(256)
        exponent, fraction = (codes >> 3) & 15, codes & 7
        values = numpy.where(exponent, (8 + fraction) * 2.0 ** (exponent - 10), fraction * 2.0**-9)
        values[[127, 255]] = numpy.nan
        return (values * numpy.where(codes < 128, 1.0, -1.0))[raw]
    raise ValueError(dtype)


def compare(got, expected, slot):
    """A sentence about what is wrong, or None; and the error."""
    got, expected = decode(got, slot["dtype"]), decode(expected, slot["dtype"])
    if slot["dtype"] == "i32":
        wrong = int((got != expected).sum())
        return (f"{wrong} of {got.size} integers differ" if wrong else None), float(wrong)
    same = numpy.isnan(got) & numpy.isnan(expected)  # what lies between rows
    if numpy.isnan(got[~same]).any():
        return f"{int(numpy.isnan(got[~same]).sum())} of {got.size} elements are NaN", numpy.nan
    difference = numpy.linalg.norm(got[~same] - expected[~same])
    scale = numpy.linalg.norm(expected[~same])
    error = difference / scale if scale else difference
    return (f"relative error {error:.2e}" if error > slot["tolerance"] else None), error


def run_case(module, kernel, case, data, repeat):
    buffers = [
        cupy.asarray(numpy.frombuffer(data, numpy.uint8, s["bytes"], s["data"]))
        if "data" in s
        else cupy.full(s["bytes"], 0xFF, numpy.uint8)
        for s in case["slots"]
    ]
    dims = cupy.asarray(numpy.array(case["dims"], numpy.int64))
    function = module.get_function(case["kernel"])
    if kernel["shared"] > 48 << 10:
        function.max_dynamic_shared_size_bytes = kernel["shared"]
    arguments = tuple(buffers) + (dims,)
    blocks = (max(case["blocks"], 1),)
    worst, faults = 0.0, []
    function(blocks, (kernel["threads"],), arguments, shared_mem=kernel["shared"])
    cupy.cuda.Device().synchronize()
    for index, (slot, buffer) in enumerate(zip(case["slots"], buffers)):
        if "expected" not in slot:
            continue
        expected = numpy.frombuffer(data, numpy.uint8, slot["bytes"], slot["expected"])
        fault, error = compare(buffer.get(), expected, slot)
        worst = max(worst, error)
        if fault:
            faults.append(f"slot {index}: {fault}")
    start, end = cupy.cuda.Event(), cupy.cuda.Event()
    start.record()
    for _ in range(repeat):
        function(blocks, (kernel["threads"],), arguments, shared_mem=kernel["shared"])
    end.record()
    end.synchronize()
    time = cupy.cuda.get_elapsed_time(start, end) * 1e3 / repeat if repeat else 0
    return faults, worst, time


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("packages", nargs="+", type=pathlib.Path)
    parser.add_argument("--ptx", action="store_true")
    parser.add_argument("--filter", default="")
    parser.add_argument("--repeat", type=int, default=20)
    parser.add_argument("--quiet", action="store_true", help="only failures and the summary")
    options = parser.parse_args()
    failed = total = 0
    for package in options.packages:
        description = json.loads((package / "cases.json").read_text())
        data = (package / "data.bin").read_bytes()
        module = cupy.RawModule(path=str(package / ("kernels.ptx" if options.ptx else "kernels.cubin")))
        for case in description["cases"]:
            if options.filter not in case["name"]:
                continue
            kernel = description["kernels"][case["kernel"]]
            total += 1
            try:
                faults, error, time = run_case(module, kernel, case, data, options.repeat)
            except cupy.cuda.driver.CUDADriverError as problem:
                print(f"FAIL {case['name']}: {problem}")
                return 1  # the context is gone
            if faults:
                failed += 1
                print(f"FAIL {case['name']}: {'; '.join(faults)}")
            elif not options.quiet:
                print(f"ok   {case['name']:56} error {error:8.1e} {time:8.1f} us  {kernel['registers']} registers")
    print(f"{total - failed} of {total} cases agree with the interpreter")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
