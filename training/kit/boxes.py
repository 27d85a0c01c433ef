"""Boxes as corners x0, y0, x1, y1 in pixels of the network's input, and what is computed of them."""
import numpy as np
import torch


def points(width, height, strides):
    """Where the cells of all strides look from: [N, 2] pixels, and [N] their strides. (cell + 0.5) * stride - 0.5, as the nanodet family has it."""
    centres, sizes = [], []
    for stride in strides:
        y, x = torch.meshgrid(torch.arange(height // stride), torch.arange(width // stride), indexing="ij")
        centres.append((torch.stack([x, y], -1).reshape(-1, 2) + 0.5) * stride - 0.5)
        sizes.append(torch.full((len(centres[-1]),), float(stride)))
    return torch.cat(centres), torch.cat(sizes)


def flatten(outputs, bins):
    """Network outputs per stride -> logits [B, N, C], distances [B, N, 4, bins]."""
    logits = torch.cat([scores.flatten(2).transpose(1, 2) for scores, _ in outputs], 1)
    distances = torch.cat([d.flatten(2).transpose(1, 2) for _, d in outputs], 1)
    return logits, distances.reshape(*distances.shape[:2], 4, bins)


def decode(distances, centres, strides):
    """The mean of each distribution, in strides left, up, right, down of the point -> [B, N, 4] corners."""
    bins = distances.shape[-1]
    reach = distances.softmax(-1) @ torch.arange(bins, dtype=distances.dtype) * strides[:, None]
    return torch.cat([centres - reach[..., :2], centres + reach[..., 2:]], -1)


def iou(a, b, generalised=False):
    """[..., 4] each, broadcast. Generalised: Rezatofighi et al., 2019."""
    low, high = torch.maximum(a[..., :2], b[..., :2]), torch.minimum(a[..., 2:], b[..., 2:])
    inner = (high - low).clamp(min=0).prod(-1)
    area = (a[..., 2:] - a[..., :2]).clamp(min=0).prod(-1) + (b[..., 2:] - b[..., :2]).clamp(min=0).prod(-1) - inner + 1e-6
    overlap = inner / area
    if not generalised:
        return overlap
    hull = (torch.maximum(a[..., 2:], b[..., 2:]) - torch.minimum(a[..., :2], b[..., :2])).prod(-1) + 1e-6
    return overlap - (hull - area) / hull


def suppress(boxes, scores, limit=0.5, most=100):
    """Greedy suppression of one class: indices kept, best first. numpy."""
    order, kept = np.argsort(-scores, kind="stable")[:1000], []
    area = np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(1)
    while len(order) and len(kept) < most:
        first, order = order[0], order[1:]
        kept.append(first)
        inner = np.clip(np.minimum(boxes[first, 2:], boxes[order, 2:]) - np.maximum(boxes[first, :2], boxes[order, :2]), 0, None).prod(1)
        order = order[inner / (area[first] + area[order] - inner + 1e-9) <= limit]
    return kept


def detect(logits, corners, threshold=0.05, limit=0.5):
    """Of one picture: [N, C] logits and [N, 4] corners -> (boxes [K, 4], scores [K], classes [K]) numpy."""
    scores, corners = logits.sigmoid().numpy(), corners.numpy()
    found = ([], [], [])
    for c in range(scores.shape[1]):
        chosen = np.nonzero(scores[:, c] > threshold)[0]
        for i in chosen[suppress(corners[chosen], scores[chosen, c], limit)]:
            found[0].append(corners[i]), found[1].append(scores[i, c]), found[2].append(c)
    return np.array(found[0], np.float32).reshape(-1, 4), np.array(found[1]), np.array(found[2], int)
