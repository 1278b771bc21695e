"""Time against tokens of each FP8 product: ours, the bound, and the peers."""
import os

import peers
import svg


def read_time(megabytes, reads):
    """Microseconds of a plain read, between the sizes that were measured; None outside of them."""
    sizes = sorted((float(size), us) for size, us in reads.items())
    for (low, before), (high, after) in zip(sizes, sizes[1:]):
        if low <= megabytes <= high:
            return before + (after - before) * (megabytes - low) / (high - low)
    return None


def find_series(shape, rows, then, ceilings):
    """`rows` of one shape, by tokens."""
    cublas, reads = ceilings.get("cublaslt_row", {}), ceilings.get("read_microseconds", {})
    tokens = sorted(rows)
    deepgemm = [(m, peers.scale(rows[m], then["fp8"][shape][str(m)]["deepgemm"], then, ceilings))
                for m in tokens if str(m) in then["fp8"].get(shape, {})]
    scaled = "this run's pace" if cublas else "another day"
    return [("ours", [(m, rows[m]["microseconds"]) for m in tokens], False),
            (f"DeepGEMM ({scaled})", deepgemm, False),
            ("cuBLASLt, a scale a row (less work)", [(m, cublas.get(f"{shape} {m}")) for m in tokens], False),
            ("bound: bytes or flops", [(m, rows[m]["bound_microseconds"]) for m in tokens], True),
            ("a plain read of as many bytes", [(m, read_time(rows[m]["bytes"] * 1e-6, reads)) for m in tokens], True)]


def write(results, folder):
    """One file a shape; returns their names. `results` is what run.py --json writes."""
    then, ceilings = peers.read(), results["ceilings"]
    shapes = {}
    for row in results["rows"]:
        key = peers.split_name(row["name"])
        if key and row["pass"]:
            shapes.setdefault(key[0], {})[int(key[1])] = row
    os.makedirs(folder, exist_ok=True)
    names = []
    for shape, rows in shapes.items():
        where = f"{ceilings.get('device', 'device not known')}, {ceilings.get('date', 'date not known')}; E4M3, 1x128 by 128x128 scales"
        text = svg.chart(f"FP8 product, N x K = {shape.replace('x', ' x ')}", where, "tokens (M)", "microseconds",
                         find_series(shape, rows, then, ceilings))
        names.append(f"fp8-{shape}.svg")
        with open(os.path.join(folder, names[-1]), "w") as file:
            file.write(text)
    return names
