"""Reads F32 and I64 tensors of a safetensors file with Python's own modules."""
import array
import json
import struct


class Tensors:
    def __init__(self, path):
        with open(path, "rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            self.header = json.loads(file.read(length))
            self.data = file.read()
        self.header.pop("__metadata__", None)

    def __contains__(self, name):
        return name in self.header

    def flat(self, name):
        entry = self.header[name]
        begin, end = entry["data_offsets"]
        values = array.array({"F32": "f", "I64": "q"}[entry["dtype"]])
        values.frombytes(self.data[begin:end])
        return values

    def rows(self, name):
        flat = self.flat(name)
        columns = self.header[name]["shape"][-1]
        return [flat[i : i + columns] for i in range(0, len(flat), columns)]


def relative_error(actual, expected):
    """L2 norm of the difference over that of `expected`, over all rows."""
    if [len(row) for row in actual] != [len(row) for row in expected]:
        raise ValueError(f"shapes differ: {len(actual)} rows, expected {len(expected)}")
    errors = squares = 0.0
    for a_row, e_row in zip(actual, expected):
        for a, e in zip(a_row, e_row):
            errors += (a - e) ** 2
            squares += e * e
    return (errors / squares) ** 0.5
