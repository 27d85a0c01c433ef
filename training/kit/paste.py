"""Objects cut out of other pictures, pasted over a picture, and shelves of clutter behind them: many more surroundings than were ever photographed (Dwibedi et al., Cut, Paste and Learn, 2017).

Cut-outs are PNG files with transparency, NAME-anything.png, where NAME is the class (cutouts.py makes them). What lies under a pasted object or under clutter is ignored where it is mostly hidden.
"""
import pathlib

import numpy as np
from PIL import Image

from .data import opened

HIDDEN = 0.55  # share of a box that may be covered before it is no example any more


class Cutouts:
    def __init__(self, folder, classes):
        paths = sorted(path for path in pathlib.Path(folder).glob("*.png") if path.name.split("-")[0] in classes)
        if not paths:
            raise SystemExit(f"{folder}: there are no cut-outs NAME-*.png of {', '.join(classes)} in it; training/cutouts.py makes them")
        self.images, self.classes = [], []
        for path in paths:
            with opened(path) as image:
                self.images.append(image.convert("RGBA").copy())
            self.classes.append(classes.index(path.name.split("-")[0]))

    def draw(self, random):
        n = random.integers(len(self.images))
        return self.images[n], self.classes[n]


def recolour(image, random):
    """Another light, another cloth: gain, offset and balance of the colours; transparency stays."""
    pixels = np.asarray(image).astype(np.float32)
    grey = pixels[..., :3].mean(-1, keepdims=True)
    colour = grey + (pixels[..., :3] - grey) * random.uniform(0.3, 1.4)
    if random.random() < 0.3:
        colour = colour[..., random.permutation(3)]
    colour = 128 + (colour - 128) * random.uniform(0.6, 1.3) + random.uniform(-45, 35)
    colour *= np.exp(random.normal(0, 0.06, 3))
    return Image.fromarray(np.concatenate([colour.clip(0, 255), pixels[..., 3:]], -1).astype(np.uint8), "RGBA")


def pose(image, high, random):
    """As high as asked for, perhaps mirrored, shortened as from above, leaning."""
    if random.random() < 0.5:
        image = image.transpose(Image.FLIP_LEFT_RIGHT)
    scale = high / image.height
    wide = max(2, round(image.width * scale * random.uniform(0.9, 1.35)))
    image = image.resize((wide, max(2, round(high))), Image.BILINEAR)
    if random.random() < 0.5:
        image = image.rotate(random.normal(0, 8), Image.BILINEAR, expand=True)
    return image


def bounds(mask):
    ys, xs = np.nonzero(mask.max(1) > 100)[0], np.nonzero(mask.max(0) > 100)[0]
    return (xs[0], ys[0], xs[-1] + 1, ys[-1] + 1) if len(xs) and len(ys) else None


def covered(boxes, mask):
    """Share of every box that the mask [H, W] of 0 to 1 hides."""
    sums = np.zeros((mask.shape[0] + 1, mask.shape[1] + 1))
    sums[1:, 1:] = mask.cumsum(0).cumsum(1)
    x0, y0, x1, y1 = (np.clip(np.round(boxes[:, n]).astype(int), 0, mask.shape[1 - n % 2]) for n in range(4))
    inner = sums[y1, x1] - sums[y0, x1] - sums[y1, x0] + sums[y0, x0]
    return inner / np.maximum((x1 - x0) * (y1 - y0), 1)


def shelf(picture, width, height, random):
    """Rows of goods: small pieces of a picture, each several times side by side."""
    rows, board = [], random.integers(2, 6)
    source = Image.fromarray(picture)
    y = 0
    while y < height:
        high, x = int(random.integers(8, 40)), 0
        row = Image.new("RGB", (width, high), tuple(int(v) for v in random.integers(0, 120, 3)))
        while x < width:
            wide = int(random.integers(5, 36))
            side = random.uniform(0.05, 0.3) * min(source.size)
            left, top = random.uniform(0, source.width - side), random.uniform(0, source.height - side)
            piece = source.resize((wide, high), Image.BILINEAR, (left, top, left + side, top + side))
            for _ in range(int(random.integers(1, 7))):
                row.paste(piece, (x, 0))
                x += wide + int(random.integers(0, 3))
        rows.append((row, y))
        y += high + int(board)
    canvas = Image.new("RGB", (width, height), tuple(int(v) for v in random.integers(30, 230, 3)))
    for row, y in rows:
        canvas.paste(row, (0, y))
    return canvas


