"""Asks a bundle of tiny-r1 the held-out problems and counts the right answers.

heldout_problems.py BUNDLE heldout_problems.json --at-least PERCENT

An answer is right when the expected number or word stands, whole, in what follows </think>.
"""
import argparse
import concurrent.futures
import json
import os
import re
import subprocess
import sys


def ask(bundle, question):
    command = ["moec-run", "generate", bundle, "--chat", question, "--max-new-tokens", "120", "--threads", "1"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: exit status {done.returncode}\n{done.stderr}")
    return done.stdout


def is_right(expected, output):
    answer = output.rsplit("</think>", 1)[-1]
    return expected in re.findall(r"[A-Za-z]+|-?\d+", answer)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("bundle")
    parser.add_argument("problems")
    parser.add_argument("--at-least", type=float, required=True)
    options = parser.parse_args()
    with open(options.problems) as file:
        problems = json.load(file)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        outputs = list(pool.map(lambda problem: ask(options.bundle, problem["question"]), problems))
    right = sum(is_right(problem["expected"], output) for problem, output in zip(problems, outputs))
    share = 100 * right / len(problems)
    print(f"{right} of {len(problems)} right, {share:.1f} %")
    if share < options.at_least:
        sys.exit(f"expected at least {options.at_least} %")


main()
