"""Pictures and their boxes: folders with images/ and either instances.json (COCO) or labels/*.txt (YOLO) with classes.txt.

Pictures are decoded once and kept in memory, at most `long_side` pixels long."""
import contextlib
import json
import os
import pathlib

import numpy as np
from PIL import Image

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp"}


@contextlib.contextmanager
def opened(path):
    try:
        with Image.open(path) as image:
            yield image
    except OSError as error:
        raise SystemExit(f"{path}: cannot be read as a picture ({error})") from None


class Sample:
    __slots__ = ("path", "boxes", "classes", "weights", "pixels", "scale", "size")

    def __init__(self, path, boxes, classes, weights):
        """boxes: [M, 4] corners in pixels of the file; classes [M]; weights [M], negative: ignore what is there."""
        self.path, self.pixels = path, None
        self.boxes = np.array(boxes, np.float32).reshape(-1, 4)
        self.classes, self.weights = np.array(classes, np.int64), np.array(weights, np.float32)

    def load(self, long_side):
        """[H, W, 3] uint8 and boxes in its pixels."""
        if self.pixels is None:
            with opened(self.path) as image:
                image = image.convert("RGB")
                self.scale = min(1.0, long_side / max(image.size))
                self.size = image.size
                if self.scale < 1:
                    image = image.resize((round(image.width * self.scale), round(image.height * self.scale)), Image.BILINEAR)
                self.pixels = np.asarray(image)
        return self.pixels, self.boxes * self.scale


def read_coco(folder, classes):
    path = folder / "instances.json"
    try:
        document = json.loads(path.read_text())
        names = {c["id"]: c["name"] for c in document["categories"]}
        boxes = {}
        for entry in document["annotations"]:
            if names.get(entry["category_id"]) in classes:
                boxes.setdefault(entry["image_id"], []).append(entry)
        for image in document["images"]:
            mine = boxes.get(image["id"], [])
            corners = [(x, y, x + w, y + h) for x, y, w, h in (entry["bbox"] for entry in mine)]
            weights = [-1.0 if entry.get("iscrowd") else entry.get("score", 1.0) for entry in mine]
            yield Sample(folder / "images" / image["file_name"], corners, [classes.index(names[entry["category_id"]]) for entry in mine], weights)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SystemExit(f"{path}: not a COCO file: needs images, annotations and categories ({type(error).__name__}: {error})") from None


def class_names(folder):
    """classes.txt: a name a line."""
    names = [name.strip() for name in (folder / "classes.txt").read_text().split("\n")]
    while names and not names[-1]:
        names.pop()
    if not names:
        raise SystemExit(f"{folder}/classes.txt: is empty: it holds the class names, one a line")
    return names


def yolo_box(words, names):
    """Class name, and x, y, w, h as shares of the picture."""
    if len(words) < 5:
        raise ValueError(f"{len(words)} of the five numbers 'class x y width height'")
    if not words[0].isdigit():
        raise ValueError(f"'{words[0]}' is no class number: labels have the line of classes.txt, counted from 0")
    if int(words[0]) >= len(names):
        raise ValueError(f"class {words[0]}, but classes.txt has {len(names)} name{'s' if len(names) > 1 else ''}: 0 to {len(names) - 1}")
    values = [float(v) for v in words[1:5]]
    if not all(-0.01 <= v <= 1.01 for v in values) or min(values[2:]) <= 0:
        raise ValueError("x, y, width and height are shares of the picture, 0 to 1, not pixels")
    return names[int(words[0])], values


