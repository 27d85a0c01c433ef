"""Which cells answer for which object, and how wrong they are.

Assignment by alignment of score and overlap (Feng et al., TOOD, 2021); scores by quality-weighted cross entropy; boxes by generalised IoU and distribution focal
loss (Li et al., 2020). Truth comes padded: boxes [B, M, 4], classes [B, M] (-1: none), weights [B, M] (how sure the label is, 0..1; negative: a region to ignore).
"""
import torch
from torch.nn import functional as F

from .boxes import decode, flatten, iou, points
from .network import BINS, STRIDES

TOP = 9           # cells per object
OVERLAP_POWER = 4.0


class DetectionLoss:
    def __init__(self, width, height):
        self.centres, self.strides = points(width, height, STRIDES)

    def inside(self, boxes):
        """[M, N]: cells that may answer: those in the box, and, so that a small object finds one, those within most of a stride of its middle."""
        low, high = self.centres - boxes[:, None, :2], boxes[:, None, 2:] - self.centres
        middle = (boxes[:, None, :2] + boxes[:, None, 2:]) / 2
        near = (self.centres - middle).abs().amax(-1) < 0.75 * self.strides
        return (torch.minimum(low, high).amin(-1) > 0) | near

    def assign_one(self, logits, corners, boxes, classes, weights):
        """Of one picture, boxes that are there only: per cell the target score [N, C], its object's box [N, 4], quality [N] (0: background), and [N] whether it is ignored."""
        target, quality = torch.zeros_like(logits), torch.zeros(len(logits))
        inside = self.inside(boxes)
        ignored = inside[weights < 0].any(0)
        real = weights > 0
        boxes, classes, weights, inside = boxes[real], classes[real], weights[real], inside[real]
        if not len(boxes):
            return target, torch.zeros_like(corners), quality, ignored
        overlap = iou(boxes[:, None], corners[None]).clamp(min=0)
        metric = logits.sigmoid().T[classes].sqrt() * overlap.pow(OVERLAP_POWER) * inside
        best = metric.topk(min(TOP, len(logits)), -1)
        chosen = torch.zeros_like(metric).scatter_(-1, best.indices, 1.0) * (metric > 0)
        owner = (overlap * chosen).argmax(0)[None]  # a cell serves one object
        mine = torch.zeros_like(chosen).scatter_(0, owner, 1.0) * chosen
        metric = metric * mine
        quality = metric / metric.amax(-1, keepdim=True).clamp(min=1e-9) * (overlap * mine).amax(-1, keepdim=True)
        quality = quality.amax(0) * weights[owner[0]]
        target.scatter_(1, classes[owner[0]][:, None], quality[:, None])
        return target, boxes[owner[0]], quality, ignored & ~mine.any(0)

    @torch.no_grad()
    def assign(self, logits, corners, boxes, classes, weights):
        """Picture by picture, since one of a car park would pad all others to its hundred boxes."""
        there = classes >= 0
        rows = [self.assign_one(l, c, b[t], k[t], w[t]) for l, c, b, k, w, t in zip(logits, corners, boxes, classes, weights, there)]
        return [torch.stack(column) for column in zip(*rows)]

    def __call__(self, outputs, boxes, classes, weights):
        """Mean loss, and its parts for the log."""
        logits, distances = flatten(outputs, BINS)
        corners = decode(distances, self.centres, self.strides)
        target, owned, quality, ignored = self.assign(logits.detach(), corners.detach(), boxes, classes, weights)
        total = quality.sum().clamp(min=1.0)
        focus = torch.where(target > 0, target, 0.75 * logits.detach().sigmoid().pow(2.0))  # background counts by how wrong it is
        scores = (F.binary_cross_entropy_with_logits(logits, target, reduction="none") * focus * ~ignored[..., None]).sum() / total
        where = quality > 0
        weight, mine = quality[where], owned[where]
        overlap = ((1 - iou(corners[where], mine, True)) * weight).sum() / total
        spread = (self.distribution(distances[where], mine, where) * weight).sum() / total
        loss = scores + 2.0 * overlap + 0.35 * spread
        return loss, {"scores": float(scores.detach()), "overlap": float(overlap.detach()), "distances": float(spread.detach())}

    def distribution(self, distances, boxes, where):
        batch = where.shape[0]
        centres, strides = self.centres.expand(batch, -1, -1)[where], self.strides.expand(batch, -1)[where]
        true = torch.cat([centres - boxes[:, :2], boxes[:, 2:] - centres], -1) / strides[:, None]
        true = true.clamp(0, BINS - 1.01)
        low = true.long()
        part, flat = true - low, distances.reshape(-1, BINS)
        left = F.cross_entropy(flat, low.reshape(-1), reduction="none").reshape(low.shape)
        right = F.cross_entropy(flat, (low + 1).reshape(-1), reduction="none").reshape(low.shape)
        return (left * (1 - part) + right * part).mean(-1)
