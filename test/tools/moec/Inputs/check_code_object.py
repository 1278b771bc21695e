"""check_code_object.py <bundle> <moec inspect --json> <bytes of LDS> <llvm-objdump>

What the kernels of a code object take, and that those with slices multiply by matrix instructions.
"""
import json
import re
import subprocess
import sys
import tempfile

MAGIC = b"\x7fELF\x02\x01\x01\x40"  # 64 bits, little endian, OS/ABI amdgpu_hsa


def disassemble(path, size, objdump):
    """Kernel -> its instructions, as text."""
    file = open(path, "rb").read()
    start = file.find(MAGIC)
    if start < 0:
        sys.exit(f"{path} holds no code object")
    with tempfile.NamedTemporaryFile() as code:
        code.write(file[start : start + size])
        code.flush()
        text = subprocess.run([objdump, "-d", code.name], check=True, capture_output=True, text=True).stdout
    parts = re.split(r"^[0-9a-f]+ <(\w+)>:$", text, flags=re.M)
    return dict(zip(parts[1::2], parts[2::2]))


def find_faults(kernel, text, limit):
    if kernel["scratch_bytes"] or "scratch_" in text:
        yield "uses scratch memory"
    if kernel["shared_bytes"] > limit:
        yield f"takes more LDS than {limit}"
    if not 0 < kernel["vector_registers"] <= 512 or not kernel["scalar_registers"]:
        yield "has no registers to speak of"
    if not kernel["blocks_per_core"]:
        yield "does not fit"
    if ("slice" in kernel["schedule"]) != ("v_mfma_f32_16x16x" in text):
        yield "has slices and no matrix instructions, or these without slices"


path, listing, limit, objdump = sys.argv[1:]
bundle = json.load(open(listing))
code = disassemble(path, bundle["images"][0]["bytes"], objdump)
for kernel in bundle["kernels"]:
    faults = list(find_faults(kernel, code[kernel["symbol"]], int(limit)))
    if faults:
        sys.exit(f"{kernel['symbol']}: {', '.join(faults)}: {kernel}")
heroes = {kernel["hero"] for kernel in bundle["kernels"] if "slice" in kernel["schedule"]}
print("matrix instructions in", ", ".join(sorted(heroes)))
