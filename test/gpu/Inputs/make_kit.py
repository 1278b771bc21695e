"""make_kit.py FOLDER: a checkout with one file of weights, and a kit that has them at a place that is found and at one that is not."""
import os
import random
import sys

folder = sys.argv[1]


def write(path, *parts):
    path = os.path.join(folder, path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(b"".join(parts))
    return path


weights, program = random.Random(1).randbytes(1000001), random.Random(2).randbytes(200000)
write("checkout/test/golden/Inputs/m/model.safetensors", weights)
write("kit/models/bundle", b"four", weights, b"end")
write("kit/models/odd", b"odd", weights[4096:], b"end")
write("kit/empty")
write("kit/bin/one", program)
os.chmod(write("kit/bin/two", program), 0o755)
