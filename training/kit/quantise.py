"""Quantisation-aware training: the network computes with the grid that the engine will compute on.

Weights: 8 bits, symmetric, a scale per output channel; biases: 32 bits. Activations: 8 bits with a zero point, a scale per tensor, followed while the first part of the run goes by and kept
then. Normalisations are folded into the convolutions first, so start from a trained network (`start-from:`) with a small rate.

`quantise:` of a recipe: {observe: share of the run in which ranges are followed (default 0.5)}

The export has QuantizeLinear and DequantizeLinear where the grid is, which the engine runs in integers: its results are within one step of these.
"""
import numpy as np
import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from .network import Block, Depthwise, Detector, Pointwise

MOMENTUM = 0.02


def on_grid(x, scale, zero, low, high):
    """x rounded to whole steps from the zero point, as QuantizeLinear has it; its gradient is that of the cut alone. scale: a number, or [O, 1, 1, 1]."""
    kept = x.clamp((low - zero) * scale, (high - zero) * scale) if isinstance(scale, float) else torch.minimum(torch.maximum(x, low * scale), high * scale)
    rounded = (((x / scale).round() + zero).clamp(low, high) - zero) * scale
    return kept + (rounded - kept).detach()


class Activation(nn.Module):
    """Follows a tensor's range and rounds it to the grid."""

    def __init__(self):
        super().__init__()
        self.register_buffer("low", torch.zeros(()))
        self.register_buffer("high", torch.zeros(()))
        self.following = True

    def grid(self):
        """Scale and zero point of 0..255 over a range that holds zero exactly."""
        scale = float(np.float32(max(float(self.high.float() - self.low.float()) / 255, 1e-8)))  # as the file will have it
        return scale, int(min(max(round(-float(self.low) / scale), 0), 255))

    def forward(self, x):
        if self.training and self.following:
            low, high = x.detach().min().clamp(max=0), x.detach().max().clamp(min=0)
            first = float(self.high) == float(self.low)
            keep = 0.0 if first else 1 - MOMENTUM
            self.low.mul_(keep).add_(low * (1 - keep))
            self.high.mul_(keep).add_(high * (1 - keep))
        if torch.onnx.is_in_onnx_export():
            return torch.fake_quantize_per_tensor_affine(x, *self.grid(), 0, 255)
        return on_grid(x, *self.grid(), 0, 255)


class Convolution(nn.Conv2d):
    """Its weights are on the grid, and its bias on that of the 32-bit sums: the input's step times the weights'."""
    source = ()  # the Activation that its input comes from; in a tuple, so that it is not taken for a part

    def forward(self, x):
        raw, plain = self.weight.float(), self.bias.float()  # the grid is that of binary32 whatever is computed in, as the file has it: a weight may lie half-way
        scale = raw.detach().abs().amax((1, 2, 3)).clamp(min=1e-8) / 127
        if torch.onnx.is_in_onnx_export():
            scale = torch.tensor(scale.tolist())  # a constant of the file, not something to compute
            weight = torch.fake_quantize_per_channel_affine(raw, scale, torch.zeros_like(scale, dtype=torch.int32), 0, -128, 127)
        else:
            weight = on_grid(raw, scale[:, None, None, None], 0, -128, 127)
        step = scale * self.source[0].grid()[0]
        bias = plain + ((plain / step).round() * step - plain).detach()
        if torch.onnx.is_in_onnx_export():
            bias = torch.tensor(bias.tolist())
        return self._conv_forward(x, weight.to(x.dtype), bias.to(x.dtype))


def fold(convolution, normalisation):
    """Convolution and normalisation as one convolution on the grid."""
    folded = Convolution(convolution.in_channels, convolution.out_channels, convolution.kernel_size, convolution.stride, convolution.padding, groups=convolution.groups)
    weight, bias = convolution.weight, convolution.bias
    if normalisation is not None:
        weight, bias = fuse_conv_bn_weights(weight, bias, normalisation.running_mean, normalisation.running_var, normalisation.eps, normalisation.weight, normalisation.bias)
    folded.weight, folded.bias = nn.Parameter(weight.detach().clone()), nn.Parameter(bias.detach().clone())
    return folded


def insert(network):
    """Folds, and puts the grid behind everything that the engine keeps in 8 bits."""
    for part in list(network.modules()):
        if isinstance(part, (Pointwise, Depthwise)) or part is network.stem:
            part[0], part[1] = fold(part[0], part[1]), nn.Identity()
            part[2] = nn.Sequential(part[2], Activation())
    for part in list(network.modules()):
        if isinstance(part, Block) and part.residual:
            part.activation = nn.Sequential(part.activation, Activation())
    for head in network.heads:
        head.scores, head.distances = (nn.Sequential(fold(layer, None), Activation()) for layer in (head.scores, head.distances))
    network.input_grid = Activation()
    network.sum_grids = nn.ModuleList(Activation() for _ in range(2))
    connect(network)
    return network


def connect(network):
    """Tells every convolution whose output it reads."""
    def grid(part):
        return part[2][1]

    network.stem[0].source = (network.input_grid,)
    last = grid(network.stem)
    for n, stage in enumerate(network.stages):
        for block in stage:
            block.depthwise[0].source, block.pointwise[0].source = (last,), (grid(block.depthwise),)
            last = block.activation[1] if block.residual else grid(block.pointwise)
        if n > 0:
            network.lateral[n - 1][0].source = (last,)
    for head, before in zip(network.heads, [*network.sum_grids, grid(network.lateral[2])]):
        head.depthwise[0].source, head.pointwise[0].source = (before,), (grid(head.depthwise),)
        head.again[0].source = (grid(head.pointwise),)
        head.scores[0].source = head.distances[0].source = (grid(head.again),)


class Quantised(Detector):
    """A Detector on the grid."""

    @classmethod
    def of(cls, network):
        network = insert(network)
        network.__class__ = cls
        return network

    def features(self, x):
        x, maps = self.stages[0](self.stem(self.input_grid(x))), []
        for stage, lateral in zip(self.stages[1:], self.lateral):
            x = stage(x)
            maps.append(lateral(x))
        for n in (1, 0):
            maps[n] = self.sum_grids[n](maps[n] + nn.functional.interpolate(maps[n + 1], scale_factor=2.0, mode="nearest"))
        return maps


def make(network, recipe):
    """The network of a run: on the grid where the recipe says so."""
    return Quantised.of(network) if recipe["quantise"] is not None else network


def follow(network, recipe, step):
    """Ranges are followed in the first part of the run."""
    if recipe["quantise"] is None:
        return
    following = step < float(recipe["quantise"].get("observe", 0.5)) * recipe["steps"]
    for part in network.modules():
        if isinstance(part, Activation):
            part.following = following
