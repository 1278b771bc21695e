"""on_terminal.py COMMAND...: runs a command whose standard output is a
terminal, and prints what it wrote with escapes spelled out."""
import os
import pty
import subprocess
import sys

master, slave = pty.openpty()
process = subprocess.Popen(sys.argv[1:], stdout=slave)
os.close(slave)
output = b""
while True:
    try:
        piece = os.read(master, 65536)
    except OSError:  # the other side is closed
        break
    if not piece:
        break
    output += piece
print(ascii(output.decode("utf-8", "replace")))
sys.exit(process.wait())
