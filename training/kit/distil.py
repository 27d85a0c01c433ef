"""Learning from a teacher's own outputs: its scores and distance distributions at every cell, where its cells are ours.

A teacher is a checkpoint of this kit (.pt, also one that ships), a model exported by this kit, or an ONNX detector of the nanodet family with strides 8, 16, 32 and as many bins as ours (NanoDet-m for
one). Its input is as large as ours, or larger with ours in the middle of it. A checkpoint also gives its pyramid's maps (features.py). Classes that a teacher does not know are not learned from it, so that
an old network can teach the old classes while a new one comes in.

ONNX Runtime runs ONNX teachers (Debian 13: python3-onnxruntime; else PyPI's onnxruntime); checkpoints need nothing more.
"""
import os

import numpy as np
import torch
import yaml
from torch.nn import functional as F

from . import checkpoint
from .feed import MEAN, STD, to_input
from .network import BINS, STRIDES

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


class OnnxTeacher:
    """As CheckpointTeacher, without maps."""

    width = 0

    def __init__(self, settings, classes, width, height):
        """settings: model; and where the model does not say so itself: labels, the teacher's class number of each of our classes; mean, std of its input, in the order of `channels`, bgr or rgb."""
        try:
            import onnxruntime
        except ImportError:
            raise SystemExit("distil: an ONNX teacher needs ONNX Runtime: apt install python3-onnxruntime (Debian 13) or pip install onnxruntime; a checkpoint (.pt) as teacher needs none") from None
        if settings.get("features"):
            raise SystemExit("distil: features can be learned from a checkpoint (.pt) only")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self.session = onnxruntime.InferenceSession(settings["model"], options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its own classes have no common base
            raise SystemExit(f"distil: {settings['model']} cannot be read: {str(error).splitlines()[0][:200]}") from None
        self.wide, self.high = self.session.get_inputs()[0].shape[-1], self.session.get_inputs()[0].shape[-2]
        self.logits = self._described(settings, classes)
        self.width_ours, self.height_ours = width, height
        self.left, self.top = (self.wide - width) // 2, (self.high - height) // 2
        if min(self.left, self.top) < 0 or self.left % STRIDES[-1] or self.top % STRIDES[-1]:
            raise SystemExit(f"distil: the teacher's input of {self.wide} x {self.high} does not hold ours of {width} x {height} on common cells")

    def _described(self, settings, classes):
        """Takes over what a model of this kit says of itself, or what the recipe says; whether scores are logits."""
        text = self.session.get_modelmeta().custom_metadata_map.get("fovea.description")
        if text:
            described = yaml.safe_load(text)
            known, self.mean, self.std, self.flip = {name: n for n, name in enumerate(described["labels"])}, MEAN, STD, False
        else:
            missing = [key for key in ("labels", "mean", "std") if key not in settings]
            if missing:
                raise SystemExit(f"distil: {settings['model']} does not describe itself: the recipe has to give {', '.join(missing)}")
            known, self.mean, self.std = settings["labels"], np.array(settings["mean"], np.float32), np.array(settings["std"], np.float32)
            self.flip = settings.get("channels", "rgb") == "bgr"
        self.numbers = numbers_of(known, classes, settings["model"])
        return bool(text)

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
        feed = ((canvas - self.mean) / self.std).transpose(2, 0, 1)[None]
        rows = []
        for stride, scores, distances in self._pairs(self.session.run(None, {self.session.get_inputs()[0].name: feed.astype(np.float32)})):
            scores = 1 / (1 + np.exp(-scores)) if self.logits else scores
            window = np.concatenate([columns(scores, self.numbers), distances], 1).reshape(self.high // stride, self.wide // stride, -1)
            y, x = self.top // stride, self.left // stride
            rows.append(window[y : y + self.height_ours // stride, x : x + self.width_ours // stride].reshape(-1, window.shape[-1]))
        return np.concatenate(rows).astype(np.float16)


def make(settings, classes, width, height):
    """The teacher of a recipe's `distil:`; it has been asked once when this returns."""
    if not os.path.exists(settings.get("model") or ""):
        raise SystemExit(f"distil: the teacher {settings.get('model')} is not there")
    teacher = (CheckpointTeacher if settings["model"].endswith(".pt") else OnnxTeacher)(settings, classes, width, height)
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
