#!/usr/bin/env python3
"""moec-kernel-test of a package that bench-plots.test makes: prints the package's text."""
import sys

sys.stdout.write(open(sys.argv[1]).read())
