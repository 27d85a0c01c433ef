"""Average precision by COCO's rules: ten overlaps from 0.50 to 0.95, 101 recall points, at most 100 boxes a picture, all areas."""
import numpy as np

OVERLAPS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0, 1, 101)


def iou(boxes, truths):
    """Of [N, 4] and [M, 4] corners: [N, M]."""
    low = np.maximum(boxes[:, None, :2], truths[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], truths[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(2)
    area = lambda b: (b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 1])
    return shared / np.maximum(area(boxes)[:, None] + area(truths)[None] - shared, 1e-12)


def match(boxes, truths):
    """boxes best first. [10, N] bool: which are hits at each overlap. A box takes the free truth it covers best."""
    hits = np.zeros((len(OVERLAPS), len(boxes)), bool)
    if not len(boxes) or not len(truths):
        return hits
    overlaps = iou(boxes, truths)
    for t, least in enumerate(OVERLAPS):
        taken = np.zeros(len(truths), bool)
        for n in range(len(boxes)):
            free = np.where(taken, -1.0, overlaps[n])
            best = len(free) - 1 - int(np.argmax(free[::-1]))  # of equals the last, as pycocotools takes it
            if free[best] >= min(least, 1 - 1e-10):
                taken[best] = hits[t, n] = True
    return hits


def precision_at_recalls(scores, hits, truth_count):
    order = np.argsort(-scores, kind="mergesort")
    hits = hits[:, order]
    good, bad = hits.cumsum(1, dtype=float), (~hits).cumsum(1, dtype=float)
    result = np.zeros((len(OVERLAPS), len(RECALLS)))
    for t in range(len(OVERLAPS)):
        recall, precision = good[t] / truth_count, good[t] / (good[t] + bad[t])
        precision = np.maximum.accumulate(precision[::-1])[::-1] if len(precision) else precision
        at = np.searchsorted(recall, RECALLS, side="left")
        result[t, at < len(precision)] = precision[at[at < len(precision)]]
    return result


def evaluate(found, truths):
    """found: {image: [(label, score, x0, y0, x1, y1)]}, truths: {image: [(label, x0, y0, x1, y1)]}. Classes without truth do not count."""
    found = {image: sorted(rows, key=lambda r: -r[1])[:100] for image, rows in found.items()}
    per_class = {}
    for label in sorted({t[0] for rows in truths.values() for t in rows}):
        scores, hits, count = [], [], 0
        for image, rows in truths.items():
            truth = np.array([t[1:] for t in rows if t[0] == label], float).reshape(-1, 4)
            mine = np.array([f[1:] for f in found.get(image, []) if f[0] == label], float).reshape(-1, 5)
            count += len(truth)
            scores.append(mine[:, 0])
            hits.append(match(mine[:, 1:], truth))
        per_class[label] = precision_at_recalls(np.concatenate(scores), np.concatenate(hits, 1), count).mean(1)
    mean = np.mean(list(per_class.values()), 0)
    return {"map": float(mean.mean()), "ap50": float(mean[0]), "per_class": {k: float(v.mean()) for k, v in per_class.items()}}
