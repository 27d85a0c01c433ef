"""Pictures drawn once, with what the teacher says of them, and then looked at again and again through windows.

Drawing and asking the teacher cost more than learning from a picture. A cache of pictures larger than the network's input is made once; every look is a window of the input's size at another place, on whole
cells of the coarsest stride, so that the teacher's words can be cut out with it.
"""
import json
import pathlib

import numpy as np
from torch.utils.data import DataLoader, Dataset

from .augment import cut
from .feed import Feed
from .network import STRIDES
from .progress import Progress

KEYS = ("classes", "data", "held-out", "long-side", "seed", "augment", "paste", "distil", "cache")  # what a cache depends on


def first(samples):
    return samples[0]


class Cache:
    """recipe["cache"]: {path: FOLDER, samples: N, canvas: [width, height], window: [width, height] (default: the input), plain: share of looks at
    pictures that no teacher was asked about (default: as many as there are)}."""

    def __init__(self, recipe, make_teacher=None):
        self.folder, self.count = pathlib.Path(recipe["cache"]["path"]), recipe["cache"]["samples"]
        self.width, self.height = recipe["cache"]["canvas"]
        self.described = json.loads(json.dumps({key: recipe[key] for key in KEYS}))
        for key in ("window", "plain"):
            self.described["cache"].pop(key, None)
        note = self.folder / "cache.json"
        if not note.exists():
            self._make(recipe, make_teacher)
        told = json.loads(note.read_text())
        if told["recipe"] != self.described:
            differ = sorted(key for key in KEYS if told["recipe"].get(key) != self.described[key])
            raise SystemExit(f"{self.folder}: made for another recipe ({', '.join(differ)}): remove it, or give cache another path")
        self.columns = told["columns"]
        self.pixels = np.load(self.folder / "pixels.npy", mmap_mode="r")
        self.words = np.load(self.folder / "words.npy", mmap_mode="r") if self.columns else None
        with np.load(self.folder / "truth.npz") as truth:
            self.boxes, self.classes, self.weights, self.ends, self.taught = (truth[name] for name in ("boxes", "classes", "weights", "ends", "taught"))

    def _make(self, recipe, make_teacher):
        self.folder.mkdir(parents=True, exist_ok=True)
        feed = Feed({**recipe, "input": [self.width, self.height]}, 0, self.count, make_teacher)
        pixels = np.lib.format.open_memmap(self.folder / "pixels.npy", "w+", np.uint8, (self.count, self.height, self.width, 3))
        words, boxes, classes, weights, ends, taught = None, [], [], [], [], []
        progress = Progress(self.count, "drawing pictures")
        for n, sample in enumerate(DataLoader(feed, 1, collate_fn=first, num_workers=2)):
            if isinstance(sample, str):
                raise SystemExit(sample)
            pixels[n] = sample[0]
            if sample[4] is not None:
                if words is None:
                    words = np.lib.format.open_memmap(self.folder / "words.npy", "w+", np.float16, (self.count, *sample[4].shape))
                words[n] = sample[4]
            taught.append(sample[4] is not None)
            boxes.append(sample[1].reshape(-1, 4)), classes.append(sample[2]), weights.append(sample[3])
            ends.append(len(sample[2]) + (ends[-1] if ends else 0))
            progress.step(n + 1)
        np.savez(self.folder / "truth.npz", boxes=np.concatenate(boxes), classes=np.concatenate(classes), weights=np.concatenate(weights), ends=ends, taught=taught)
        (self.folder / "cache.json").write_text(json.dumps({"recipe": self.described, "columns": 0 if words is None else words.shape[-1]}))

    def look(self, n, left, top, width, height):
        """Picture n through a window: pixels, boxes, classes, weights, and the teacher's words or None."""
        begin, end = (self.ends[n - 1] if n else 0), self.ends[n]
        boxes, classes, weights = cut(self.boxes[begin:end], self.classes[begin:end], self.weights[begin:end], left, top, left + width, top + height)
        words, rows, start = None, [], 0
        if self.words is not None and self.taught[n]:
            for stride in STRIDES:
                wide, high = self.width // stride, self.height // stride
                part = self.words[n, start : start + wide * high].reshape(high, wide, -1)
                start += wide * high
                y, x = top // stride, left // stride
                rows.append(part[y : y + height // stride, x : x + width // stride].reshape(-1, self.columns))
            words = np.concatenate(rows)
        return self.pixels[n, top : top + height, left : left + width], boxes - np.float32([left, top, left, top]), classes, weights, words


def window(recipe):
    """Width and height of what training sees: of a cache's windows, which may be smaller than the network's input in the end, for more steps."""
    return (recipe["cache"] or {}).get("window", recipe["input"])


class CachedFeed(Dataset):
    def __init__(self, recipe, start, stop, cache):
        self.cache, self.start, self.length, self.seed = cache, start, stop - start, recipe["seed"]
        self.width, self.height = window(recipe)
        self.kinds = [np.nonzero(cache.taught == kind)[0] for kind in (False, True)]
        self.plain = recipe["cache"].get("plain", 1 - cache.taught.mean())

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        random, cache, cell = np.random.default_rng([self.seed, 1, self.start + index]), self.cache, STRIDES[-1]
        taught = int(random.random() >= self.plain)
        kind = self.kinds[taught] if len(self.kinds[taught]) else self.kinds[1 - taught]
        n = kind[random.integers(len(kind))]
        left, top = (int(cell * random.integers((large - small) // cell + 1)) for large, small in ((cache.width, self.width), (cache.height, self.height)))
        return cache.look(n, left, top, self.width, self.height)
