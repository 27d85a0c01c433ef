"""The fovea-n, fovea-s and fovea-m detectors.

Depthwise-separable convolutions with ReLU and residual sums, a top-down feature pyramid that adds instead of concatenating, and per stride one small head with class scores
and the four distances to the box's sides as distributions (Li et al., Generalized Focal Loss, 2020). All of it runs on channels-last tiles without a copy, and in integers.

A network is built from a plan of widths, so that channels removed by pruning are really gone: Plan says how wide every layer is.
"""
import copy
from dataclasses import dataclass, field

import torch
from torch import nn

STRIDES = (8, 16, 32)
BINS = 8  # length of a distance's distribution, in strides 0 to 7


@dataclass
class Plan:
    stem: int
    stages: list          # per stage (strides 4, 8, 16, 32): width of every block
    neck: int
    heads: list = field(default_factory=lambda: [0, 0, 0])  # width of each stride's head; 0: as the neck
    classes: int = 6


PLANS = {
    "fovea-n": Plan(12, [[24], [48, 48], [80, 80, 80], [128, 128]], 48),
    "fovea-s": Plan(16, [[32], [64, 64], [128, 128, 128, 128], [208, 208]], 64),
    "fovea-m": Plan(24, [[48], [96, 96], [192, 192, 192, 192, 192], [320, 320]], 96),
}


def convolution(inputs, outputs, kernel, stride=1, groups=1):
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)


class Pointwise(nn.Sequential):
    def __init__(self, inputs, outputs, activation=True):
        super().__init__(convolution(inputs, outputs, 1), nn.BatchNorm2d(outputs), nn.ReLU() if activation else nn.Identity())


class Depthwise(nn.Sequential):
    def __init__(self, width, kernel=3, stride=1):
        super().__init__(convolution(width, width, kernel, stride, width), nn.BatchNorm2d(width), nn.ReLU())


class Block(nn.Module):
    """Depthwise 3x3, pointwise; the input is added where shapes allow."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.depthwise = Depthwise(inputs, 3, stride)
        self.residual = stride == 1 and inputs == outputs
        self.pointwise = Pointwise(inputs, outputs, not self.residual)
        self.activation = nn.ReLU() if self.residual else nn.Identity()

    def forward(self, x):
        y = self.pointwise(self.depthwise(x))
        return self.activation(x + y) if self.residual else y


class Head(nn.Module):
    def __init__(self, inputs, width, classes):
        super().__init__()
        self.depthwise, self.pointwise = Depthwise(inputs, 5), Pointwise(inputs, width)
        self.again = Depthwise(width, 3)
        self.scores, self.distances = nn.Conv2d(width, classes, 1), nn.Conv2d(width, 4 * BINS, 1)
        nn.init.normal_(self.scores.weight, std=0.01)
        nn.init.constant_(self.scores.bias, -4.6)  # one in a hundred
        nn.init.zeros_(self.distances.bias)

    def forward(self, x):
        x = self.again(self.pointwise(self.depthwise(x)))
        return self.scores(x), self.distances(x)


class Detector(nn.Module):
    def __init__(self, plan):
        super().__init__()
        self.plan = copy.deepcopy(plan)
        self.stem = nn.Sequential(convolution(3, plan.stem, 3, 2), nn.BatchNorm2d(plan.stem), nn.ReLU())
        self.stages, width = nn.ModuleList(), plan.stem
        for widths in plan.stages:
            blocks = []
            for n, wide in enumerate(widths):
                blocks.append(Block(width, wide, 2 if n == 0 else 1))
                width = wide
            self.stages.append(nn.Sequential(*blocks))
        self.lateral = nn.ModuleList(Pointwise(widths[-1], plan.neck) for widths in plan.stages[1:])
        self.heads = nn.ModuleList(Head(plan.neck, wide or plan.neck, plan.classes) for wide in plan.heads)

    def features(self, x):
        """The pyramid: one map per stride."""
        x, maps = self.stages[0](self.stem(x)), []
        for stage, lateral in zip(self.stages[1:], self.lateral):
            x = stage(x)
            maps.append(lateral(x))
        for n in (1, 0):
            maps[n] = maps[n] + nn.functional.interpolate(maps[n + 1], scale_factor=2.0, mode="nearest")
        return maps

    def read(self, maps):
        """Of the pyramid's maps, per stride (logits [B, C, h, w], distances [B, 4 * BINS, h, w])."""
        return [head(part) for head, part in zip(self.heads, maps)]

    def forward(self, x):
        """[B, 3, H, W], H and W multiples of 32."""
        return self.read(self.features(x))


def count(network):
    return sum(p.numel() for p in network.parameters())


def multiplications(network, width, height):
    """Of one picture, by the convolutions."""
    total, hooks = [0], []

    def add(module, inputs, output):
        total[0] += output.numel() * module.weight[0].numel()

    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            hooks.append(module.register_forward_hook(add))
    training = network.training
    with torch.no_grad():
        network.eval()(torch.zeros(1, 3, height, width))
    network.train(training)
    for hook in hooks:
        hook.remove()
    return total[0]
