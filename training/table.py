#!/usr/bin/env python3
"""What pruning, distilling and integers cost: trains one network in every way on a small setting (training/recipes/small), and measures what comes out.

    python3 training/table.py                      # from the root of the source; some minutes a run; again: goes on where it stopped
    python3 training/table.py --seeds 2            # every run twice, for how far the figures vary

Everything lies under build/table, where the recipes look for it: a folder per run, table.md and table.csv. AP is that of `fovea eval` on rendered pictures of another seed, milliseconds are those of
`fovea bench` on one thread: the median of rounds in which all models take turns, so that whatever else the machine does meets them all."""
import argparse
import csv
import json
import os
import pathlib
import statistics
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from kit import checkpoint
from kit.progress import Progress
from kit.teacher import fovea

HERE, OUTPUT = pathlib.Path(__file__).resolve().parent, pathlib.Path("build/table")
RUNS = {
    "dense": "dense, which the others begin as", "longer": "dense, as long again", "distilled": "distilled", "gradual": "50 % zeros, gradually", "n-m": "2:4 zeros",
    "structured": "50 % fewer parameters, channels removed", "structured-distilled": "the same, distilled", "quantised": "trained on the int8 grid",
}
COLUMNS = ("AP50", "AP", "parameters", "nonzero", ".onnx", ".fovea", "ms", "AP50 int8", ".fovea int8", "ms int8")


def folder_of(name, seed):
    return OUTPUT / (name if seed == 1 else f"{name}-seed{seed}")


def train(name, seed, threads):
    """All of a run, or what is missing of it."""
    words = [sys.executable, HERE / "train.py", "--config", HERE / f"recipes/small/{name}.yaml", "--output", folder_of(name, seed), "--threads", str(threads)]
    if seed != 1:
        words += ["--set", f"seed={seed}"]
    if subprocess.run(words, env={**os.environ, "PYTHONWARNINGS": "ignore"}).returncode != 0:
        sys.exit(f"table.py: {name} did not end well")


def precision(model, seen={}):
    """AP50 and AP in hundredths."""
    if model not in seen:
        said = json.loads(fovea("eval", "--json", "--device", "cpu", "--threads", 1, "--classes", "person,car", "--images", OUTPUT / "held/images", "--annotations", OUTPUT / "held/instances.json", model))
        seen[model] = 100 * said["ap50"], 100 * said["map"]
    return seen[model]


def compress(folder, name):
    """The model without loss, and in integers: a model trained on the grid already is."""
    model, plain, integer = folder / f"{name}.onnx", folder / f"{name}.fovea", folder / f"{name}-int8.fovea"
    fovea("compress", "--decode-ms=-1", "-o", plain, model)
    if name == "quantised":
        return plain, plain
    fovea("compress", "--decode-ms=-1", "--threads", 1, "--calibrate", OUTPUT / "pictures/images", "--pictures", 64, "--measure", 0, "-o", integer, model)
    return plain, integer


def bench(models, rounds):
    """Median milliseconds of each."""
    times, progress = {model: [] for model in models}, Progress(rounds, "timing")
    for n in range(rounds):
        for model in models:
            times[model].append(json.loads(fovea("bench", "--json", "--device", "cpu", "--threads", 1, "--runs", 50, model))["p50_ms"])
        progress.step(n + 1)
    return {model: statistics.median(values) for model, values in times.items()}


def measure(runs, rounds):
    """A row of figures per run and seed."""
    rows, files, progress = {}, {}, Progress(len(runs), "measuring")
    for done, (name, seed) in enumerate(runs, 1):
        folder = folder_of(name, seed)
        model, (plain, integer) = folder / f"{name}.onnx", compress(folder, name)
        weights = list(checkpoint.load_network(folder / "best.pt").parameters())
        ap50, ap = precision(model)
        rows[name, seed] = {"AP50": ap50, "AP": ap, "parameters": sum(w.numel() for w in weights), "nonzero": sum(int((w != 0).sum()) for w in weights),
                            ".onnx": model.stat().st_size, ".fovea": plain.stat().st_size, "AP50 int8": precision(integer)[0], ".fovea int8": integer.stat().st_size}
        files[name, seed] = model, integer
        progress.step(done)
    first = {run: pair for run, pair in files.items() if run[1] == 1}  # weights' values do not matter to time
    times = bench(sorted({model for pair in first.values() for model in pair}), rounds)
    for (name, seed), row in rows.items():
        row["ms"], row["ms int8"] = (times[model] for model in files[name, 1])
    return rows


def shown(column, values):
    mean = statistics.mean(values)
    text = f"{mean:,.0f}" if mean >= 1000 else f"{mean:.2f}" if "ms" in column else f"{mean:.1f}"
    return text + (f" ± {statistics.stdev(values):.1f}" if len(values) > 1 and column.startswith("AP") else "")


def verdict(mean):
    """What distillation brings back of what structured pruning loses, against the network that learned as long."""
    lost, back = mean["longer"] - mean["structured"], mean["structured-distilled"] - mean["structured"]
    if lost <= 0:
        return "Structured pruning loses no AP50 here."
    return f"Structured pruning loses {lost:.1f} points of AP50 against the dense network that learned as long; distillation brings back {back:.1f} of them, {100 * back / lost:.0f} %."


def write(rows, seeds):
    with open(OUTPUT / "table.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, ["run", "seed", *COLUMNS])
        writer.writeheader()
        writer.writerows({"run": name, "seed": seed, **row} for (name, seed), row in rows.items())
    lines = ["| | " + " | ".join(COLUMNS) + " |", "|---" * (len(COLUMNS) + 1) + "|"]
    lines += [f"| {text} | " + " | ".join(shown(c, [rows[name, s][c] for s in seeds_of(name, seeds)]) for c in COLUMNS) + " |" for name, text in RUNS.items()]
    mean = {name: statistics.mean(rows[name, s]["AP50"] for s in seeds_of(name, seeds)) for name in RUNS}
    text = "\n".join([*lines, "", verdict(mean), ""])
    (OUTPUT / "table.md").write_text(text)
    print(text)


def seeds_of(name, seeds):
    return range(1, 2 if name == "dense" else seeds + 1)  # all seeds begin with the same dense network


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=1, help="runs of each kind (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=7, help="of timing (default %(default)s)")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="for training (default: one per core)")
    options = parser.parse_args()
    runs = [(name, seed) for name in RUNS for seed in seeds_of(name, options.seeds)]
    for n, (name, seed) in enumerate(runs, 1):
        print(f"run {n} of {len(runs)}: {RUNS[name]}" + (f", seed {seed}" if seed > 1 else ""), file=sys.stderr)
        train(name, seed, options.threads)
    write(measure(runs, options.rounds), options.seeds)


if __name__ == "__main__":
    main()