def read_yolo(folder, classes):
    names = class_names(folder)
    for path in pictures(folder / "images"):
        label, corners, kinds = folder / "labels" / (path.stem + ".txt"), [], []
        with opened(path) as image:
            width, height = image.size
        for number, line in enumerate(label.read_text().split("\n") if label.exists() else []):
            if not line.split():
                continue
            try:
                kind, (x, y, w, h) = yolo_box(line.split(), names)
            except ValueError as error:
                raise SystemExit(f"{label}:{number + 1}: {error}") from None
            if kind in classes:
                corners.append(((x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height))
                kinds.append(classes.index(kind))
        yield Sample(path, corners, kinds, [1.0] * len(kinds))


def labelled_names(folder):
    """Names of the classes that a folder has labels for; [] for bare pictures."""
    if (folder / "instances.json").exists():
        try:
            return [str(category["name"]) for category in json.loads((folder / "instances.json").read_text())["categories"]]
        except (ValueError, KeyError, TypeError) as error:
            raise SystemExit(f"{folder}/instances.json: not a COCO file ({type(error).__name__}: {error})") from None
    if (folder / "classes.txt").exists():
        return class_names(folder)
    if (folder / "labels").is_dir():
        raise SystemExit(f"{folder}: has labels/ but no classes.txt with the class names, one a line, that their numbers count from 0")
    return []


def pictures(folder):
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)


def read_folder(folder, classes):
    """All samples of a folder, in the order of their names; classes that are not asked for are left out."""
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        raise SystemExit(f"{folder}: there is no such folder (paths count from the folder where the command runs)")
    if not (folder / "images").is_dir():
        raise SystemExit(f"{folder}: there is no folder images/ in it")
    names = labelled_names(folder)
    if not names:
        raise SystemExit(f"{folder}: needs instances.json (COCO), or classes.txt and labels/ (YOLO); training/label.py makes them of bare pictures")
    if not (folder / "instances.json").exists() and not (folder / "labels").is_dir():
        raise SystemExit(f"{folder}: there is no folder labels/ in it")
    if not set(names) & set(classes):
        raise SystemExit(f"{folder}: has boxes of {', '.join(names[:8])}, none of the recipe's classes {', '.join(classes)}")
    samples = list((read_coco if (folder / "instances.json").exists() else read_yolo)(folder, classes))
    if not samples:
        raise SystemExit(f"{folder}: there are no pictures in images/ ({', '.join(sorted(SUFFIXES))})")
    return sorted(samples, key=lambda sample: sample.path.name)


class Pool:
    """Sources with shares: draws one at random, then one of its samples."""

    def __init__(self, sources, classes, long_side, apart=()):
        """sources: [{"path", "share" (default: its number of pictures), "every": N (only each N-th picture), "with": [classes] (only pictures that show one of them)}]; apart: sources whose pictures are left out of these."""
        self.long_side, self.lists, shares = long_side, [], []
        kept = {os.path.realpath(source["path"]): source.get("every", 1) for source in apart}
        for source in sources:
            every, out = source.get("every", 1), kept.get(os.path.realpath(source["path"]), 0)
            if out == 1:
                raise SystemExit(f"{source['path']}: all of it is held out: give held-out 'every: 5', or another folder")
            samples = [sample for n, sample in enumerate(read_folder(source["path"], classes)) if n % every == 0 and not (out and n % out == 0)]
            if not samples:
                raise SystemExit(f"{source['path']}: no picture is left to learn from beside those held out")
            if "with" in source:
                wanted = {classes.index(name) for name in source["with"] if name in classes}
                samples = [sample for sample in samples if wanted & set(sample.classes.tolist())]
                if not samples:
                    raise SystemExit(f"{source['path']}: no picture shows {' or '.join(source['with'])}")
            self.lists.append(samples)
            shares.append(float(source.get("share", len(samples))))
        self.shares = np.array(shares) / sum(shares)

    def counts(self, classes):
        """How many boxes there are of every class."""
        kinds = np.concatenate([sample.classes for samples in self.lists for sample in samples])
        return np.bincount(kinds, minlength=classes)

    def __len__(self):
        return sum(len(samples) for samples in self.lists)

    def draw(self, random):
        samples = self.lists[random.choice(len(self.lists), p=self.shares)]
        sample = samples[random.integers(len(samples))]
        pixels, boxes = sample.load(self.long_side)
        return pixels, boxes, sample.classes, sample.weights

    def preload(self, step=lambda done: None):
        done = 0
        for samples in self.lists:
            for sample in samples:
                sample.load(self.long_side)
                done += 1
                step(done)
