"""Smaller networks by training: weights that become zero, or channels that go.

`prune:` of a recipe: {kind: …, amount: share that goes, begin, end: shares of the run in which it happens (default 0.1, 0.7), every: steps between changes (50)}

gradual      the smallest weights become zero, ever more of them along a cubic curve (Zhu and Gupta, 2017)
regularised  as gradual, while a penalty presses weights together; norm: l1 | group-lasso (whole output channels), strength
dynamic      a fixed share is zero from the beginning; the smallest of the others go, and come back where the gradient is largest (Evci et al., RigL, 2020)
n:m          pattern: [2, 4]: two of every four neighbours along the input channels stay
structured   channels are removed before the run begins, those that matter least first, until `amount` of the parameters is gone; the run then mends the network

Zeros make a smaller file; only removed channels make a faster one.
"""
import math

import torch
from torch import nn

from .network import Detector, Plan

KINDS = ("gradual", "regularised", "dynamic", "n:m", "structured")
WIDTH_STEP = 8  # channels are kept in eights, as vectors have them


def prunable(network):
    """Weights worth the trouble: pointwise convolutions inside the network."""
    return {name: m for name, m in network.named_modules()
            if isinstance(m, nn.Conv2d) and m.groups == 1 and m.kernel_size == (1, 1) and ".scores" not in name and ".distances" not in name}


class Pruner:
    """Nothing goes; the others build on it."""

    def __init__(self, network, settings=None, steps=1):
        self.network, self.settings, self.steps = network, settings or {}, steps
        self.amount = float(self.settings.get("amount", 0.5))
        self.begin, self.end = (int(steps * float(self.settings.get(key, default))) for key, default in (("begin", 0.1), ("end", 0.7)))
        self.every = int(self.settings.get("every", 50))

    def penalty(self):
        """Added to the loss."""
        return 0.0

    def before_step(self, step):
        """Gradients are there, weights are as they were."""

    def after_step(self, step):
        """Weights have moved."""

    def apply_to(self, network):
        """Makes another network, the average, sparse in the same places."""

    def state(self):
        return None

    def load_state(self, state):
        pass


class MaskPruner(Pruner):
    def __init__(self, network, settings, steps):
        super().__init__(network, settings, steps)
        self.masks = {name: torch.ones_like(m.weight) for name, m in prunable(network).items()}

    def share(self, step):
        """What is to be gone at a step."""
        done = min(max((step - self.begin) / max(self.end - self.begin, 1), 0.0), 1.0)
        return self.amount * (1 - (1 - done) ** 3)

    def choose(self, step):
        """The smallest weights of all layers together, measured against their layer's mean, so that no layer vanishes."""
        modules = prunable(self.network)
        sizes = {name: (m.weight.detach().abs() / m.weight.detach().abs().mean()) * self.masks[name] for name, m in modules.items()}
        everything = torch.cat([s.flatten() for s in sizes.values()])
        gone = int(self.share(step) * len(everything))
        limit = everything.kthvalue(gone).values if gone > 0 else -1.0
        for name, size in sizes.items():
            self.masks[name] = (size > limit).float()

    @torch.no_grad()
    def after_step(self, step):
        if self.begin <= step <= self.end and step % self.every == 0 or step == self.end:
            self.choose(step)
        self.apply_to(self.network)

    @torch.no_grad()
    def apply_to(self, network):
        for name, m in prunable(network).items():
            m.weight.mul_(self.masks[name])

    def state(self):
        return self.masks

    def load_state(self, state):
        self.masks = state


class RegularisedPruner(MaskPruner):
    def penalty(self):
        strength = float(self.settings.get("strength", 1e-5))
        weights = [m.weight for m in prunable(self.network).values()]
        if self.settings.get("norm", "l1") == "group-lasso":
            return strength * sum(math.sqrt(w[0].numel()) * w.flatten(1).norm(dim=1).sum() for w in weights)
        return strength * sum(w.abs().sum() for w in weights)


class DynamicPruner(MaskPruner):
    def __init__(self, network, settings, steps):
        super().__init__(network, settings, steps)
        for name, m in prunable(network).items():
            kept = torch.rand_like(m.weight).flatten().argsort() >= int(self.amount * m.weight.numel())
            self.masks[name] = kept.float().reshape(m.weight.shape)
        with torch.no_grad():
            self.apply_to(network)

    @torch.no_grad()
    def before_step(self, step):
        if step == 0 or step % self.every or step > self.end:
            return
        part = 0.3 * (1 + math.cos(math.pi * step / max(self.end, 1))) / 2
        for name, m in prunable(self.network).items():
            mask = self.masks[name].flatten()
            moved = int(part * mask.sum())
            if moved == 0:
                continue
            weight = m.weight.detach().abs().flatten()
            weak = weight.masked_fill(mask == 0, math.inf).topk(moved, largest=False).indices
            strong = m.weight.grad.abs().flatten().masked_fill(mask > 0, -1.0).topk(moved).indices
            mask[weak], mask[strong] = 0.0, 1.0
            self.masks[name] = mask.reshape(m.weight.shape)
            m.weight.data.flatten()[strong] = 0.0

    def choose(self, step):
        pass  # before_step() has


class PatternPruner(MaskPruner):
    def choose(self, step):
        kept, group = self.settings.get("pattern", [2, 4])
        done = min(max((step - self.begin) / max(self.end - self.begin, 1), 0.0), 1.0)
        kept = group - round((group - kept) * done)  # one after the other
        for name, m in prunable(self.network).items():
            if m.in_channels % group:
                continue
            weight = m.weight.detach().abs().reshape(m.out_channels, -1, group)
            mask = torch.zeros_like(weight).scatter_(-1, weight.topk(kept, -1).indices, 1.0)
            self.masks[name] = mask.reshape(m.weight.shape)


