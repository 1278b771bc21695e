"""check_code_object.py <moec inspect --json> <bytes of LDS>: what the kernels of a code object take."""
import json
import sys

bundle = json.load(open(sys.argv[1]))
limit = int(sys.argv[2])
for kernel in bundle["kernels"]:
    faults = []
    if kernel["scratch_bytes"]:
        faults.append("uses scratch memory")
    if kernel["shared_bytes"] > limit:
        faults.append(f"takes more LDS than {limit}")
    if not 0 < kernel["vector_registers"] <= 512 or not kernel["scalar_registers"]:
        faults.append("has no registers to speak of")
    if not kernel["blocks_per_core"]:
        faults.append("does not fit")
    if faults:
        sys.exit(f"{kernel['symbol']}: {', '.join(faults)}: {kernel}")
