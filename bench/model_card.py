#!/usr/bin/env python3
"""The figures of a model card: how well a detector of street scenes does beside others, and what it costs.

    python3 bench/model_card.py --shared ../shared models/fovea-street/fovea-street.fovea [MORE MODELS…]

Prints Markdown: average precision on the held-out clips (truth: what nanodet_m_320 finds there), on annotated pictures, on the rendered clip that ships, and milliseconds of
one thread, all models in turn in every round, medians over the rounds. The peers' files come from the shared folder. Needs a built `fovea` and nothing else."""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
CLASSES = ["person", "bicycle", "car", "motorcycle", "bus", "truck"]
CLIPS = [("Retail02_short", "person"), ("dashcam01", "car")]
PEERS = ["nanodet_m_320", "yolo-fastestv2", "FastestDet"]


def fovea(options, *arguments):
    environment = {"FOVEA_CONFIG_DIR": str(ROOT / "configs"), **os.environ, "FOVEA_DEVICE": "cpu"}
    done = subprocess.run([options.fovea, *map(str, arguments)], capture_output=True, text=True, env=environment)
    if done.returncode:
        sys.exit(done.stderr.strip())
    return json.loads(done.stdout)


def measure(options, model, *where):
    return fovea(options, "eval", model, "--json", "--device", "cpu", "--threads", options.threads, "--signature", "off", *where)


def row(*cells):
    print("| " + " | ".join(cells) + " |", flush=True)


def head(*cells):
    row(*cells)
    row("---", *["---:"] * (len(cells) - 1))


def number(value):
    return "" if value is None else f"{value:.3f}"


def clips(options, models):
    teacher = options.shared / "models/onnx/nanodet_m_320.onnx"
    print("\nHeld-out clips, AP50 with nanodet_m_320's boxes (score 0.3 or more) as truth:\n")
    head("", *(f"{kind}, {clip}" for clip, kind in CLIPS))
    for model in models:
        if model.stem == teacher.stem:
            continue
        found = [measure(options, model, "--clip", options.shared / f"media/clips/{clip}.mp4", "--truth-model", teacher, "--classes", ",".join(CLASSES)) for clip, _ in CLIPS]
        row(model.name, *(number(f["per_class_ap50"].get(kind)) for f, (_, kind) in zip(found, CLIPS)))


def pictures(options, models):
    coco = options.shared / "media/coco"
    print("\n128 annotated pictures of COCO, never trained on, people's annotations as truth: mean AP of 0.50 to 0.95, AP50, and AP50 by class:\n")
    head("", "mAP", "AP50", *CLASSES)
    for model in models:
        found = measure(options, model, "--images", coco / "images", "--annotations", coco / "instances.json", "--rename", "motorbike=motorcycle", "--classes", ",".join(CLASSES))
        row(model.name, number(found["map"]), number(found["ap50"]), *(number(found["per_class_ap50"].get(name)) for name in CLASSES))


def rendered(options, models):
    print("\nThe rendered clip that ships (media/street.mp4), its own truth, AP50:\n")
    head("", "all", *CLASSES)
    for model in models:
        found = measure(options, model, "--clip", ROOT / "media/street.mp4", "--truth", ROOT / "media/street.json", "--classes", ",".join(CLASSES))
        row(model.name, number(found["ap50"]), *(number(found["per_class_ap50"].get(name)) for name in CLASSES))


def times(options, models):
    taken = {model: [] for model in models}
    for _ in range(options.rounds):
        for model in models:
            found = fovea(options, "bench", model, "--json", "--runs", 40, "--warmup", 5, "--threads", 1, "--device", "cpu", "--signature", "off")
            taken[model].append(found["p50_ms"])
    print(f"\nMilliseconds a picture, one thread, median (best) of {options.rounds} interleaved rounds, and the file's size:\n")
    head("", "ms", "against yolo-fastestv2", "kB")
    base = taken[next(m for m in models if m.stem == "yolo-fastestv2")]
    for model in models:
        ratio = statistics.median(a / b for a, b in zip(taken[model], base))
        row(model.name, f"{statistics.median(taken[model]):.2f} ({min(taken[model]):.2f})", f"{ratio:.2f}", f"{model.stat().st_size / 1000:.0f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", type=pathlib.Path)
    parser.add_argument("--shared", type=pathlib.Path, required=True, help="folder with models/ and media/")
    parser.add_argument("--fovea", default=str(ROOT / "build/tools/fovea"))
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of the measurements of precision")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--only", choices=["clips", "pictures", "rendered", "times"], action="append")
    options = parser.parse_args()
    models = options.models + [options.shared / f"models/onnx/{name}.onnx" for name in PEERS]
    for part in (clips, pictures, rendered, times):
        if not options.only or part.__name__ in options.only:
            part(options, models)


if __name__ == "__main__":
    main()