# --- Channels that go for good


def streams(network):
    """Every width of the network: name -> (normalisations that make its channels, convolutions that read them)."""
    result = {"stem": ([network.stem[1]], [network.stages[0][0].pointwise[0]])}
    for n, stage in enumerate(network.stages):
        readers = [block.pointwise[0] for block in stage[1:]]
        if n + 1 < len(network.stages):
            readers.append(network.stages[n + 1][0].pointwise[0])
        if n > 0:
            readers.append(network.lateral[n - 1][0])
        result[f"stage{n}"] = ([block.pointwise[1] for block in stage], readers)
    result["neck"] = ([lateral[1] for lateral in network.lateral], [head.pointwise[0] for head in network.heads])
    for n, head in enumerate(network.heads):
        result[f"head{n}"] = ([head.pointwise[1]], [head.scores, head.distances])
    return result


def importance(network):
    """Per stream and channel: how large it is made, times how much of it is read; against the stream's mean."""
    values = {}
    for name, (makers, readers) in streams(network).items():
        made = torch.stack([m.weight.detach().abs() for m in makers]).mean(0)
        read = torch.stack([r.weight.detach().flatten(1).norm(dim=0) for r in readers]).mean(0)
        value = made * read
        values[name] = value / value.mean()
    return values


def keep_best(values, limit):
    """Channels above a limit, rounded to whole vectors, at least a quarter of a stream."""
    kept = {}
    for name, value in values.items():
        count = int((value > limit).sum())
        least = max(WIDTH_STEP, len(value) // 4)
        count = min(max(round(count / WIDTH_STEP) * WIDTH_STEP, least), len(value))
        kept[name] = value.topk(count).indices.sort().values
    return kept


def narrowed(plan, kept):
    wide = [len(kept[f"stage{n}"]) for n in range(len(plan.stages))]
    return Plan(len(kept["stem"]), [[w] * len(stage) for w, stage in zip(wide, plan.stages)], len(kept["neck"]), [len(kept[f"head{n}"]) for n in range(3)], plan.classes)


def copy_channels(old, new, kept):
    """Fills a narrower network with what is kept of a wider one."""

    def normal(a, b, rows):
        for key in ("weight", "bias", "running_mean", "running_var"):
            getattr(b, key).data.copy_(getattr(a, key).data[rows])

    def dense(a, b, rows, columns):
        weight = a.weight.data if rows is None else a.weight.data[rows]
        b.weight.data.copy_(weight if columns is None else weight[:, columns])
        if a.bias is not None:
            b.bias.data.copy_(a.bias.data if rows is None else a.bias.data[rows])

    def depthwise(a, b, rows):
        dense(a[0], b[0], rows, None), normal(a[1], b[1], rows)

    def pointwise(a, b, rows, columns):
        dense(a[0], b[0], rows, columns), normal(a[1], b[1], rows)

    pointwise(old.stem, new.stem, kept["stem"], None)
    width = kept["stem"]
    for n, (a, b) in enumerate(zip(old.stages, new.stages)):
        for block, twin in zip(a, b):
            depthwise(block.depthwise, twin.depthwise, width)
            pointwise(block.pointwise, twin.pointwise, kept[f"stage{n}"], width)
            width = kept[f"stage{n}"]
        if n > 0:
            pointwise(old.lateral[n - 1], new.lateral[n - 1], kept["neck"], width)
    for n, (a, b) in enumerate(zip(old.heads, new.heads)):
        inner = kept[f"head{n}"]
        depthwise(a.depthwise, b.depthwise, kept["neck"])
        pointwise(a.pointwise, b.pointwise, inner, kept["neck"])
        depthwise(a.again, b.again, inner)
        dense(a.scores, b.scores, None, inner), dense(a.distances, b.distances, None, inner)


def without_channels(network, amount):
    """A new, narrower network with at most 1 - amount of the parameters, filled with what matters most."""
    values, before = importance(network), sum(p.numel() for p in network.parameters())
    low, high = 0.0, max(float(v.max()) for v in values.values())
    for _ in range(30):
        middle = (low + high) / 2
        after = sum(p.numel() for p in Detector(narrowed(network.plan, keep_best(values, middle))).parameters())
        low, high = (low, middle) if after <= (1 - amount) * before else (middle, high)
    kept = keep_best(values, high)
    smaller = Detector(narrowed(network.plan, kept))
    with torch.no_grad():
        copy_channels(network, smaller, kept)
    return smaller


def make(network, recipe):
    settings = recipe["prune"]
    if not settings:
        return Pruner(network)
    kind = settings.get("kind")
    if kind not in KINDS:
        raise SystemExit(f"prune: kind must be one of {', '.join(KINDS)}, not '{kind}'")
    if not 0 < float(settings.get("amount", 0.5)) < 1:
        raise SystemExit(f"prune: amount must be above 0 and below 1, not {settings['amount']}")
    if kind == "structured":
        return Pruner(without_channels(network, float(settings.get("amount", 0.5))))
    pattern = settings.get("pattern", [2, 4])
    if len(pattern) != 2 or not all(isinstance(n, int) for n in pattern) or not 0 < pattern[0] < pattern[1] <= 32:
        raise SystemExit(f"prune: pattern must be [kept, of], as [2, 4], not {pattern}")
    maker = {"gradual": MaskPruner, "regularised": RegularisedPruner, "dynamic": DynamicPruner, "n:m": PatternPruner}[kind]
    return maker(network, settings, recipe["steps"])
