"""Counts the launches of a decode step's layers in a plan.

launch_counts.py PLAN --program decode_1 --layer 5 --at-most 10

PLAN is the text of `moec compile --emit plan`. A launch that begins in one layer and ends in the next (a sum with the
next norm behind it) belongs to the layer that its label names first.
"""
import argparse
import re


def count(plan, program, layer):
    """The labels of the program's launches that belong to the layer."""
    body = plan.split("plan.program @%s " % program, 1)
    if len(body) < 2:
        raise SystemExit("the plan has no program @%s" % program)
    labels = []
    for line in body[1].splitlines():
        if "plan.program" in line:
            break
        label = re.search(r'plan\.launch @(\S+)\(.* label "([^"]*)"', line)
        if label and re.match(r"(\w+\.)*layers\.%d\b" % layer, label.group(2)):
            labels.append((label.group(1), label.group(2)))
    return labels


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("plan")
    parser.add_argument("--program", default="decode_1")
    parser.add_argument("--layer", type=int, required=True)
    parser.add_argument("--at-most", type=int, required=True)
    options = parser.parse_args()
    with open(options.plan, encoding="utf-8") as file:
        launches = count(file.read(), options.program, options.layer)
    for kernel, label in launches:
        print("%-60s %s" % (kernel, label))
    print("%d launches" % len(launches))
    if not 0 < len(launches) <= options.at_most:
        raise SystemExit("expected 1 to %d launches" % options.at_most)


if __name__ == "__main__":
    main()
