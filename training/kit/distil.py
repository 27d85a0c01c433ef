"""Learning from a teacher's own outputs: its scores and distance distributions at every cell, where its cells are ours.

That holds for detectors of the nanodet family with strides 8, 16, 32 and as many bins as ours (NanoDet-m for one). Their input is square; ours lies in the middle of it.
ONNX Runtime runs the teacher (Debian 13: python3-onnxruntime; else PyPI's onnxruntime).
"""
import numpy as np
import torch
from torch.nn import functional as F

from .network import BINS, STRIDES


class DenseTeacher:
    """Called with [H, W, 3] uint8 pixels it gives [N, C + 4 * BINS] float16: scores of our classes, then the distances' logits."""

    def __init__(self, settings, classes, width, height):
        """settings: model; labels: the teacher's class number of each of our classes; mean, std: of its input, in the order of `channels`; channels: bgr or rgb."""
        try:
            import onnxruntime
        except ImportError:
            raise SystemExit("distillation of outputs needs ONNX Runtime: apt install python3-onnxruntime (Debian 13) or pip install onnxruntime") from None
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(settings["model"], options, providers=["CPUExecutionProvider"])
        self.side = self.session.get_inputs()[0].shape[-1]
        self.numbers = [settings["labels"][name] for name in classes]
        self.mean, self.std = np.array(settings["mean"], np.float32), np.array(settings["std"], np.float32)
        self.flip = settings.get("channels", "rgb") == "bgr"
        self.width, self.height = width, height
        self.left, self.top = (self.side - width) // 2, (self.side - height) // 2
        if width > self.side or height > self.side or self.left % STRIDES[-1] or self.top % STRIDES[-1]:
            raise SystemExit(f"the teacher's input of {self.side} does not hold ours of {width} x {height} on common cells")
        self.names = [o.name for o in self.session.get_outputs()]

    def __call__(self, pixels):
        canvas = np.zeros((self.side, self.side, 3), np.float32)
        canvas[self.top : self.top + self.height, self.left : self.left + self.width] = pixels[:, :, ::-1] if self.flip else pixels
        feed = ((canvas - self.mean) / self.std).transpose(2, 0, 1)[None]
        outputs = {o.shape[1:]: o[0] for o in self.session.run(None, {self.session.get_inputs()[0].name: feed})}
        rows = []
        for stride in STRIDES:
            grid = self.side // stride
            scores, distances = (next(o for shape, o in outputs.items() if shape[0] == grid * grid and (shape[1] == 4 * BINS) == wide) for wide in (False, True))
            window = np.concatenate([scores[:, self.numbers], distances], 1).reshape(grid, grid, -1)
            y, x = self.top // stride, self.left // stride
            rows.append(window[y : y + self.height // stride, x : x + self.width // stride].reshape(-1, window.shape[-1]))
        return np.concatenate(rows).astype(np.float16)


def distillation_loss(logits, distances, teacher):
    """logits [B, N, C], distances [B, N, 4, BINS]; teacher [B, N, C + 4 * BINS]. Scores: cross entropy, weighted by how far apart both are; distances: the divergence of the
    distributions, where the teacher sees something."""
    kinds = logits.shape[-1]
    wanted = teacher[..., :kinds].clamp(0, 1)
    sure = wanted.amax(-1)
    total = (sure * (sure > 0.1)).sum().clamp(min=1.0)
    apart = (logits.detach().sigmoid() - wanted).abs().pow(2.0)
    scores = (F.binary_cross_entropy_with_logits(logits, wanted, reduction="none") * apart).sum() / total * 4.0
    where = sure > 0.15
    spread = F.kl_div(distances[where].log_softmax(-1), teacher[..., kinds:].reshape(distances.shape)[where].softmax(-1), reduction="none").sum(-1).mean(-1)
    return scores + 0.5 * (spread * sure[where]).sum() / total
