"""Boxes from a teacher: any detector that `fovea detect` reads."""
import json
import os
import pathlib
import shutil
import subprocess
import tempfile

from PIL import Image, ImageOps


def find_fovea():
    """The command: $FOVEA, the build tree beside this kit, or the PATH."""
    built = pathlib.Path(__file__).resolve().parents[2] / "build/tools/fovea"
    command = os.environ.get("FOVEA") or (str(built) if built.exists() else "fovea")
    found = shutil.which(command)
    if not found:
        raise SystemExit(f"the command {command} is not there: build it (ninja -C build), or set FOVEA to where it is")
    return found


def fovea(*words):
    """Runs a command; what it prints."""
    configs = pathlib.Path(__file__).resolve().parents[2] / "configs"
    done = subprocess.run([find_fovea(), *map(str, words)], capture_output=True, text=True, env={"FOVEA_CONFIG_DIR": str(configs), **os.environ})
    if done.returncode != 0:
        raise SystemExit(done.stderr.strip() or f"fovea {words[0]} ended with {done.returncode}")
    return done.stdout


def detect(teacher, path, threshold, threads=1):
    """[{"label", "score", "box": (x, y, w, h)}] of one picture."""
    said = fovea("detect", "--quiet", "--device", "cpu", "--threads", threads, "--threshold", threshold, "--model", teacher, "--json", "-", path)
    return [{"label": o["detection"]["label"], "score": o["detection"]["confidence"], "box": (o["x"], o["y"], o["w"], o["h"])} for o in json.loads(said)["objects"]]


def overlap(a, b):
    """Of two boxes x, y, w, h."""
    w = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    h = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    inner = max(w, 0) * max(h, 0)
    return inner / (a[2] * a[3] + b[2] * b[3] - inner + 1e-9)


def look_twice(teacher, path, threshold):
    """Detects in the picture and in its mirror image; the mean of what both see, and what one sees at three quarters of its score."""
    straight = detect(teacher, path, threshold)
    with Image.open(path) as image, tempfile.NamedTemporaryFile(suffix=".png") as file:
        width = image.width
        ImageOps.mirror(image.convert("RGB")).save(file.name, compress_level=1)
        mirrored = detect(teacher, file.name, threshold)
    for thing in mirrored:
        x, y, w, h = thing["box"]
        thing["box"] = (width - x - w, y, w, h)
    found = []
    for thing in straight:
        pair = max((m for m in mirrored if m["label"] == thing["label"]), key=lambda m: overlap(m["box"], thing["box"]), default=None)
        if pair is not None and overlap(pair["box"], thing["box"]) > 0.5:
            mirrored.remove(pair)
            box = tuple((a + b) / 2 for a, b in zip(thing["box"], pair["box"]))
            found.append({**thing, "box": box, "score": (thing["score"] + pair["score"]) / 2})
        else:
            found.append({**thing, "score": thing["score"] * 0.75})
    return found + [{**m, "score": m["score"] * 0.75} for m in mirrored]
