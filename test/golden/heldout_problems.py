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
import tempfile


def ask(bundle, questions):
    """The answers, in order, from one process: loading a bundle costs more than an answer."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("".join(question + "\n" for question in questions))
        file.flush()
        command = ["moec-run", "generate", bundle, "--chats", file.name, "--max-new-tokens", "120", "--threads", "1"]
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: exit status {done.returncode}\n{done.stderr}")
    return [json.loads(line)["answer"] for line in done.stdout.splitlines()]


def is_right(expected, answer):
    return expected in re.findall(r"[A-Za-z]+|-?\d+", answer)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("bundle")
    parser.add_argument("problems")
    parser.add_argument("--at-least", type=float, required=True)
    options = parser.parse_args()
    with open(options.problems) as file:
        problems = json.load(file)
    # As many processes as processors, each with a part of the questions.
    parts = [problems[first :: os.cpu_count()] for first in range(os.cpu_count())]
    with concurrent.futures.ThreadPoolExecutor(len(parts)) as pool:
        answers = list(pool.map(lambda part: ask(options.bundle, [problem["question"] for problem in part]), parts))
    pairs = [pair for part, said in zip(parts, answers) for pair in zip(part, said, strict=True)]
    right = sum(is_right(problem["expected"], answer) for problem, answer in pairs)
    share = 100 * right / len(problems)
    print(f"{right} of {len(problems)} right, {share:.1f} %")
    if share < options.at_least:
        sys.exit(f"expected at least {options.at_least} %")


main()