def clutter(pixels, picture, random):
    """A shelf across a part of the picture, seen from some side. Returns pixels and where it is, [H, W] of 0 to 1."""
    height, width = pixels.shape[:2]
    plain = shelf(picture, width, height, random).convert("RGBA")
    lean = lambda: random.uniform(-0.35, 0.35)
    corners = [(-lean(), -lean()), (-lean(), 1 + lean()), (1 + lean(), 1 + lean()), (1 + lean(), -lean())]
    x0, x1 = sorted(random.uniform(-0.3, 1.3, 2))
    if x1 - x0 < 0.4:
        x1 = x0 + 0.4 + random.random()
    quad = [((x0 + u * (x1 - x0)) * width, v * height) for u, v in corners]
    image = plain.transform((width, height), Image.PERSPECTIVE, perspective(quad, [(0, 0), (0, height), (width, height), (width, 0)]), Image.BILINEAR)
    if random.random() < 0.5:
        image = image.rotate(random.normal(0, 15), Image.BILINEAR)
    layer = np.asarray(image).astype(np.float32)
    where = layer[..., 3:] / 255
    mixed = pixels * (1 - where) + layer[..., :3] * where
    return mixed.astype(np.uint8), where[..., 0]


def perspective(seen, plain):
    """The eight numbers that carry corners as seen to those of the plain picture."""
    rows, values = [], []
    for (x, y), (u, v) in zip(seen, plain):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    return np.linalg.lstsq(np.array(rows), np.array(values), rcond=None)[0]


class Paste:
    """settings: cutouts (folder), share (of pictures that get some), most (of one picture), height (least and most, of the picture's), clutter (share of those that get a shelf first)."""

    def __init__(self, settings, classes):
        self.cutouts = Cutouts(settings["cutouts"], classes)
        self.share, self.most = settings.get("share", 0.3), settings.get("most", 4)
        self.height, self.clutter = settings.get("height", [0.15, 0.8]), settings.get("clutter", 0.2)

    def _hide(self, truth, mask):
        boxes, classes, weights = truth
        if len(boxes):
            weights = np.where(covered(boxes, mask) > HIDDEN, -1.0, weights).astype(np.float32)
        return boxes, classes, weights

    def _one(self, pixels, truth, size, random):
        height, width = pixels.shape[:2]
        image, kind = self.cutouts.draw(random)
        image = recolour(pose(image, size * height, random), random)
        x = round(random.uniform(-0.3 * image.width, width - 0.7 * image.width))
        y = round(random.uniform(-0.15 * image.height, height - 0.65 * image.height))
        layer = Image.new("RGBA", (width, height))
        layer.paste(image, (x, y))
        layer = np.asarray(layer)
        box = bounds(layer[..., 3])
        if box is None or min(box[2] - box[0], box[3] - box[1]) < 5:
            return pixels, truth
        mask = layer[..., 3:].astype(np.float32) / 255
        pixels = (pixels * (1 - mask) + layer[..., :3] * mask).astype(np.uint8)
        boxes, classes, weights = self._hide(truth, mask[..., 0])
        new = np.array([box], np.float32)
        return pixels, (np.concatenate([boxes.reshape(-1, 4), new]).astype(np.float32), np.append(classes, kind), np.append(weights, 1.0).astype(np.float32))

    def __call__(self, pixels, boxes, classes, weights, draw, random):
        truth = boxes, classes, weights
        if random.random() >= self.share:
            return pixels, *truth
        if random.random() < self.clutter:
            pixels, where = clutter(pixels, draw()[0], random)
            truth = self._hide(truth, where)
        low, high = np.log(self.height)
        middle = random.uniform(low, high)
        for _ in range(int(random.integers(1, self.most + 1))):
            pixels, truth = self._one(pixels, truth, np.exp(np.clip(middle + random.normal(0, 0.25), low, high)), random)
        return pixels, *truth
