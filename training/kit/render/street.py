"""A street drawn from a number: its light, its houses, who moves in it, and where the camera hangs. The same seed gives the same pictures.

    for picture, objects in Street(7).frames(count=100, fps=15): …

picture is [H, W, 3] uint8, red first. An object is {"track", "label", "box": (x, y, w, h) in pixels of what is seen of it, "visible": share of it that nothing hides}.
"""
import math

import numpy as np
from PIL import Image, ImageFilter

from .actors import MAKERS, Bicycle, Car, Motorcycle, Person, cloth
from .projection import Camera, Painter, hull, mix, shade, turn

FAR = 140.0        # metres of street that are drawn, and in which there is somebody
MIN_VISIBLE = 0.3  # of an object, or it is not counted
MIN_SIDE = 5       # pixels of a box
TRAFFIC = {"car": 10, "truck": 4, "bus": 3, "motorcycle": 3, "bicycle": 3}  # of 23 vehicles that drive


class Light:
    """The sun or what is left of it, and the lens behind it."""

    def __init__(self, random):
        kind = random.choice(["sun", "cloud", "dusk", "night"], p=[0.45, 0.35, 0.12, 0.08])
        self.night = kind == "night"
        self.level = {"sun": random.uniform(0.95, 1.15), "cloud": random.uniform(0.7, 0.95), "dusk": random.uniform(0.4, 0.6), "night": random.uniform(0.2, 0.3)}[kind]
        self.shadow = random.uniform(0.35, 0.6) if kind == "sun" else 0.0
        azimuth, height = random.uniform(0, 2 * math.pi), random.uniform(0.35, 1.2)
        self.cast = np.array([math.cos(azimuth), math.sin(azimuth)]) / math.tan(height)  # metres of shadow per metre of height
        day = {"sun": ((0.35, 0.55, 0.85), (0.75, 0.85, 0.95)), "cloud": ((0.7, 0.73, 0.77), (0.85, 0.86, 0.88)),
               "dusk": ((0.25, 0.25, 0.45), (0.85, 0.55, 0.4)), "night": ((0.02, 0.02, 0.05), (0.1, 0.1, 0.14))}[kind]
        self.sky_high, self.sky_low = (tuple(np.clip(np.array(c) + random.normal(0, 0.03, 3), 0, 1)) for c in day)
        self.haze = random.uniform(0, 0.55) if random.random() < 0.3 else 0.0
        self.warmth = random.normal(0, 0.05)
        self.noise = random.uniform(0.5, 4) * (2.5 if self.night else 1)
        self.blur = random.uniform(0.3, 1.1) if random.random() < 0.4 else 0.0
        self.rain = int(random.uniform(60, 300)) if random.random() < 0.08 else 0


