"""check_logits.py FILE POSITIONS VOCAB [IDS]: FILE is a safetensors file with
one float32 tensor `logits` [POSITIONS, VOCAB]; IDS (comma separated) are the
arg maxima of its last rows, lower index first on ties."""
import json
import struct
import sys

path, positions, vocab = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
data = open(path, "rb").read()
(length,) = struct.unpack("<Q", data[:8])
header = json.loads(data[8 : 8 + length])
entry = header["logits"]
assert list(header) == ["logits"], header
assert entry["dtype"] == "F32" and entry["shape"] == [positions, vocab], entry
assert entry["data_offsets"] == [0, positions * vocab * 4], entry
assert len(data) == 8 + length + positions * vocab * 4, len(data)
values = struct.unpack("<%df" % (positions * vocab), data[8 + length :])
assert all(v == v for v in values), "NaN"
if len(sys.argv) > 4:
    ids = [int(i) for i in sys.argv[4].split(",")]
    for back, token in enumerate(reversed(ids)):
        row = values[(positions - 1 - back) * vocab :][:vocab]
        best = max(range(vocab), key=lambda i: (row[i], -i))
        assert best == token, (back, best, token)
print("logits ok")
