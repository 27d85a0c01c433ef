"""Batches. Sample i of a run depends on the seed and i alone, so a run that is resumed goes on with what it would have seen."""
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from .augment import Augment, letterbox
from .data import Pool
from .paste import Paste

MEAN, STD = 128.0, 64.0  # input = (pixel - MEAN) / STD
MOST = 100               # boxes of a picture


class Feed(Dataset):
    """teacher(pixels) -> array, asked for pictures of sources with `distil: true`."""

    def __init__(self, recipe, first, last, make_teacher=None):
        """first, last: numbers of the run's first sample and of that behind its last."""
        self.first, self.length = first, last - first
        self.width, self.height = recipe["input"]
        self.seed, self.settings = recipe["seed"], recipe["augment"]
        self.paste = Paste(recipe["paste"], recipe["classes"]) if recipe["paste"] else None
        groups = [[s for s in recipe["data"] if bool(s.get("distil", False)) == wanted] for wanted in (False, True)]
        self.pools = [Pool(group, recipe["classes"], recipe["long-side"], recipe["held-out"]) if group else None for group in groups]
        sizes = [sum(s["share"] for s in group) if all("share" in s for s in group) else len(pool) if pool else 0 for group, pool in zip(groups, self.pools)]
        self.distilled = sizes[1] / sum(sizes)
        self.make_teacher, self.teacher = make_teacher, None

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        """A sample; or, since a worker cannot end the run, what is wrong."""
        try:
            return self._sample(index)
        except SystemExit as error:
            return str(error)

    def _sample(self, index):
        random = np.random.default_rng([self.seed, self.first + index])
        distil = bool(random.random() < self.distilled)
        pool = self.pools[distil]
        pixels, boxes, classes, weights = Augment(self.width, self.height, random, self.settings, self.paste)(lambda: pool.draw(random))
        if self.make_teacher and self.teacher is None:
            self.teacher = self.make_teacher()  # once in every worker
        return pixels, boxes, classes, weights, self.teacher(pixels) if self.teacher and distil else None


def collate(samples):
    """pixels [B, H, W, 3] uint8, boxes [B, M, 4], classes [B, M], weights [B, M], teacher: [B, N, K] and which samples have one, or None."""
    wrong = [s for s in samples if isinstance(s, str)]
    if wrong:
        return wrong[0]
    most = max(1, min(MOST, max(len(s[2]) for s in samples)))
    pixels = torch.from_numpy(np.stack([s[0] for s in samples]))
    boxes, classes = torch.zeros(len(samples), most, 4), torch.full((len(samples), most), -1, dtype=torch.long)
    weights = torch.zeros(len(samples), most)
    for n, (_, b, c, w, _) in enumerate(samples):
        count = min(len(c), most)
        boxes[n, :count], classes[n, :count], weights[n, :count] = map(torch.from_numpy, (b[:count], c[:count], w[:count]))
    taught = [n for n, s in enumerate(samples) if s[4] is not None]
    teacher = (torch.tensor(taught), torch.from_numpy(np.stack([samples[n][4] for n in taught])).float()) if taught else None
    return pixels, boxes, classes, weights, teacher


def to_input(pixels):
    """[B, H, W, 3] uint8 -> [B, 3, H, W] as the exported network gets it."""
    return ((pixels.float() - MEAN) / STD).permute(0, 3, 1, 2)


def batches(samples, recipe):
    """Of a Feed or a CachedFeed."""
    workers = recipe["workers"]
    ahead = {"prefetch_factor": 4} if workers else {}  # with no worker, PyTorch 2 refuses any
    for batch in DataLoader(samples, recipe["batch"], collate_fn=collate, num_workers=workers, worker_init_fn=lambda _: torch.set_num_threads(1), **ahead):
        if isinstance(batch, str):
            raise SystemExit(batch)
        yield batch


def plain(pool, width, height):
    """Every picture of a pool as the engine would see it: pixels, boxes, classes, weights."""
    for samples in pool.lists:
        for sample in samples:
            pixels, boxes = sample.load(pool.long_side)
            pixels, boxes = letterbox(pixels, boxes, width, height)
            yield pixels, boxes, sample.classes, sample.weights
