"""Spoils a golden in one place, for tests of what compares with it: spoil_golden.py GOLDEN GAPS FOLDER WHAT WHERE

Writes FOLDER/golden.safetensors with other logits at one position of prompt p2, another greedy token at one step, or other
experts of mixture layer 1 at one position (WHAT: logits, token, experts): WHERE the gap in GAPS is `narrowest` or `widest`.
"""
import json
import os
import struct
import sys

from safetensors import Tensors


def main():
    golden_folder, gaps_path, folder, what, where = sys.argv[1:]
    golden = Tensors(os.path.join(golden_folder, "golden.safetensors"))
    with open(gaps_path) as file:
        gaps = json.load(file)["p2"]["gaps"]
    length = len(golden.flat("p2.input_ids"))
    name, gaps = {"logits": ("p2.logits", gaps[:length]), "token": ("p2.greedy.tokens", gaps[length - 1 :]),
                  "experts": ("p2.router.1.topk_idx", gaps[:length])}[what]
    row = gaps.index({"narrowest": min, "widest": max}[where](gaps))
    values = golden.flat(name)
    columns = len(values) // len(gaps)
    for i in range(row * columns, (row + 1) * columns):
        values[i] = values[i] ^ 1 if what != "logits" else -values[i]
    begin, end = golden.header[name]["data_offsets"]
    header = json.dumps(golden.header).encode()
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "golden.safetensors"), "wb") as file:
        file.write(struct.pack("<Q", len(header)) + header)
        file.write(golden.data[:begin] + values.tobytes() + golden.data[end:])


main()
