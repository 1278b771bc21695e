#!/usr/bin/env python3
"""What the chip and cuBLASLt reach in this run, as JSON on stdout; needs a GPU and torch.

ceilings.py

{"device", "date", "copy_gbs", "read_microseconds": {MB: us}, "cublaslt_row": {"NxK M": us}, "cublaslt_bf16": {the same}}, or
{"missing": why}. A time is the median over replays of one CUDA graph whose calls use at least 256 MB of different inputs.
cublaslt_row: E4M3 by E4M3 to bf16 with a scale a row, less work than a scale a block. What cannot be measured is left out.
"""
import json
import statistics
import sys
import time

import peers

try:
    import torch
except ImportError:
    torch = None
try:
    import triton
    import triton.language as tl
except ImportError:
    triton = None

ROTATE_BYTES = 256 << 20
LEAST_CALLS, REPLAYS = 30, 21  # of a graph, so that its own launch does not count
READ_BLOCK = 8192  # int32

if torch and triton:

    @triton.jit
    def read_block(x, sums, size, BLOCK: tl.constexpr):
        at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
        values = tl.load(x + at, mask=at < size, other=0)
        tl.store(sums + tl.program_id(0), tl.sum(values, axis=0))


def time_calls(calls):
    """Microseconds a call; calls may differ in their inputs only."""
    calls = calls * -(-LEAST_CALLS // len(calls))
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        for call in calls[:2]:
            call()
    stream.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=stream):
        for call in calls:
            call()
    for _ in range(3):
        graph.replay()
    times = []
    for _ in range(REPLAYS):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        graph.replay()
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end) * 1e3 / len(calls))
    return statistics.median(times)


def count_copies(size):
    return min(max(-(-ROTATE_BYTES // size), 2), 64)


def measure_copy():
    source, target = (torch.ones(1 << 28, dtype=torch.int32, device="cuda") for _ in range(2))
    return 2 * source.nbytes / time_calls([lambda: target.copy_(source)]) * 1e-3


def measure_read(megabytes):
    size = megabytes * 1000 * 1000 // 4
    blocks = -(-size // READ_BLOCK)
    buffers = [torch.ones(size, dtype=torch.int32, device="cuda") for _ in range(count_copies(4 * size))]
    sums = torch.empty(blocks, dtype=torch.int32, device="cuda")
    if triton:
        return time_calls([lambda x=x: read_block[(blocks,)](x, sums, size, BLOCK=READ_BLOCK, num_warps=8) for x in buffers])
    return time_calls([lambda x=x: torch.sum(x) for x in buffers])


def make_product(n, k, m, row_scaled):
    """Calls of y = x * w^T over copies of the weight."""
    fill = lambda rows: torch.randn(rows, k, device="cuda", dtype=torch.bfloat16)
    if not row_scaled:
        x, weights = fill(m), [fill(n) for _ in range(count_copies(2 * n * k))]
        return [lambda w=w: torch.mm(x, w.t()) for w in weights]
    codes = lambda rows: fill(rows).to(torch.float8_e4m3fn)
    x, weights = codes(m), [codes(n) for _ in range(count_copies(n * k))]
    a, b = torch.ones(m, 1, device="cuda"), torch.ones(1, n, device="cuda")
    return [lambda w=w: torch._scaled_mm(x, w.t(), scale_a=a, scale_b=b, out_dtype=torch.bfloat16, use_fast_accum=True)
            for w in weights]


def measure_products(row_scaled):
    times = {}
    for shape, row in peers.read()["fp8"].items():
        n, k = map(int, shape.split("x"))
        for m in row:
            try:
                times[f"{shape} {m}"] = time_calls(make_product(n, k, int(m), row_scaled))
            except RuntimeError as error:
                print(f"no product {shape} {m}: {str(error).splitlines()[0]}", file=sys.stderr)
    return times


def measure():
    if not torch:
        return {"missing": "there is no torch"}
    if not torch.cuda.is_available():
        return {"missing": "torch sees no GPU"}
    return {
        "device": torch.cuda.get_device_name(),
        "date": time.strftime("%Y-%m-%d"),
        "copy_gbs": measure_copy(),
        "read_microseconds": {size: measure_read(int(size)) for size in peers.read()["read_microseconds"]},
        "cublaslt_row": measure_products(True),
        "cublaslt_bf16": measure_products(False),
    }


if __name__ == "__main__":
    json.dump(measure(), sys.stdout)