class Street:
    def __init__(self, seed, width=640, height=360, busy=1.0, reach=FAR, traffic=None):
        """busy scales how many people and vehicles there are; reach: metres from the camera beyond which there are none; traffic: how often each kind drives, as TRAFFIC."""
        self.random = random = np.random.default_rng(seed)
        self.width, self.height, self.reach = width, height, min(reach, FAR)
        self.light = Light(random)
        elevation = random.choice([random.uniform(1.5, 2.5), random.uniform(2.5, 5), random.uniform(5, 10)])
        pitch = math.atan2(elevation - 1, random.uniform(9, 22)) + random.normal(0, 0.03)
        self.camera = Camera(width, height, elevation, pitch, math.radians(random.uniform(50, 88)), random.normal(0, 0.012))
        self.lanes = int(random.integers(1, 4))
        self.road = 3.3 * self.lanes + random.uniform(1, 5)
        self.walk = random.uniform(2, 5)
        side = random.choice([-1, 1])
        self.offset = side * random.uniform(0, self.road / 2 + self.walk) if elevation > 2.5 else side * (self.road / 2 + random.uniform(0.5, self.walk))
        self.yaw = -math.copysign(random.uniform(-0.25, 0.75), self.offset)  # mostly across the road
        tone = random.uniform(0.25, 0.5)
        self.asphalt = (tone, tone, tone * random.uniform(0.95, 1.08))
        self.pavement = shade((0.62, 0.6, 0.57), random.uniform(0.7, 1.15))
        self.ground = (0.25, 0.4, 0.18) if random.random() < 0.5 else shade(self.pavement, 0.9)
        self.props = self._make_props()
        self.actors = self._make_actors(busy, traffic or TRAFFIC)
        for actor in self.actors:
            actor.light = self.light.level * random.uniform(0.93, 1.05)

    # --- The plan of the street: (s along it, d across it) -> (x, y)

    def at(self, s, d):
        sin, cos = math.sin(self.yaw), math.cos(self.yaw)
        d = d - self.offset
        return cos * d - sin * s, sin * d + cos * s + 8.0

    def course(self, s, d, ds, dd):
        """Start and velocity of who begins at (s, d) and goes (ds, dd) metres a second."""
        x, y = self.at(s, d)
        x2, y2 = self.at(s + ds, d + dd)
        return (x, y), (x2 - x, y2 - y)

    def _make_props(self):
        random, props = self.random, []
        edge = self.road / 2 + self.walk
        for side in (-1, 1):
            if random.random() < 0.75:
                s = -30.0
                while s < FAR:
                    length = random.uniform(8, 25)
                    if random.random() < 0.85:
                        props.append(("house", s, side * edge, length - random.uniform(0, 2), side * random.uniform(6, 12), random.uniform(5, 18), cloth(random)))
                    s += length
            for s in np.arange(random.uniform(-20, 0), FAR, random.uniform(9, 25)):
                kind = random.choice(["tree", "lamp", "sign", "bin"])
                props.append((kind, s + random.normal(0, 1), side * (self.road / 2 + random.uniform(0.4, 1)), random.uniform(0.8, 1.3), cloth(random)))
        return props

    def _make_actors(self, busy, traffic):
        random, actors = self.random, []
        half = self.road / 2
        vehicles = [kind for kind, often in traffic.items() for _ in range(often)]

        def count(mean):
            return int(random.poisson(mean * busy))

        for side in (-1, 1):
            s = random.uniform(-20, 5)
            for _ in range(count(4)):  # driving on the right
                kind = random.choice(vehicles)
                slow = kind == "bicycle"
                lane = side * (max(half - 2.4, 0.4 * half) if slow else min(random.uniform(0.3, 0.7) * half, max(half - 3.1, 0.3 * half)))  # clear of who is parked
                speed = random.uniform(3, 6) if slow else random.uniform(0, 13)
                actors.append(MAKERS[kind](random, self.course(s, lane, side * speed, 0)))
                s += random.uniform(7, 24)
            if random.random() < 0.6 and half > 4.3:
                s = random.uniform(-10, 10)
                for _ in range(count(5)):  # parked
                    kind = random.choice(["car"] * 9 + ["truck", "bicycle", "motorcycle"])
                    maker, across = MAKERS[kind], side * (half + (0.2 if kind in ("bicycle", "motorcycle") else -0.9))
                    path = self.course(s, across, side * 1e-3, 0)
                    actors.append(maker(random, path, False) if maker in (Bicycle, Motorcycle) else maker(random, path))
                    s += random.uniform(5.5, 9)
            for _ in range(count(5)):  # on the pavement, alone or in company
                s, d = random.uniform(-8, 45), side * (half + random.uniform(0.6, self.walk))
                speed = random.choice([-1, 1]) * random.uniform(0.8, 1.7) if random.random() < 0.85 else 1e-3
                for n in range(int(random.integers(1, 4)) if random.random() < 0.3 else 1):
                    actors.append(Person(random, self.course(s + random.normal(0, 0.3), d + 0.7 * n, speed, 0)))
        for _ in range(count(2)):  # crossing
            side = random.choice([-1, 1])
            actors.append(Person(random, self.course(random.uniform(-4, 30), side * random.uniform(0, half), 0, -side * random.uniform(0.8, 1.7))))
        if random.random() < 0.3:
            actors.append(Bicycle(random, self.course(random.uniform(0, 25), half + 0.8, random.choice([-1, 1]) * random.uniform(2, 5), 0)))
        return self._apart(actors)

    def _apart(self, actors):
        """Leaves out vehicles that would stand in one another, and what would stand in front of the lens."""
        kept = []
        for actor in actors:
            x, y = actor.place(0)
            if math.hypot(x, y) < 2.5 + actor.extent()[1]:
                continue
            reach = sum(actor.extent()[:2]) / 2
            if all(math.hypot(x - a.place(0)[0], y - a.place(0)[1]) > (reach + sum(a.extent()[:2]) / 2) * 0.9 or isinstance(actor, Person) for a in kept):
                kept.append(actor)
        return kept

    # --- Drawing

    def _strip(self, painter, d0, d1, colour, s0=-30.0, s1=FAR):
        """A band of the ground along the street, in pieces, so that what lies behind the lens is cut off cleanly."""
        for a in np.arange(s0, s1, 10.0):
            b = min(a + 10.2, s1)
            painter.polygon([(*self.at(a, d0), 0), (*self.at(b, d0), 0), (*self.at(b, d1), 0), (*self.at(a, d1), 0)], shade(colour, self.light.level))

    def _background(self, painter):
        rows = painter.camera.horizon()
        bands = np.linspace(0, max(rows, 1), 24)
        for a, b in zip(bands, bands[1:]):
            painter.flat([(0, a), (self.width, a), (self.width, b + 1), (0, b + 1)], mix(self.light.sky_high, self.light.sky_low, a / max(rows, 1)))
        painter.flat([(-50, rows), (self.width + 50, rows), (self.width + 50, self.height + 50), (-50, self.height + 50)], shade(self.ground, self.light.level))
        half = self.road / 2
        self._strip(painter, -half - self.walk, half + self.walk, self.pavement)
        self._strip(painter, -half - 0.15, half + 0.15, shade(self.pavement, 1.2))
        self._strip(painter, -half, half, self.asphalt)
        white = (0.85, 0.85, 0.82)
        for a in np.arange(-30, FAR, 6.0):
            for lane in range(1, max(self.lanes, 2)):
                d = -half + lane * self.road / max(self.lanes, 2)
                self._strip(painter, d - 0.07, d + 0.07, white, a, a + 3)
        if self.lanes > 1:
            for d in np.arange(-half + 0.3, half - 0.3, 1.0):
                self._strip(painter, d, d + 0.5, white, 12, 15)

    def _box(self, painter, s0, s1, d0, d1, height, colour, windows):
        corners = {(i, j): self.at((s0, s1)[i], (d0, d1)[j]) for i in (0, 1) for j in (0, 1)}
        for a, b in (((0, 0), (1, 0)), ((0, 0), (0, 1)), ((1, 0), (1, 1))):
            (x0, y0), (x1, y1) = corners[a], corners[b]
            light = self.light.level * (0.75 + 0.25 * abs(math.cos(math.atan2(y1 - y0, x1 - x0))))
            painter.polygon([(x0, y0, 0), (x1, y1, 0), (x1, y1, height), (x0, y0, height)], shade(colour, light))
            if not windows or a[1] != b[1]:
                continue
            glass = (0.8, 0.75, 0.5) if self.light.night else shade((0.3, 0.36, 0.42), light)
            columns = max(int((s1 - s0) / 3), 1)
            for z in np.arange(1.0, height - 1.8, 3.0):
                for c in range(columns):
                    u, v = (c + 0.25) / columns, (c + 0.75) / columns
                    p, q = (x0 + (x1 - x0) * u, y0 + (y1 - y0) * u), (x0 + (x1 - x0) * v, y0 + (y1 - y0) * v)
                    painter.polygon([(*p, z), (*q, z), (*q, z + 1.6), (*p, z + 1.6)], glass)

    def _prop(self, painter, prop):
        kind, s, d, size, *rest = prop
        level = self.light.level
        if kind == "house":
            self._box(painter, s, s + size, d, d + rest[0], rest[1], mix(rest[2], (0.6, 0.55, 0.5), 0.5), True)
            return
        x, y = self.at(s, d)
        if kind == "tree":
            painter.limb((x, y, 0), (x, y, 2.6 * size), 0.25, shade((0.3, 0.22, 0.15), level))
            for n in range(6):
                a = n * 2.4
                painter.disc((x + 0.7 * math.cos(a), y + 0.7 * math.sin(a), (3.1 + 0.25 * (n % 3)) * size), 0.85 * size, shade((0.16, 0.32, 0.12), level * (0.8 + 0.08 * n)))
        elif kind == "lamp":
            painter.limb((x, y, 0), (x, y, 6 * size), 0.16, shade((0.4, 0.42, 0.44), level), 0.1)
            painter.limb((x, y, 6 * size), (x + 0.9, y, 6.1 * size), 0.12, shade((0.5, 0.5, 0.45), level))
        elif kind == "sign":
            painter.limb((x, y, 0), (x, y, 2.3), 0.07, shade((0.55, 0.55, 0.55), level))
            painter.disc((x, y, 2.4), 0.32, shade(rest[0], level))
        else:
            painter.limb((x, y, 0.1), (x, y, 0.8), 0.5, shade(rest[0], level * 0.7))

    def _shadow(self, painter, actor, t):
        light = self.light
        corners = actor.corners(t)
        if light.shadow:
            corners[:, :2] += light.cast * corners[:, 2:]
        else:  # under a cloud only the ground below an object is darker
            middle = corners[:, :2].mean(axis=0)
            corners[:, :2] = middle + (corners[:, :2] - middle) * 1.1
        outline = hull(corners[:, :2])
        if len(outline) >= 3:
            painter.polygon([(*p, 0) for p in outline], (0.02, 0.02, 0.04), light.shadow or 0.22)

    def _depths(self, t):
        """Distance of every actor, but beside a longer one always on the side of it where it stands: whoever is beyond the plane of a vehicle's flank or end, seen from the lens, is farther."""
        depths = [math.hypot(*actor.place(t)) for actor in self.actors]
        longest = sorted(range(len(depths)), key=lambda n: -self.actors[n].extent()[1])
        for place, n in enumerate(longest):
            x, y = self.actors[n].place(t)
            for m in longest[:place]:
                big = self.actors[m]
                reach, (bx, by) = big.extent()[:2], big.place(t)
                if reach[1] < 0.7 or math.hypot(x - bx, y - by) > reach[1] + 3:
                    continue
                mine, lens = (turn([(px - bx, py - by, 0)], -big.heading())[0] for px, py in ((x, y), (0, 0)))
                axis = next((a for a in (0, 1) if abs(mine[a]) >= reach[a]), None)
                if axis is not None:
                    nearer = lens[axis] * math.copysign(1, mine[axis]) > reach[axis]
                    depths[n] = min(depths[n], depths[m] - 0.02) if nearer else max(depths[n], depths[m] + 0.02)
        return depths

    def _layers(self, t):
        """Everything that stands in the street, farthest first: (distance, draw, actor or None)."""
        layers, depths = [], self._depths(t)
        for prop in self.props:
            s, d = prop[1], prop[2]
            if prop[0] == "house":
                s, d = s + prop[3] / 2, d + prop[4] / 2
            layers.append((math.hypot(*self.at(s, d)) + (4 if prop[0] == "house" else 0), prop, None))
        for track, actor in enumerate(self.actors):
            layers.append((depths[track], None, (2 * track, actor)))
            rider = getattr(actor, "rider", None)
            if rider is not None:
                rider.light = actor.light
                layers.append((depths[track] - 0.01, None, (2 * track + 1, rider)))
        return sorted(layers, key=lambda layer: -layer[0])

    def _drawn(self, actor, distance):
        return 1.5 + actor.extent()[1] < distance < self.reach

    def frame(self, t):
        painter = Painter(self.camera)
        self._background(painter)
        layers = self._layers(t)
        for distance, _, who in layers:
            if who is not None and who[0] % 2 == 0 and self._drawn(who[1], distance):
                self._shadow(painter, who[1], t)
        owner = np.full((self.height, self.width), -1, np.int16)
        sizes = {}
        for distance, prop, who in layers:
            painter.begin_mask()
            if who is None:
                self._prop(painter, prop)
            elif self._drawn(who[1], distance):
                who[1].draw(painter, t)
            mask = painter.end_mask()
            owner[mask] = -1 if who is None else who[0]
            if who is not None and mask.any():
                sizes[who[0]] = (who[1].label, int(mask.sum()))
        return self._develop(painter.array()), self._objects(owner, sizes)

    def _objects(self, owner, sizes):
        found = []
        for track, (label, size) in sorted(sizes.items()):
            rows, columns = np.nonzero(owner == track)
            if len(rows) < max(MIN_VISIBLE * size, 12):
                continue
            x, y = int(columns.min()), int(rows.min())
            w, h = int(columns.max()) + 1 - x, int(rows.max()) + 1 - y
            if min(w, h) >= MIN_SIDE:
                found.append({"track": track, "label": label, "box": (x, y, w, h), "visible": round(len(rows) / size, 3)})
        return found

    def _develop(self, picture):
        """What air, lens and sensor do."""
        light, random = self.light, self.random
        image = picture.astype(np.float32)
        if light.haze:
            rows = np.arange(self.height)[:, None, None]
            air = light.haze * np.exp(-np.maximum(rows - self.camera.horizon(), 0) / (0.18 * self.height))
            image += (255 * np.array(light.sky_low, np.float32) * light.level - image) * air
        if not hasattr(self, "_field"):  # light and dirt that lie over the picture and do not move
            coarse = random.normal(1, 0.04, (6, 9)).clip(0.85, 1.15)
            fine = random.normal(1, 0.012, (self.height // 4, self.width // 4))
            self._field = np.asarray(Image.fromarray(coarse).resize((self.width, self.height), Image.BICUBIC)) * \
                np.asarray(Image.fromarray(fine).resize((self.width, self.height), Image.BICUBIC))
        image *= self._field[:, :, None] * np.array([1 + light.warmth, 1, 1 - light.warmth])
        image = Image.fromarray(np.clip(image, 0, 255).astype(np.uint8))
        if light.blur:
            image = image.filter(ImageFilter.GaussianBlur(light.blur))
        image = np.asarray(image).astype(np.float32)
        for _ in range(light.rain):
            x, y, length = random.integers(0, self.width), random.integers(0, self.height - 12), random.integers(5, 12)
            image[y : y + length, x] += 0.35 * (220 - image[y : y + length, x])
        image += random.normal(0, light.noise, image.shape)
        return np.clip(image, 0, 255).astype(np.uint8)

    def frames(self, count, fps, start=0.0):
        for n in range(count):
            yield self.frame(start + n / fps)
