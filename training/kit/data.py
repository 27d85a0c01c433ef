"""Pictures and their boxes: folders with images/ and either instances.json (COCO) or labels/*.txt (YOLO) with classes.txt.

Pictures are decoded once and kept in memory, at most `long_side` pixels long."""
import json
import pathlib

import numpy as np
from PIL import Image

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp"}


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
            with Image.open(self.path) as image:
                image = image.convert("RGB")
                self.scale = min(1.0, long_side / max(image.size))
                self.size = image.size
                if self.scale < 1:
                    image = image.resize((round(image.width * self.scale), round(image.height * self.scale)), Image.BILINEAR)
                self.pixels = np.asarray(image)
        return self.pixels, self.boxes * self.scale


def read_coco(folder, classes):
    document = json.loads((folder / "instances.json").read_text())
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


def read_yolo(folder, classes):
    names = (folder / "classes.txt").read_text().split("\n")
    for path in sorted((folder / "images").iterdir()):
        if path.suffix.lower() not in SUFFIXES:
            continue
        with Image.open(path) as image:
            width, height = image.size
        label, corners, kinds = folder / "labels" / (path.stem + ".txt"), [], []
        for number, line in enumerate(label.read_text().split("\n") if label.exists() else []):
            words = line.split()
            if not words:
                continue
            try:
                kind, (x, y, w, h) = names[int(words[0])].strip(), (float(v) for v in words[1:5])
            except (ValueError, IndexError):
                raise SystemExit(f"{label}:{number + 1}: expected 'class x y width height', class below {len(names)}, the rest 0 to 1") from None
            if kind in classes:
                corners.append(((x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height))
                kinds.append(classes.index(kind))
        yield Sample(path, corners, kinds, [1.0] * len(kinds))


def read_folder(folder, classes):
    """All samples of a folder; classes that are not asked for are left out."""
    folder = pathlib.Path(folder)
    if not (folder / "images").is_dir():
        raise SystemExit(f"{folder}: there is no folder images/ in it")
    if (folder / "instances.json").exists():
        return list(read_coco(folder, classes))
    if (folder / "classes.txt").exists():
        return list(read_yolo(folder, classes))
    raise SystemExit(f"{folder}: needs instances.json (COCO) or classes.txt and labels/ (YOLO)")


class Pool:
    """Sources with shares: draws one at random, then one of its samples."""

    def __init__(self, sources, classes, long_side):
        """sources: [{"path", "share" (default: its number of pictures)}]."""
        self.long_side, self.lists, shares = long_side, [], []
        for source in sources:
            samples = read_folder(source["path"], classes)
            if samples:
                self.lists.append(samples)
                shares.append(float(source.get("share", len(samples))))
        if not self.lists:
            raise SystemExit("there are no pictures to train on")
        self.shares = np.array(shares) / sum(shares)

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
