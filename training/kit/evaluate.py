"""Average precision at an overlap of one half, per class: for the curves of a run. `fovea eval` gives the figures that are published."""
import numpy as np
import torch

from .boxes import decode, detect, flatten, points
from .feed import plain, to_input
from .network import BINS, STRIDES


def overlaps(a, b):
    low, high = np.maximum(a[:, None, :2], b[None, :, :2]), np.minimum(a[:, None, 2:], b[None, :, 2:])
    inner = np.clip(high - low, 0, None).prod(-1)
    return inner / ((a[:, 2:] - a[:, :2]).prod(-1)[:, None] + (b[:, 2:] - b[:, :2]).prod(-1)[None] - inner + 1e-9)


class Tally:
    def __init__(self, classes):
        self.scores, self.hits, self.total = [[] for _ in range(classes)], [[] for _ in range(classes)], [0] * classes

    def add(self, found, boxes, classes, weights):
        """found: boxes, scores, classes of one picture. Truth with a negative weight is neither wanted nor held against anybody."""
        for c in range(len(self.total)):
            chosen, mine = found[2] == c, classes == c
            truth, counts = boxes[mine], weights[mine] > 0
            self.total[c] += int(counts.sum())
            open_ = np.ones(len(truth), bool)
            order = np.argsort(-found[1][chosen], kind="stable")
            share = overlaps(found[0][chosen][order], truth) if len(truth) else np.zeros((len(order), 0))
            for row, score in zip(share, found[1][chosen][order]):
                good = np.where(open_ & counts, row, 0)
                if good.size and good.max() > 0.5:
                    open_[good.argmax()] = False
                    self._note(c, score, True)
                elif not (row.size and np.where(counts, 0, row).max() > 0.3):
                    self._note(c, score, False)

    def _note(self, c, score, hit):
        self.scores[c].append(score)
        self.hits[c].append(hit)

    def precision(self):
        """AP50 of every class; NaN where there is no truth."""
        result = []
        for scores, hits, total in zip(self.scores, self.hits, self.total):
            if not total:
                result.append(float("nan"))
                continue
            hits = np.array(hits, float)[np.argsort(-np.array(scores), kind="stable")]
            right = np.cumsum(hits)
            precision = np.maximum.accumulate((right / np.arange(1, len(hits) + 1))[::-1])[::-1] if len(hits) else np.zeros(0)
            steps = np.searchsorted(right / total, np.linspace(0, 1, 101))
            result.append(float(np.mean([precision[s] if s < len(precision) else 0 for s in steps])))
        return result


@torch.no_grad()
def evaluate(network, pool, classes, width, height, batch=16):
    """AP50 per class of a network over a pool."""
    network.eval()
    centres, strides = points(width, height, STRIDES)
    tally, waiting = Tally(len(classes)), []

    def flush():
        if not waiting:
            return
        outputs = network(to_input(torch.from_numpy(np.stack([w[0] for w in waiting]))))
        logits, distances = flatten(outputs, BINS)
        corners = decode(distances, centres, strides)
        for n, (_, boxes, kinds, weights) in enumerate(waiting):
            tally.add(detect(logits[n], corners[n]), boxes, kinds, weights)
        waiting.clear()

    for sample in plain(pool, width, height):
        waiting.append(sample)
        if len(waiting) == batch:
            flush()
    flush()
    return tally.precision()
