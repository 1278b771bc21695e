"""limit_file_size.py BYTES COMMAND...: runs a command that can write no file
beyond BYTES, as on a full disk."""
import os
import resource
import sys

limit = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
os.execvp(sys.argv[2], sys.argv[2:])
