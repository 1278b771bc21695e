#!/usr/bin/env python3
"""Packs a kit (pack.py) into one file that is small enough to send where a checkout is already, and unpacks it there.

archive.py pack KIT FILE [--checkout FOLDER]
archive.py unpack FILE KIT [--checkout FOLDER]

Most of a kit is weights and goldens, several times over, that the checkout has too: ranges of its large files are referred to, the
rest is compressed together. FILE is xz around: u64 bytes of an index, the index (JSON), the bytes that are in no file of the checkout.
"""
import argparse
import hashlib
import json
import lzma
import os
import struct
import sys

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FOLDERS = [os.path.join("models", "tiny-r1"), os.path.join("test", "golden", "Inputs")]
SMALLEST = 64 << 10  # files of the checkout with fewer bytes are not worth a reference
BLOCK = 64           # bytes that must be equal, at a multiple of this in the checkout's files
STEP = 4             # places in a kit's files are tried at multiples of this
WINDOW = 128 << 20   # how far back equal bytes are found


class Checkout:
    """The large files of a checkout as one run of bytes; each begins at a multiple of BLOCK."""

    def __init__(self, root, files=None):
        self.files = []
        parts = []
        for path in files if files is not None else self.list(root):
            with open(os.path.join(root, path), "rb") as file:
                parts.append(file.read())
            self.files.append({"path": path, "sha256": hashlib.sha256(parts[-1]).hexdigest()})
            parts.append(bytes(-len(parts[-1]) % BLOCK))
        self.bytes = b"".join(parts)

    @staticmethod
    def list(root):
        paths = []
        for folder in FOLDERS:
            for place, _, names in os.walk(os.path.join(root, folder)):
                paths += [os.path.relpath(os.path.join(place, name), root) for name in names]
        return sorted(path for path in paths if os.path.getsize(os.path.join(root, path)) >= SMALLEST)


def count_equal(a, i, b, j):
    """How many bytes are equal from a[i] and b[j] on."""
    length, stride = 0, 1 << 20
    while stride:
        piece = a[i + length : i + length + stride]
        if len(piece) == stride and piece == b[j + length : j + length + stride]:
            length += stride
        else:
            stride //= 2
    return length


def find_runs(data, base, index):
    """`data` as runs: (offset in base, bytes), or (-1, bytes) for what is not there."""
    runs, literal, i = [], 0, 0
    end = len(data)
    while i < end:
        at = index.get(data[i : i + BLOCK])
        if at is None:
            i += STEP
            continue
        if i > literal:
            runs.append((-1, i - literal))
        length = count_equal(data, i, base, at)
        runs.append((at, length))
        i += length
        literal = i
        i += -i % STEP
    if end > literal:
        runs.append((-1, end - literal))
    return runs


def pack(kit, path, root):
    checkout = Checkout(root)
    index = {}
    for i in range(0, len(checkout.bytes) - BLOCK + 1, BLOCK):
        index.setdefault(checkout.bytes[i : i + BLOCK], i)
    files, literals = [], []
    for place, folders, names in os.walk(kit):
        folders.sort()
        for name in sorted(names):
            full = os.path.join(place, name)
            with open(full, "rb") as file:
                data = file.read()
            runs, at = find_runs(data, checkout.bytes, index), 0
            for start, length in runs:
                if start < 0:
                    literals.append(data[at : at + length])
                at += length
            files.append({"path": os.path.relpath(full, kit), "executable": os.access(full, os.X_OK), "runs": runs})
    header = json.dumps({"checkout": checkout.files, "files": files}).encode()
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 6, "dict_size": WINDOW}]
    with lzma.open(path + ".new", "wb", filters=filters) as out:
        out.write(struct.pack("<Q", len(header)) + header)
        for piece in literals:
            out.write(piece)
    os.replace(path + ".new", path)
    print(f"{path}: {os.path.getsize(path)} bytes, {sum(map(len, literals))} before compression, "
          f"{sum(length for file in files for start, length in file['runs'] if start >= 0)} in the checkout")


def unpack(path, kit, root):
    with lzma.open(path) as archive:
        size, = struct.unpack("<Q", archive.read(8))
        header = json.loads(archive.read(size))
        checkout = Checkout(root, [file["path"] for file in header["checkout"]])
        for had, has in zip(header["checkout"], checkout.files):
            if had != has:
                raise ValueError(f"'{had['path']}' is not the file that the kit was packed beside: take the same commit")
        for file in header["files"]:
            target = os.path.join(kit, file["path"])
            if os.path.relpath(target, kit) != file["path"] or file["path"].startswith(".."):
                raise ValueError(f"'{file['path']}' is no path inside of a kit")
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with open(target, "wb") as out:
                for start, length in file["runs"]:
                    out.write(archive.read(length) if start < 0 else checkout.bytes[start : start + length])
            os.chmod(target, 0o755 if file["executable"] else 0o644)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("action", choices=["pack", "unpack"])
    parser.add_argument("source")
    parser.add_argument("target")
    parser.add_argument("--checkout", default=SOURCE, help="default: the one that this script is in")
    options = parser.parse_args()
    action = pack if options.action == "pack" else unpack
    try:
        action(options.source, options.target, options.checkout)
    except (OSError, ValueError, lzma.LZMAError, EOFError, struct.error) as error:
        sys.exit(f"archive.py: error: {error}")


main()
