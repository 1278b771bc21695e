"""Copies a one-file checkpoint and spoils it: spoil_checkpoint.py FROM TO FAULT."""
import json
import pathlib
import shutil
import struct
import sys

source, target, fault = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3]
shutil.rmtree(target, ignore_errors=True)
target.mkdir(parents=True)
for name in ["config.json", "generation_config.json", "model.safetensors"]:
    shutil.copy(source / name, target / name)
weights = target / "model.safetensors"
data = weights.read_bytes()
(length,) = struct.unpack("<Q", data[:8])
header, body = json.loads(data[8 : 8 + length]), data[8 + length :]
config = json.loads((target / "config.json").read_text())


def some(suffix):
    return next(name for name in sorted(header) if name.endswith(suffix))


def put_header():
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    weights.write_bytes(struct.pack("<Q", len(text)) + text + body)


def rename(suffix):
    header[some(suffix) + ".gone"] = header.pop(some(suffix))
    put_header()


def scale_shape():
    entry = header[some("o_proj.weight_scale_inv")]
    entry["shape"] = [1, entry["shape"][0] * entry["shape"][1]]
    put_header()


def scale_value():
    global body
    begin = header[some("o_proj.weight_scale_inv")]["data_offsets"][0]
    body = body[:begin] + struct.pack("<f", float("nan")) + body[begin + 4 :]
    put_header()


def set_config(**changes):
    config.update(changes)
    (target / "config.json").write_text(json.dumps(config))


{
    "truncated": lambda: weights.write_bytes(data[:-100]),
    "lying-length": lambda: weights.write_bytes(struct.pack("<Q", 1 << 40) + data[8:]),
    "missing-tensor": lambda: rename("o_proj.weight"),
    "missing-scale": lambda: rename("o_proj.weight_scale_inv"),
    "scale-shape": scale_shape,
    "scale-nan": scale_value,
    "model-type": lambda: set_config(model_type="unheard_of"),
    "quant-method": lambda: set_config(quantization_config={"quant_method": "gptq", "bits": 4}),
    "unknown-key": lambda: set_config(sliding_window=512),
    "no-weights": weights.unlink,
}[fault]()
