#!/usr/bin/env python3
"""Labels pictures or a clip with a teacher's boxes, beside those that are there already.

    python3 training/label.py --teacher nanodet_m_320.onnx --output build/data/gate gate.mp4 --every 0.5
    python3 training/label.py --teacher nanodet_m_320.onnx --output build/data/cars cars/ --rename Car=car,Bus=bus,Ambulance=truck

The output folder gets images/ and instances.json. The teacher is any detector that `fovea detect` runs. What it is sure of (--sure) becomes a box whose score stands beside it;
what it only suspects becomes a region that training ignores. A folder with labels/ and classes.txt (YOLO) or instances.json (COCO) keeps its own boxes, and the teacher adds what they leave out."""
import argparse
import collections
import concurrent.futures
import os
import pathlib
import shutil
import subprocess
import sys

from PIL import Image

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from kit.data import SUFFIXES, labelled_names, pictures, read_folder
from kit.progress import Progress
from kit.render.actors import CLASSES
from kit.teacher import look_twice, overlap
from kit.truth import Coco


def renaming(text):
    pairs = [pair.split("=") for pair in text.split(",")]
    if any(len(pair) != 2 for pair in pairs):
        raise argparse.ArgumentTypeError(f"takes own=class,own=class, not '{text}'")
    return dict(pairs)


def extract(clip, folder, every, long_side):
    """Frames of a clip as JPEG files."""
    caps = f"video/x-raw,framerate={max(1, round(1000 / every))}/1000" if every else "video/x-raw"
    scale = f"videoscale add-borders=false ! video/x-raw,width=[1,{long_side}],height=[1,{long_side}],pixel-aspect-ratio=1/1"
    line = f"filesrc location={clip} ! decodebin ! videoconvert ! videorate ! {caps} ! {scale} ! jpegenc quality=90 ! multifilesink location={folder}/{clip.stem}-%05d.jpg"
    if subprocess.run(["gst-launch-1.0", "-q", *line.split()]).returncode != 0:
        sys.exit(f"label.py: {clip} cannot be read")


def gather(options, images):
    """Fills the folder of pictures; the boxes that are known already, by file name, and their classes."""
    known, own, taken = {}, set(), {}
    for source in map(pathlib.Path, options.input):
        if source.is_file():
            extract(source, images, options.every, options.long_side)
            continue
        if not source.is_dir():
            sys.exit(f"label.py: {source}: there is no such folder or clip")
        inner = source / "images" if (source / "images").is_dir() else source
        found = pictures(inner)
        if not found:
            sys.exit(f"label.py: {inner}: there are no pictures in it ({', '.join(sorted(SUFFIXES))})")
        for path in found:
            if path.name in taken:
                sys.exit(f"label.py: two pictures are named {path.name}: in {taken[path.name]} and in {inner}")
            taken[path.name] = inner
            shutil.copy(path, images / path.name)
        names = labelled_names(source)
        for sample in read_folder(source, names) if names else []:
            own.update(options.rename.get(names[c], names[c]) for c in sample.classes)
            boxes = [tuple(float(v) for v in (b[0], b[1], b[2] - b[0], b[3] - b[1])) for b in sample.boxes]
            known[sample.path.name] = [{"label": options.rename.get(names[c], names[c]), "box": b, "ignore": w < 0} for c, b, w in zip(sample.classes, boxes, sample.weights)]
    return known, sorted(own)


def label_one(path, options, known):
    objects = [thing for thing in known if thing["label"] in options.classes]
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
    parser.add_argument("--classes", help=f"classes that are kept (default: {','.join(CLASSES)}, and those of your own labels)")
    parser.add_argument("--rename", type=renaming, default={}, metavar="OWN=CLASS,…", help="what your labels call otherwise")
    parser.add_argument("--every", type=float, default=0, help="seconds between frames of a clip; 0: every frame")
    parser.add_argument("--long-side", type=int, default=1280, help="frames of clips are scaled to this at most")
    parser.add_argument("--sure", type=float, default=0.35, help="score from which a box counts (default %(default)s)")
    parser.add_argument("--suspect", type=float, default=0.2, help="score from which a region is ignored (default %(default)s)")
    parser.add_argument("--skip-every", type=int, default=0, help="leave out every N-th picture, in the order of names, for evaluation")
    parser.add_argument("--only-every", type=int, default=0, help="take nothing but every N-th picture")
    options = parser.parse_args()
    output = pathlib.Path(options.output)
    images = output / "images"
    images.mkdir(parents=True, exist_ok=True)
    known, own = gather(options, images)
    options.classes = options.classes.split(",") if options.classes else list(dict.fromkeys([*CLASSES, *own]))
    unwanted = sorted(set(own) - set(options.classes))
    if unwanted:
        print(f"label.py: your boxes of {', '.join(unwanted)} are left out, as --classes has it", file=sys.stderr)
    paths = pictures(images)
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
    counts = collections.Counter(options.classes[entry["category_id"] - 1] for entry in truth.annotations if not entry["iscrowd"])
    print(f"{output}: {len(paths)} pictures, boxes: {', '.join(f'{name} {count}' for name, count in counts.most_common()) or 'none'}", file=sys.stderr)


if __name__ == "__main__":
    main()
