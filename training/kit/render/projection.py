"""A pinhole camera over a flat street, and the drawing of polygons and limbs in it.

World: x to the right, y forward, z up, in metres; the ground is z = 0 and the camera stands over the origin. Image: pixels, x to the right, y down.
"""
import math

import cairo
import numpy as np

NEAR = 0.3  # metres in front of the lens; what is closer is cut off


class Camera:
    def __init__(self, width, height, elevation, pitch, field_of_view, roll=0.0):
        """elevation: metres over the ground; pitch: radians below the horizon; field_of_view: radians across the picture's width."""
        self.width, self.height, self.elevation = width, height, elevation
        self.focal = width / 2 / math.tan(field_of_view / 2)
        sin, cos = math.sin(pitch), math.cos(pitch)
        view = np.array([[1, 0, 0], [0, -sin, -cos], [0, cos, -sin]])  # rows: image right, image down, depth
        tilt = np.array([[math.cos(roll), -math.sin(roll), 0], [math.sin(roll), math.cos(roll), 0], [0, 0, 1]])
        self.rotation = tilt @ view

    def view(self, points):
        """[N, 3] metres in the world -> [N, 3] right, down, depth of the camera."""
        return (np.asarray(points, float) - (0, 0, self.elevation)) @ self.rotation.T

    def pixels(self, seen):
        """[N, 3] of view(), all deeper than NEAR -> [N, 2] pixels."""
        return seen[:, :2] / seen[:, 2:] * self.focal + (self.width / 2, self.height / 2)

    def project(self, points):
        """[N, 3] metres -> [N, 2] pixels and [N] depths; points behind the lens are moved to NEAR."""
        seen = self.view(points)
        depth = seen[:, 2].copy()
        seen[:, 2] = np.maximum(depth, NEAR)
        return self.pixels(seen), depth

    def horizon(self):
        """The row of the horizon in the middle of the picture."""
        return float(self.project([(0, 1e5, 0)])[0][0, 1])


def clip_near(seen):
    """Cuts a polygon of camera coordinates at the plane in front of the lens."""
    kept = []
    for a, b in zip(seen, np.roll(seen, -1, axis=0)):
        if a[2] >= NEAR:
            kept.append(a)
        if (a[2] >= NEAR) != (b[2] >= NEAR):
            kept.append(a + (b - a) * ((NEAR - a[2]) / (b[2] - a[2])))
    return np.array(kept)


class Painter:
    """Draws in a picture and, when a mask is set, the same shape in it, so that what is seen of an object can be counted."""

    def __init__(self, camera):
        self.camera = camera
        self.surface = cairo.ImageSurface(cairo.FORMAT_RGB24, camera.width, camera.height)
        self.picture = cairo.Context(self.surface)
        self.picture.set_line_cap(cairo.LINE_CAP_ROUND)
        self.picture.set_line_join(cairo.LINE_JOIN_ROUND)
        self.mask = None

    def begin_mask(self):
        surface = cairo.ImageSurface(cairo.FORMAT_A8, self.camera.width, self.camera.height)
        self.mask = cairo.Context(surface)
        self.mask.set_antialias(cairo.ANTIALIAS_NONE)
        self.mask.set_line_cap(cairo.LINE_CAP_ROUND)

    def end_mask(self):
        """[H, W] bool: what was drawn since begin_mask()."""
        surface = self.mask.get_target()
        surface.flush()
        pixels = np.frombuffer(surface.get_data(), np.uint8).reshape(self.camera.height, surface.get_stride())
        self.mask = None
        return pixels[:, : self.camera.width] > 127

    def _contexts(self):
        return (self.picture,) if self.mask is None else (self.picture, self.mask)

    def polygon(self, points, colour, alpha=1.0):
        """A flat polygon of world points."""
        seen = clip_near(self.camera.view(points))
        if len(seen) >= 3:
            self.flat(self.camera.pixels(seen), colour, alpha)

    def flat(self, pixels, colour, alpha=1.0):
        """A polygon of picture points."""
        for context in self._contexts():
            context.set_source_rgba(*colour, alpha)
            context.move_to(*pixels[0])
            for point in pixels[1:]:
                context.line_to(*point)
            context.close_path()
            context.fill()

    def limb(self, begin, end, thickness, colour, end_thickness=None):
        """A rounded limb between two world points, its thickness in metres at both ends."""
        (a, b), depths = self.camera.project([begin, end])
        if min(depths) < NEAR:
            return
        ra = thickness / 2 * self.camera.focal / depths[0]
        rb = (thickness if end_thickness is None else end_thickness) / 2 * self.camera.focal / depths[1]
        along = b - a
        length = math.hypot(*along)
        side = np.array([-along[1], along[0]]) / length if length > 1e-6 else np.zeros(2)
        for context in self._contexts():
            context.set_source_rgb(*colour)
            for centre, radius in ((a, ra), (b, rb)):
                context.arc(*centre, max(radius, 0.3), 0, 2 * math.pi)
                context.fill()
            for n, point in enumerate((a + side * ra, b + side * rb, b - side * rb, a - side * ra)):
                (context.line_to if n else context.move_to)(*point)
            context.close_path()
            context.fill()

    def disc(self, centre, radius, colour):
        """A ball."""
        self.limb(centre, centre, 2 * radius, colour)

    def array(self):
        """[H, W, 3] uint8, red first."""
        self.surface.flush()
        data = np.frombuffer(self.surface.get_data(), np.uint8).reshape(self.camera.height, self.surface.get_stride() // 4, 4)
        return data[:, : self.camera.width, 2::-1].copy()

    def replace(self, pixels):
        """Puts an [H, W, 3] uint8 picture, red first, in the place of what was drawn so far."""
        self.surface.flush()
        data = np.frombuffer(self.surface.get_data(), np.uint8).reshape(self.camera.height, self.surface.get_stride() // 4, 4)
        data[:, : self.camera.width, 2::-1] = pixels
        self.surface.mark_dirty()


def shade(colour, factor):
    return tuple(min(1.0, max(0.0, c * factor)) for c in colour)


def mix(a, b, share):
    return tuple(x + (y - x) * share for x, y in zip(a, b))


def turn(points, heading):
    """Turns [N, 3] points about the vertical: heading 0 looks along y, positive to the left."""
    sin, cos = math.sin(heading), math.cos(heading)
    points = np.asarray(points, float)
    return np.stack([points[:, 0] * cos - points[:, 1] * sin, points[:, 0] * sin + points[:, 1] * cos, points[:, 2]], axis=1)


def hull(points):
    """Convex hull of [N, 2] points, in order (monotone chain)."""
    points = sorted({(float(x), float(y)) for x, y in points})
    if len(points) < 3:
        return points

    def half(run):
        chain = []
        for p in run:
            while len(chain) > 1 and (chain[-1][0] - chain[-2][0]) * (p[1] - chain[-2][1]) <= (chain[-1][1] - chain[-2][1]) * (p[0] - chain[-2][0]):
                chain.pop()
            chain.append(p)
        return chain[:-1]

    return half(points) + half(points[::-1])
