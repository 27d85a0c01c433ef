#!/usr/bin/env python3
"""Labels pictures or a clip with a teacher's boxes, beside those that are there already.

    python3 training/label.py --teacher nanodet_m_320.onnx --output build/data/gate gate.mp4 --every 0.5
    python3 training/label.py --teacher nanodet_m_320.onnx --output build/data/cars cars/ --rename Car=car,Bus=bus,Ambulance=truck

The output folder gets images/ and instances.json. The teacher is any detector that `fovea detect` runs. What it is sure of (--sure) becomes a box whose score stands beside it;
what it only suspects becomes a region that training ignores. A folder with labels/ and classes.txt (YOLO) keeps its own boxes, and the teacher adds what they leave out."""
import argparse
import concurrent.futures
import os
import pathlib
import shutil
import subprocess
import sys

from PIL import Image

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from kit.data import SUFFIXES, read_yolo
from kit.progress import Progress
from kit.render.actors import CLASSES
from kit.teacher import look_twice, overlap
from kit.truth import Coco


def extract(clip, folder, every, long_side):
    """Frames of a clip as JPEG files."""
    caps = f"video/x-raw,framerate={max(1, round(1000 / every))}/1000" if every else "video/x-raw"
    scale = f"videoscale add-borders=false ! video/x-raw,width=[1,{long_side}],height=[1,{long_side}],pixel-aspect-ratio=1/1"
    line = f"filesrc location={clip} ! decodebin ! videoconvert ! videorate ! {caps} ! {scale} ! jpegenc quality=90 ! multifilesink location={folder}/{clip.stem}-%05d.jpg"
    if subprocess.run(["gst-launch-1.0", "-q", *line.split()]).returncode != 0:
        sys.exit(f"label.py: {clip} cannot be read")


def gather(options, images):
    """Fills the folder of pictures; what is known of them already, by file name."""
    known = {}
    for source in map(pathlib.Path, options.input):
        if source.is_file():
            extract(source, images, options.every, options.long_side)
            continue
        inner = source / "images" if (source / "images").is_dir() else source
        for path in sorted(inner.iterdir()):
            if path.suffix.lower() in SUFFIXES:
                shutil.copy(path, images / path.name)
        if (source / "classes.txt").exists():
            names = [name.strip() for name in (source / "classes.txt").read_text().split("\n")]
            for sample in read_yolo(source, names):
                known[sample.path.name] = [(names[c], tuple(float(v) for v in (b[0], b[1], b[2] - b[0], b[3] - b[1]))) for c, b in zip(sample.classes, sample.boxes)]
    return known


def label_one(path, options, known):
    rename = dict(pair.split("=") for pair in options.rename.split(",") if pair)
    objects = [{"label": rename.get(name, name), "box": box} for name, box in known if rename.get(name, name) in options.classes]
    added = []
    for thing in look_twice(options.teacher, path, options.suspect):
        if thing["score"] >= options.suspect and thing["label"] in options.classes and all(overlap(thing["box"], other["box"]) <= 0.5 for other in objects):
            added.append({**thing, "score": min(1.0, 0.4 + thing["score"]), "ignore": thing["score"] < options.sure})
    with Image.open(path) as image:
        return path.name, image.size, objects + added


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("input", nargs="+", help="folder of pictures, or clip")
    parser.add_argument("--teacher", required=True, help="detector: .onnx or .fovea")
    parser.add_argument("--output", required=True, help="folder that is made")
    parser.add_argument("--classes", default=",".join(CLASSES), help="classes that are kept (default: %(default)s)")
    parser.add_argument("--rename", default="", help="own label=class, …")
    parser.add_argument("--every", type=float, default=0, help="seconds between frames of a clip; 0: every frame")
    parser.add_argument("--long-side", type=int, default=1280, help="frames of clips are scaled to this at most")
    parser.add_argument("--sure", type=float, default=0.35, help="score from which a box counts (default %(default)s)")
    parser.add_argument("--suspect", type=float, default=0.2, help="score from which a region is ignored (default %(default)s)")
    parser.add_argument("--skip-every", type=int, default=0, help="leave out every N-th picture, in the order of names, for evaluation")
    parser.add_argument("--only-every", type=int, default=0, help="take nothing but every N-th picture")
    options = parser.parse_args()
    options.classes = options.classes.split(",")
    output = pathlib.Path(options.output)
    images = output / "images"
    images.mkdir(parents=True, exist_ok=True)
    known = gather(options, images)
    paths = sorted(path for path in images.iterdir() if path.suffix.lower() in SUFFIXES)
    if options.skip_every or options.only_every:
        keep = [p for n, p in enumerate(paths) if (n % (options.only_every or options.skip_every) == 0) == bool(options.only_every)]
        for path in set(paths) - set(keep):
            path.unlink()
        paths = keep
    truth, progress = Coco(options.classes), Progress(len(paths), "labelling")
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for done, (name, size, objects) in enumerate(pool.map(lambda p: label_one(p, options, known.get(p.name, [])), paths), 1):
            truth.picture(name, *size, objects)
            progress.step(done)
    truth.save(str(output / "instances.json"))


if __name__ == "__main__":
    main()
