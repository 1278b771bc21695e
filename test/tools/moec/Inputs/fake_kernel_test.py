#!/usr/bin/env python3
"""moec-kernel-test for machines without a GPU: each case takes a microsecond less than the one before it, the last 1.

With FAKE_ONCE in the environment, the name of a file that is made by the first run, later runs fail.
"""
import json
import os
import re
import sys

once = os.environ.get("FAKE_ONCE")
if once:
    if os.path.exists(once):
        sys.exit("no GPU")
    open(once, "w").close()
names = re.findall(rb'"name":"(#kern.schedule<[^"]*>)"', open(sys.argv[1], "rb").read())
assert names and sys.argv[2] == "--json", sys.argv
json.dump([{"name": name.decode(), "pass": True, "microseconds": len(names) - i} for i, name in enumerate(names)], sys.stdout)
