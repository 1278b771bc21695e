#!/usr/bin/env python3
"""Compares a long prompt that a bundle reads at once with the same prompt in pieces.

long_prompts.py BUNDLE --lengths 300,1000 --piece 100 --tolerance E [--library libmoert.so] [--seed S]

The logits after the last token must be within E (relative L2 error) of each other: two programs, with other kernels, and
rows of the cache that one of them has just computed and the other has read. Tokens are random.
"""
import argparse
import ctypes
import random
import sys

from safetensors import relative_error


class Feed(ctypes.Structure):
    _fields_ = [("sequence", ctypes.c_int32), ("tokens", ctypes.POINTER(ctypes.c_int32)), ("count", ctypes.c_size_t)]


class SessionParams(ctypes.Structure):
    _fields_ = [("max_sequences", ctypes.c_uint32), ("cache_tokens", ctypes.c_uint64)]


class Session:
    def __init__(self, library, bundle):
        self.library = ctypes.CDLL(library)
        self.library.moert_last_error.restype = ctypes.c_char_p
        self.library.moert_vocab_size.restype = ctypes.c_uint32
        self.library.moert_max_context.restype = ctypes.c_uint32
        self.model, self.session = ctypes.c_void_p(), ctypes.c_void_p()
        self.check(self.library.moert_open(bundle.encode(), None, ctypes.byref(self.model)))
        self.vocabulary = self.library.moert_vocab_size(self.model)
        self.context = self.library.moert_max_context(self.model)
        params = SessionParams(1, 0)
        self.check(self.library.moert_session_create(self.model, ctypes.byref(params), ctypes.byref(self.session)))

    def check(self, status):
        if status != 0:
            sys.exit(self.library.moert_last_error().decode())

    def read(self, tokens, piece):
        """Logits after the last of `tokens`, fed in pieces to a new sequence."""
        sequence, logits = ctypes.c_int32(), ctypes.POINTER(ctypes.c_float)()
        self.check(self.library.moert_sequence_add(self.session, ctypes.byref(sequence)))
        for begin in range(0, len(tokens), piece):
            part = (ctypes.c_int32 * len(tokens[begin:begin + piece]))(*tokens[begin:begin + piece])
            feed = Feed(sequence, part, len(part))
            self.check(self.library.moert_step(self.session, ctypes.byref(feed), ctypes.c_size_t(1),
                                               ctypes.byref(logits)))
        self.check(self.library.moert_sequence_remove(self.session, sequence))
        return [logits[i] for i in range(self.vocabulary)]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("bundle")
    parser.add_argument("--lengths", required=True, type=lambda text: [int(n) for n in text.split(",")])
    parser.add_argument("--piece", type=int, required=True)
    parser.add_argument("--tolerance", type=float, required=True)
    parser.add_argument("--library", default="libmoert.so")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    session, generator, good = Session(options.library, options.bundle), random.Random(options.seed), True
    if max(options.lengths) > session.context:
        sys.exit(f"{options.bundle} has a context of {session.context} tokens, --lengths wants {max(options.lengths)}")
    for length in options.lengths:
        tokens = [generator.randrange(session.vocabulary) for _ in range(length)]
        error = relative_error([session.read(tokens, length)], [session.read(tokens, options.piece)])
        print(f"{length} tokens at once and in pieces of {options.piece}: relative L2 error {error:.2e}", flush=True)
        good = good and error <= options.tolerance  # false for NaN
    sys.exit(0 if good else 1)


main()
