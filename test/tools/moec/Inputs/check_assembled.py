"""check_assembled.py <moec inspect --json> <bytes of shared memory>

ptxas has taken every kernel: each fits a multiprocessor, none keeps registers in memory.
"""
import json
import sys


def find_faults(kernel, limit):
    if not 0 < kernel["registers"] <= 255:
        yield "has no registers to speak of"
    if kernel["spill_bytes"]:
        yield "spills"
    if kernel["shared_bytes"] > limit:
        yield f"takes more shared memory than {limit}"
    if not kernel["blocks_per_core"]:
        yield "does not fit"


path, limit = sys.argv[1:]
bundle = json.load(open(path))
if "cubin" not in [image["format"] for image in bundle["images"]]:
    sys.exit(f"no machine code among {bundle['images']}")
for kernel in bundle["kernels"]:
    faults = list(find_faults(kernel, int(limit)))
    if faults:
        sys.exit(f"{kernel['symbol']}: {', '.join(faults)}: {kernel}")
print("heroes:", ", ".join(sorted({kernel["hero"] for kernel in bundle["kernels"]})))
