"""What is done to a picture before it is learned from: moved, scaled, mirrored, put together with others, recoloured, blurred, compressed."""
import io

import numpy as np
from PIL import Image, ImageFilter

PAD = 114


def place(pixels, boxes, width, height, scale_x, scale_y, x, y, mirror):
    """Puts a picture, scaled and perhaps mirrored, with its corner at (x, y) of a canvas: pixels [H, W, 3] and boxes in the canvas."""
    image = Image.fromarray(pixels)
    if mirror:
        image = image.transpose(Image.FLIP_LEFT_RIGHT)
        boxes = np.stack([pixels.shape[1] - boxes[:, 2], boxes[:, 1], pixels.shape[1] - boxes[:, 0], boxes[:, 3]], 1)
    canvas = image.transform((width, height), Image.AFFINE, (1 / scale_x, 0, -x / scale_x, 0, 1 / scale_y, -y / scale_y), Image.BILINEAR, fillcolor=(PAD,) * 3)
    return np.asarray(canvas), boxes * (scale_x, scale_y, scale_x, scale_y) + (x, y, x, y)


def cut(boxes, classes, weights, x0, y0, x1, y1, least_side=4.0, least_part=0.35):
    """Cuts boxes to a window; what keeps too little of itself becomes a region to ignore, what keeps nothing goes."""
    inner = np.stack([boxes[:, 0].clip(x0, x1), boxes[:, 1].clip(y0, y1), boxes[:, 2].clip(x0, x1), boxes[:, 3].clip(y0, y1)], 1)
    w, h = inner[:, 2] - inner[:, 0], inner[:, 3] - inner[:, 1]
    part = w * h / ((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]) + 1e-6)
    small = (np.minimum(w, h) < least_side) | (part < least_part)
    some = (w > 1) & (h > 1)
    return inner[some], classes[some], np.where(small, -1.0, weights)[some].astype(np.float32)


def letterbox(pixels, boxes, width, height):
    """As the engine does it: the whole picture, centred."""
    scale = min(width / pixels.shape[1], height / pixels.shape[0])
    return place(pixels, boxes, width, height, scale, scale, (width - pixels.shape[1] * scale) / 2, (height - pixels.shape[0] * scale) / 2, False)


class Augment:
    def __init__(self, width, height, random, settings, paste=None):
        """settings: mosaic (share of pictures), scale (least and most, against the whole picture), colour, blur, jpeg (shares); paste: a Paste."""
        self.width, self.height, self.random, self.paste = width, height, random, paste
        self.mosaic, self.scale = settings.get("mosaic", 0.5), settings.get("scale", [0.6, 1.8])
        self.colour, self.blur, self.jpeg = settings.get("colour", 0.8), settings.get("blur", 0.1), settings.get("jpeg", 0.2)

    def _one(self, drawn, window, low, high):
        """One picture into a window x0, y0, x1, y1 of the canvas."""
        pixels, boxes, classes, weights = drawn
        random, (x0, y0, x1, y1) = self.random, window
        fit = min((x1 - x0) / pixels.shape[1], (y1 - y0) / pixels.shape[0])
        scale = fit * np.exp(random.uniform(np.log(low), np.log(high)))
        stretch = np.exp(random.normal(0, 0.08))
        sx, sy = scale * stretch, scale / stretch
        spare = (x1 - x0) - pixels.shape[1] * sx, (y1 - y0) - pixels.shape[0] * sy
        x, y = (a + s * random.random() for a, s in zip((x0, y0), spare))
        canvas, boxes = place(pixels, boxes, self.width, self.height, sx, sy, x, y, random.random() < 0.5)
        return canvas, *cut(boxes, classes, weights, x0, y0, x1, y1)

    def _mosaic(self, draw):
        random, w, h = self.random, self.width, self.height
        cx, cy = (int(side * random.uniform(0.3, 0.7)) for side in (w, h))
        canvas, parts = np.full((h, w, 3), PAD, np.uint8), []
        for window in ((0, 0, cx, cy), (cx, 0, w, cy), (0, cy, cx, h), (cx, cy, w, h)):
            picture, *truth = self._one(draw(), window, max(self.scale[0], 0.9), 2.2)
            x0, y0, x1, y1 = window
            canvas[y0:y1, x0:x1] = picture[y0:y1, x0:x1]
            parts.append(truth)
        return canvas, *(np.concatenate(column) for column in zip(*parts))

    def _recolour(self, pixels):
        random, image = self.random, pixels.astype(np.float32)
        grey = image.mean(-1, keepdims=True)
        image = grey + (image - grey) * random.uniform(0.4, 1.5)
        image = (image - 128) * random.uniform(0.7, 1.3) + 128 * random.uniform(0.65, 1.35)
        image *= np.exp(random.normal(0, 0.06, 3)).astype(np.float32)
        return np.clip(image, 0, 255).astype(np.uint8)

    def __call__(self, draw):
        """draw() gives pictures; returns pixels [H, W, 3] uint8, boxes [M, 4], classes [M], weights [M]."""
        random = self.random
        if random.random() < self.mosaic:
            pixels, boxes, classes, weights = self._mosaic(draw)
        else:
            pixels, boxes, classes, weights = self._one(draw(), (0, 0, self.width, self.height), *self.scale)
        if self.paste:
            pixels, boxes, classes, weights = self.paste(pixels, boxes, classes, weights, draw, random)
        if random.random() < self.colour:
            pixels = self._recolour(pixels)
        if random.random() < 0.03:
            pixels = np.repeat(pixels.mean(-1, keepdims=True), 3, -1).astype(np.uint8)
        if random.random() < self.blur:
            pixels = np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(random.uniform(0.4, 1.2))))
        if random.random() < self.jpeg:
            packed = io.BytesIO()
            Image.fromarray(pixels).save(packed, "JPEG", quality=int(random.integers(25, 80)))
            pixels = np.asarray(Image.open(packed))
        return pixels, boxes.astype(np.float32), classes, weights
