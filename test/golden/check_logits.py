"""Fails unless a logits file holds finite numbers of sensible size: check_logits.py FILE."""
import math
import sys

from safetensors import Tensors

logits = Tensors(sys.argv[1]).flat("logits")
if not all(math.isfinite(value) for value in logits):
    sys.exit("a logit is not finite")
mean = sum(logits) / len(logits)
deviation = (sum((value - mean) ** 2 for value in logits) / len(logits)) ** 0.5
print(f"mean {mean:.3f}, standard deviation {deviation:.3f}")
if not 0.1 < deviation < 10:
    sys.exit("the logits' standard deviation is not within 0.1 and 10")
