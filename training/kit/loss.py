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
        """[B, M, N]: cells that may answer: those in the box, and, so that a small object finds one, those within most of a stride of its middle."""
        low, high = self.centres - boxes[:, :, None, :2], boxes[:, :, None, 2:] - self.centres
        middle = (boxes[:, :, None, :2] + boxes[:, :, None, 2:]) / 2
        near = (self.centres - middle).abs().amax(-1) < 0.75 * self.strides
        return (torch.minimum(low, high).amin(-1) > 0) | near

    @torch.no_grad()
    def assign(self, logits, corners, boxes, classes, weights):
        """Per cell: target score [B, N, C], index of its object [B, N], quality [B, N] (0: background), and [B, N] whether it is ignored."""
        batch, cells, kinds = logits.shape
        target = torch.zeros_like(logits)
        real = (classes >= 0) & (weights > 0)
        inside = self.inside(boxes)
        ignored = (inside & ((classes >= 0) & (weights < 0))[..., None]).any(1)
        if not real.any():
            return target, torch.zeros(batch, cells, dtype=torch.long), torch.zeros(batch, cells), ignored
        score = logits.sigmoid().transpose(1, 2).gather(1, classes.clamp(min=0)[..., None].expand(-1, -1, cells))
        overlap = iou(boxes[:, :, None], corners[:, None]).clamp(min=0)
        metric = score.sqrt() * overlap.pow(OVERLAP_POWER) * (inside & real[..., None])
        best = metric.topk(min(TOP, cells), -1)
        chosen = torch.zeros_like(metric).scatter_(-1, best.indices, 1.0) * (metric > 0)
        owner = (overlap * chosen).argmax(1)  # a cell serves one object
        taken = chosen.gather(1, owner[:, None])[:, 0] > 0
        mine = torch.zeros_like(chosen).scatter_(1, owner[:, None], 1.0) * chosen
        metric = metric * mine
        quality = metric / metric.amax(-1, keepdim=True).clamp(min=1e-9) * (overlap * mine).amax(-1, keepdim=True)
        quality = (quality.amax(1) * taken) * weights.clamp(min=0).gather(1, owner)
        target.scatter_(2, classes.clamp(min=0).gather(1, owner)[..., None], quality[..., None])
        return target, owner, quality, ignored & ~taken

    def __call__(self, outputs, boxes, classes, weights):
        """Mean loss, and its parts for the log."""
        logits, distances = flatten(outputs, BINS)
        corners = decode(distances, self.centres, self.strides)
        target, owner, quality, ignored = self.assign(logits.detach(), corners.detach(), boxes, classes, weights)
        total = quality.sum().clamp(min=1.0)
        focus = torch.where(target > 0, target, 0.75 * logits.detach().sigmoid().pow(2.0))  # background counts by how wrong it is
        scores = (F.binary_cross_entropy_with_logits(logits, target, reduction="none") * focus * ~ignored[..., None]).sum() / total
        where = quality > 0
        weight, mine = quality[where], boxes.gather(1, owner[..., None].expand(-1, -1, 4))[where]
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
