"""A network as ONNX, with its description (docs/models.md) among the metadata, so that it needs no other file."""
import os

import torch
from torch import nn

from . import protobuf
from .feed import MEAN, STD
from .network import BINS, STRIDES


class Exported(nn.Module):
    """Outputs as the nanodet family has them: per stride scores [1, h * w, C], then distances [1, h * w, 4 * BINS]."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x):
        outputs = self.network(x)
        rows = [part.permute(0, 2, 3, 1).reshape(1, -1, part.shape[1]) for kind in zip(*outputs) for part in kind]
        return tuple(rows)


def description(recipe):
    """What the engine has to know."""
    scores = [f"scores_{s}" for s in STRIDES]
    distances = [f"distances_{s}" for s in STRIDES]
    names = ", ".join(f'"{name}"' for name in recipe["classes"])
    return f"""name: {recipe['name']}
family: nanodet
classes: {len(recipe['classes'])}
labels: [{names}]
threshold: {recipe['threshold']}
iou-threshold: 0.5
preprocess: {{resize: letterbox, pad: 114, channels: rgb, mean: {MEAN:g}, std: {STD:g}}}
head:
  strides: {list(STRIDES)}
  bins: {BINS}
  score-activation: sigmoid
  outputs: [{', '.join(scores + distances)}]
"""


def write(network, recipe, path):
    """network: with its normalisations or without, quantised or not; written whole or not at all."""
    width, height = recipe["input"]
    names = [f"{kind}_{s}" for kind in ("scores", "distances") for s in STRIDES]
    part = str(path) + ".part"
    torch.onnx.export(Exported(network).eval(), torch.zeros(1, 3, height, width), part, opset_version=13, input_names=["images"], output_names=names)
    with open(part, "ab") as file:
        file.write(protobuf.metadata("fovea.description", description(recipe)))
    os.replace(part, path)
