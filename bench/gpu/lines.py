"""Sums of the table: what the ratios of each family of kernels are to be."""
import math

# (what, the beginnings of its groups' names, the mean that it must have, the one that is wanted, what no case may be below)
LINES = [("FP8 products, M = 1 and 16", "fp8-few", 1.2, 1.45, 0.95),
         ("FP8 products, M = 64 to 256", "fp8-some", 1.0, 1.15, None),
         ("FP8 products, M = 1024 and 4096", "fp8-many", 0.97, 1.04, None),
         ("grouped FP8, 8 and 32 groups of 1 to 256 rows", "grouped-few-", 0.95, 1.05, None),
         ("grouped FP8, 8x1024, 8x4096 and 4x8192 rows", "grouped-many-", 0.90, 1.03, None),
         ("MLA decode", "mla-", 0.85, 1.05, None),
         ("MLA decode, batch 1", "mla-1x", 0.85, 1.5, None),
         ("rows and router", "rows-", 1.0, 1.2, None)]


def judge(mean, least, floor, goal, lowest):
    if mean < floor or least < (lowest or 0):
        return "BELOW"
    return "goal" if mean >= goal else "floor"


def describe(rows):
    """A line of text for each of LINES that `rows` (with "group" and "ratio", which is None without a time) have."""
    for what, prefix, floor, goal, lowest in LINES:
        chosen = [row for row in rows if row["group"].startswith(prefix)]
        ratios = [row["ratio"] for row in chosen if row["ratio"]]
        if not ratios:
            continue
        mean, least = math.exp(sum(map(math.log, ratios)) / len(ratios)), min(ratios)
        at = next(row["name"] for row in chosen if row["ratio"] == least)
        wanted = f"{floor:.2f} / {goal:.2f}" + (f", none below {lowest:.2f}" if lowest else "")
        missing = "" if len(ratios) == len(chosen) else f", {len(chosen) - len(ratios)} NOT TIMED"
        yield (f"  {what:<46} {len(ratios):>3} {mean:6.2f} {least:6.2f}  {judge(mean, least, floor, goal, lowest):<5} "
               f"({wanted})  least: {at}{missing}")
