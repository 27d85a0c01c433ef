"""Learning from a teacher's own outputs: its scores and distance distributions at every cell, where its cells are ours.

A teacher is a checkpoint of this kit (.pt, also one that ships), or a model that the engine runs: of this kit, or another of the nanodet family with strides 8, 16, 32 and as many bins as ours (NanoDet-m
for one). Its input is as large as ours, or larger with ours in the middle of it. A checkpoint also gives its pyramid's maps (features.py), and so does an ONNX file when it is told what they are called.
Classes that a teacher does not know are not learned from it, so that an old network can teach the old classes while a new one comes in.
"""
import json
import os

import numpy as np
import torch
from torch.nn import functional as F

from . import checkpoint
from .engine import Engine
from .feed import to_input
from .network import BINS, STRIDES
from .teacher import fovea

UNKNOWN = -1.0  # the score of a class that the teacher does not know


def numbers_of(known, classes, model):
    """The teacher's number of each of our classes, or None."""
    numbers = [known.get(name) for name in classes]
    if all(number is None for number in numbers):
        raise SystemExit(f"distil: {model} knows none of {', '.join(classes)}, but {', '.join(list(known)[:8])}")
    return numbers


def columns(scores, numbers):
    """[…, K] scores of the teacher's classes -> […, C] of ours."""
    return np.stack([np.full(scores.shape[:-1], UNKNOWN, np.float32) if n is None else scores[..., n] for n in numbers], -1)


class CheckpointTeacher:
    """Called with [H, W, 3] uint8 pixels it gives [N, C + 4 * BINS + width] float16: scores of our classes, the distances' logits, and, where asked for, the pyramid's maps."""

    def __init__(self, settings, classes, width, height):
        self.network, self.with_maps = checkpoint.load_network(settings["model"]), bool(settings.get("features"))
        known = checkpoint.read(settings["model"])["recipe"]["classes"]
        self.numbers = numbers_of({name: n for n, name in enumerate(known)}, classes, settings["model"])
        self.width = self.network.plan.neck if self.with_maps else 0

    @torch.no_grad()
    def __call__(self, pixels):
        maps = self.network.features(to_input(torch.from_numpy(np.ascontiguousarray(pixels))[None]))
        rows = []
        for part, (scores, distances) in zip(maps, self.network.read(maps)):
            kinds = [scores.sigmoid(), distances] + ([part] if self.with_maps else [])
            scores, *others = (kind[0].flatten(1).T.numpy() for kind in kinds)
            rows.append(np.concatenate([columns(scores, self.numbers), *others], 1))
        return np.concatenate(rows).astype(np.float16)


