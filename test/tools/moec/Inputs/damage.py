"""Copies a bundle with one byte in the middle flipped, or with its end cut off: damage.py FROM TO flip|cut."""
import sys

with open(sys.argv[1], "rb") as file:
    data = bytearray(file.read())
if sys.argv[3] == "flip":
    at = next(i for i in range(len(data) // 2, len(data)) if data[i])
    data[at] ^= 1
else:
    del data[-4096:]
with open(sys.argv[2], "wb") as file:
    file.write(data)