class ModelTeacher:
    """As CheckpointTeacher, of a model that the engine runs. maps: the ONNX graph's names of the pyramid's maps, one a stride."""

    def __init__(self, settings, classes, width, height):
        """settings: model (.onnx or .fovea), of which the engine knows labels and preprocessing; features and maps."""
        maps = settings.get("maps", [])
        if bool(settings.get("features")) != bool(maps) or maps and len(maps) != len(STRIDES):
            raise SystemExit(f"distil: features of a model are learned from its maps: name {len(STRIDES)} values of its graph under maps, one for each of the strides {STRIDES}")
        self.engine = Engine(settings["model"], maps)
        self.map_count = len(maps)
        self.wide, self.high = self.engine.input.shape[-1], self.engine.input.shape[-2]
        self.logits = self._described(settings["model"], classes)
        self.width_ours, self.height_ours = width, height
        self.left, self.top = (self.wide - width) // 2, (self.high - height) // 2
        if min(self.left, self.top) < 0 or self.left % STRIDES[-1] or self.top % STRIDES[-1]:
            raise SystemExit(f"distil: the teacher's input of {self.wide} x {self.high} does not hold ours of {width} x {height} on common cells")
        outputs = self.engine(np.zeros(self.engine.input.shape, np.float32))
        self.width = outputs[-1].shape[1] if maps else 0

    def _described(self, path, classes):
        """Takes over what `fovea inspect` tells of the model; whether scores are logits."""
        told = json.loads(fovea("inspect", "--json", "--device", "cpu", path))
        if told["family"] != "nanodet":
            raise SystemExit(f"distil: {path} is of the family {told['family']}: outputs are learned from models of the family nanodet")
        pre = told["preprocess"]
        self.numbers = numbers_of({name: n for n, name in enumerate(told["labels"])}, classes, path)
        self.mean, self.scale, self.flip = np.array(pre["mean"], np.float32), np.array(pre["scale"], np.float32), pre["channels"] == "bgr"
        return told["score_activation"] == "sigmoid"

    def _pairs(self, outputs):
        """Per stride its scores and distances, told apart by their shapes; scores come first."""
        for stride in STRIDES:
            cells = (self.wide // stride) * (self.high // stride)
            mine = [o[0] for o in outputs if o.ndim == 3 and o.shape[1] == cells]
            if len(mine) != 2 or mine[1].shape[1] != 4 * BINS:
                raise SystemExit(f"distil: the teacher has no scores and {4 * BINS} distances at stride {stride}: it is not of the nanodet family with {BINS} bins")
            yield stride, mine[0], mine[1]

    def __call__(self, pixels):
        canvas = np.zeros((self.high, self.wide, 3), np.float32)
        canvas[self.top : self.top + self.height_ours, self.left : self.left + self.width_ours] = pixels[:, :, ::-1] if self.flip else pixels
        outputs = self.engine(((canvas - self.mean) * self.scale).transpose(2, 0, 1)[None])
        count, rows = len(outputs) - self.map_count, []
        for n, (stride, scores, distances) in enumerate(self._pairs(outputs[:count])):
            scores = 1 / (1 + np.exp(-scores)) if self.logits else scores
            kinds = [columns(scores, self.numbers), distances]
            if self.map_count:
                kinds.append(outputs[count + n][0].reshape(self.width, -1).T)
            window = np.concatenate(kinds, 1).reshape(self.high // stride, self.wide // stride, -1)
            y, x = self.top // stride, self.left // stride
            rows.append(window[y : y + self.height_ours // stride, x : x + self.width_ours // stride].reshape(-1, window.shape[-1]))
        return np.concatenate(rows).astype(np.float16)


def make(settings, classes, width, height):
    """The teacher of a recipe's `distil:`; it has been asked once when this returns."""
    if not os.path.exists(settings.get("model") or ""):
        raise SystemExit(f"distil: the teacher {settings.get('model')} is not there")
    teacher = (CheckpointTeacher if settings["model"].endswith(".pt") else ModelTeacher)(settings, classes, width, height)
    teacher(np.zeros((height, width, 3), np.uint8))
    return teacher


def distillation_loss(logits, distances, teacher):
    """logits [B, N, C], distances [B, N, 4, BINS]; teacher [B, N, C + 4 * BINS]. Scores: cross entropy, weighted by how far apart both are; distances: the divergence of the
    distributions, where the teacher sees something."""
    kinds = logits.shape[-1]
    known = teacher[..., :kinds] != UNKNOWN
    wanted = teacher[..., :kinds].clamp(0, 1)
    sure = wanted.amax(-1)
    total = (sure * (sure > 0.1)).sum().clamp(min=1.0)
    apart = (logits.detach().sigmoid() - wanted).abs().pow(2.0) * known
    scores = (F.binary_cross_entropy_with_logits(logits, wanted, reduction="none") * apart).sum() / total * 4.0
    where = sure > 0.15
    spread = F.kl_div(distances[where].log_softmax(-1), teacher[..., kinds : kinds + 4 * BINS].reshape(distances.shape)[where].softmax(-1), reduction="none").sum(-1).mean(-1)
    return scores + 0.5 * (spread * sure[where]).sum() / total
