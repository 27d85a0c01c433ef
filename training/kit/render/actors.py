"""What moves in the street: people that walk and ride, and vehicles. Each knows its own shape and draws it for a moment in time."""
import math

import numpy as np

from .projection import mix, shade, turn

CLASSES = ("person", "bicycle", "car", "motorcycle", "bus", "truck")
SKIN = ((0.96, 0.80, 0.69), (0.87, 0.67, 0.53), (0.72, 0.51, 0.38), (0.52, 0.35, 0.25), (0.34, 0.22, 0.16))
HAIR = ((0.08, 0.06, 0.05), (0.25, 0.16, 0.09), (0.45, 0.33, 0.2), (0.75, 0.62, 0.4), (0.6, 0.6, 0.6))
PAINT = ((0.9, 0.9, 0.9), (0.75, 0.76, 0.78), (0.5, 0.51, 0.53), (0.15, 0.15, 0.17), (0.08, 0.08, 0.1), (0.55, 0.07, 0.08), (0.1, 0.18, 0.45),
         (0.12, 0.35, 0.2), (0.7, 0.6, 0.4), (0.85, 0.65, 0.1), (0.3, 0.42, 0.6))
TYRE, CHROME, GLASS = (0.06, 0.06, 0.07), (0.6, 0.62, 0.65), (0.16, 0.2, 0.25)


def pick(random, choices):
    return choices[random.integers(len(choices))]


def cloth(random):
    """Clothes are mostly dull, sometimes loud."""
    tone = random.uniform(0.06, 0.85)
    return tuple(np.clip(tone + random.normal(0, 0.22 if random.random() < 0.4 else 0.05, 3), 0.02, 0.98))


class Actor:
    """place(t) gives where it stands (x, y) and its heading; parts(t) may add riders of their own class."""
    label = None

    def __init__(self, random, path):
        self.path = path
        self.phase = random.uniform(0, 2 * math.pi)
        self.light = 1.0

    def place(self, t):
        (x, y), (vx, vy) = self.path
        return x + vx * t, y + vy * t

    def heading(self):
        vx, vy = self.path[1]
        return math.atan2(-vx, vy) if vx or vy else self.phase

    def speed(self):
        return math.hypot(*self.path[1])

    def world(self, points, t):
        """Own coordinates (x to its right, y ahead, z up) -> the street's."""
        x, y = self.place(t)
        return turn(points, self.heading()) + (x, y, 0)

    def extent(self):
        """Half width, half length, height, for its shadow and for keeping apart."""
        raise NotImplementedError

    def corners(self, t):
        w, l, h = self.extent()
        return self.world([(sx * w, sy * l, z) for sx in (-1, 1) for sy in (-1, 1) for z in (0, h)], t)


class Person(Actor):
    label = "person"

    def __init__(self, random, path, pose="walk", seat=0.0):
        super().__init__(random, path)
        self.pose, self.seat = pose, seat
        self.size = random.normal(1.0, 0.05) * (random.uniform(0.6, 0.8) if pose == "walk" and random.random() < 0.08 else 1.0)
        self.wide = random.normal(1.0, 0.1)
        self.skin, self.hair = pick(random, SKIN), pick(random, HAIR)
        self.top, self.bottom, self.shoes = cloth(random), shade(cloth(random), 0.7), shade(cloth(random), 0.4)
        self.sleeves = self.top if random.random() < 0.7 else self.skin
        self.skirt = random.random() < 0.15
        self.bag = cloth(random) if random.random() < 0.25 else None
        self.helmet = cloth(random) if pose == "ride" and random.random() < 0.6 else None
        self.stride = random.uniform(0.45, 0.65)

    def extent(self):
        return 0.28 * self.wide, 0.3, 1.75 * self.size

    def _joints(self, t):
        """Hip, neck, head; per side knee, foot, elbow, hand; metres, for a body of 1.75."""
        if self.pose == "ride":
            turning = self.phase + 2 * math.pi * t * 1.1
            hip, neck, head = (0, -0.25, self.seat), (0, 0.1, self.seat + 0.5), (0, 0.17, self.seat + 0.66)
            sides = []
            for side in (-1, 1):
                pedal = (side * 0.12, 0.1 + 0.15 * math.sin(turning + side * math.pi / 2), self.seat - 0.72 + 0.15 * math.cos(turning + side * math.pi / 2))
                knee = (side * 0.13, 0.18, (self.seat + pedal[2]) / 2 + 0.1)
                sides.append((knee, pedal, (side * 0.26, 0.2, self.seat + 0.22), (side * 0.22, 0.48, self.seat + 0.12)))
            return hip, neck, head, sides
        swing = math.sin(self.phase + 2 * math.pi * t * self.speed() / (2 * self.stride * self.size + 0.3)) if self.speed() > 0.1 else 0.12
        bob = 0.02 * abs(swing)
        hip, neck, head = (0, 0, 0.92 - bob), (0, 0.03, 1.46 - bob), (0, 0.06, 1.64 - bob)
        sides = []
        for side in (-1, 1):
            s = swing * side
            lift = max(0.0, -s) * 0.08
            knee = (side * 0.1, 0.2 * s + 0.06, 0.5)
            foot = (side * 0.1, 0.38 * s - (0.1 if s < 0 else 0), 0.06 + lift)
            elbow = (side * 0.27, -0.16 * s, 1.17 - bob)
            hand = (side * 0.25, -0.3 * s + 0.12, 0.95 - bob + 0.06 * abs(s))
            sides.append((knee, foot, elbow, hand))
        return hip, neck, head, sides

    def draw(self, painter, t):
        hip, neck, head, sides = self._joints(t)
        scale = self.size if self.pose == "walk" else 1.0

        def at(point):
            return self.world([np.multiply(point, scale)], t)[0]

        def limb(a, b, thick, colour, end=None):
            painter.limb(at(a), at(b), thick * scale, shade(colour, self.light), None if end is None else end * scale)

        shoulder = 0.19 * self.wide
        eye = painter.camera.view([at(p[0]) for p in sides])[:, 2]
        order = sorted(range(2), key=lambda i: -eye[i])  # the far side first
        for n, i in enumerate(order):
            side, (knee, foot, elbow, hand) = (-1, 1)[i], sides[i]
            joint = (side * 0.09, hip[1], hip[2])
            limb(joint, knee, 0.17 * self.wide, self.bottom, 0.12)
            limb(knee, foot, 0.12, self.skin if self.skirt else self.bottom, 0.09)
            limb(foot, (foot[0], foot[1] + 0.14, foot[2] - 0.02), 0.09, self.shoes)
            if n == 0:
                self._arm(limb, side * shoulder, neck, elbow, hand)
                self._trunk(limb, hip, neck, shoulder)
        side, (_, _, elbow, hand) = (-1, 1)[order[1]], sides[order[1]]
        self._arm(limb, side * shoulder, neck, elbow, hand)
        limb(neck, head, 0.11, self.skin)
        limb((head[0], head[1] - 0.02, head[2] + 0.02), (head[0], head[1] - 0.02, head[2] + 0.05), 0.21, self.helmet or self.hair)
        limb((head[0], head[1] + 0.035, head[2] - 0.03), (head[0], head[1] + 0.035, head[2] + 0.01), 0.16, self.skin)

    def _trunk(self, limb, hip, neck, shoulder):
        low = (0, hip[1], hip[2] + 0.02)
        if self.skirt:
            limb(low, (0, hip[1], hip[2] - 0.35), 0.3 * self.wide, self.bottom, 0.4)
        limb(low, (0, neck[1], neck[2] - 0.14), 0.3 * self.wide, self.top, 0.38 * self.wide)
        limb((-shoulder + 0.05, neck[1], neck[2] - 0.08), (shoulder - 0.05, neck[1], neck[2] - 0.08), 0.15, self.top)
        if self.bag:
            limb((0, hip[1] - 0.2, hip[2] + 0.15), (0, neck[1] - 0.2, neck[2] - 0.15), 0.26, self.bag)

    def _arm(self, limb, x, neck, elbow, hand):
        limb((x, neck[1], neck[2] - 0.08), elbow, 0.11, self.top, 0.09)
        limb(elbow, hand, 0.08, self.sleeves, 0.07)
        limb(hand, hand, 0.09, self.skin)


class TwoWheeler(Actor):
    """A bicycle or motorcycle; with a rider, who counts as a person of his own."""

    def __init__(self, random, path, ridden=True):
        super().__init__(random, path)
        self.colour = pick(random, PAINT)
        self.radius, self.base, self.seat = self.measures
        self.rider = Person(random, path, "ride", self.seat) if ridden else None

    def extent(self):
        return 0.3, self.base / 2 + self.radius, self.seat + 0.2

    def wheel(self, painter, y, t, fill):
        ring = [(0, y + self.radius * math.cos(a), self.radius * (1 + math.sin(a))) for a in np.linspace(0, 2 * math.pi, 17)[:-1]]
        points = self.world(ring, t)
        if fill:
            painter.polygon(points, shade(TYRE, 1.5 * self.light))
        for a, b in zip(points, np.roll(points, -1, axis=0)):
            painter.limb(a, b, self.tyre, shade(TYRE, self.light))


class Bicycle(TwoWheeler):
    label = "bicycle"
    measures, tyre = (0.34, 1.05, 0.92), 0.045

    def draw(self, painter, t):
        r, half = self.radius, self.base / 2
        for y in (-half, half):
            self.wheel(painter, y, t, False)
        crank, saddle, head, bars = (0, -0.08, 0.3), (0, -0.25, 0.85), (0, half - 0.22, 0.82), (0, half - 0.18, 1.0)
        frame = [(0, -half, r), crank, saddle, (0, -half, r), saddle, head, crank, head, (0, half, r)]
        for a, b in zip(frame, frame[1:]):
            painter.limb(*self.world([a, b], t), 0.045, shade(self.colour, self.light))
        painter.limb(*self.world([head, bars], t), 0.04, shade(CHROME, self.light))
        painter.limb(*self.world([(-0.25, bars[1], bars[2]), (0.25, bars[1], bars[2])], t), 0.04, shade(TYRE, self.light))
        painter.limb(*self.world([(0, -0.36, 0.9), (0, -0.14, 0.9)], t), 0.09, shade(TYRE, self.light))


class Motorcycle(TwoWheeler):
    label = "motorcycle"
    measures, tyre = (0.32, 1.3, 0.82), 0.12

    def draw(self, painter, t):
        r, half = self.radius, self.base / 2
        for y in (-half, half):
            self.wheel(painter, y, t, True)
        paint, dark = shade(self.colour, self.light), shade(TYRE, 2 * self.light)
        painter.limb(*self.world([(0, half, r), (0, half - 0.3, 0.95)], t), 0.08, shade(CHROME, self.light))
        painter.limb(*self.world([(0, -0.3, 0.42), (0, 0.25, 0.45)], t), 0.34, dark)
        painter.limb(*self.world([(0, -half - 0.1, 0.78), (0, 0.0, 0.74)], t), 0.2, dark)
        painter.limb(*self.world([(0, -0.02, 0.78), (0, 0.38, 0.84)], t), 0.28, paint)
        painter.limb(*self.world([(0, half - 0.28, 0.9), (0, half - 0.2, 0.98)], t), 0.24, paint)
        painter.limb(*self.world([(-0.34, half - 0.4, 1.02), (0.34, half - 0.4, 1.02)], t), 0.04, dark)


# Side views: (ahead, up) in parts of length and height, from the rear bumper over the roof to the front; then the glass of the sides, and between which corners
# of the profile the rear and front windows lie.
SEDAN = ([(-0.5, 0.18), (-0.5, 0.62), (-0.36, 0.66), (-0.24, 0.97), (0.08, 1.0), (0.24, 0.66), (0.47, 0.56), (0.5, 0.18)],
         [[(-0.3, 0.68), (-0.2, 0.92), (-0.06, 0.94), (-0.06, 0.67)], [(-0.04, 0.67), (-0.04, 0.94), (0.06, 0.94), (0.19, 0.66)]], (2, 4))
HATCH = ([(-0.5, 0.18), (-0.5, 0.6), (-0.43, 0.95), (0.02, 1.0), (0.22, 0.66), (0.46, 0.55), (0.5, 0.18)],
         [[(-0.43, 0.64), (-0.38, 0.9), (-0.16, 0.93), (-0.16, 0.64)], [(-0.13, 0.64), (-0.13, 0.94), (0.0, 0.94), (0.17, 0.65)]], (1, 3))
ESTATE = ([(-0.5, 0.16), (-0.5, 0.58), (-0.46, 0.96), (0.08, 1.0), (0.25, 0.64), (0.47, 0.56), (0.5, 0.16)],
          [[(-0.45, 0.62), (-0.42, 0.9), (-0.22, 0.93), (-0.22, 0.62)], [(-0.2, 0.62), (-0.2, 0.93), (-0.03, 0.94), (-0.03, 0.62)],
           [(-0.01, 0.62), (-0.01, 0.94), (0.06, 0.94), (0.2, 0.63)]], (1, 3))
BUS = ([(-0.5, 0.1), (-0.5, 0.97), (-0.48, 1.0), (0.48, 1.0), (0.5, 0.95), (0.5, 0.1)],
       [[(-0.47 + n * 0.12, 0.5), (-0.47 + n * 0.12, 0.86), (-0.365 + n * 0.12, 0.86), (-0.365 + n * 0.12, 0.5)] for n in range(8)], (0, 4))
VAN = ([(-0.5, 0.14), (-0.5, 0.97), (-0.46, 1.0), (0.22, 1.0), (0.38, 0.62), (0.49, 0.5), (0.5, 0.14)], [[(0.1, 0.58), (0.1, 0.88), (0.22, 0.88), (0.33, 0.58)]], (None, 3))
CAB = ([(-0.5, 0.12), (-0.5, 0.98), (0.32, 1.0), (0.5, 0.85), (0.5, 0.12)], [[(0.0, 0.55), (0.0, 0.85), (0.3, 0.85), (0.36, 0.55)]], (None, 2))


class Vehicle(Actor):
    """A body that is its side view, drawn out to its width, with wheels at its sides."""

    def __init__(self, random, path):
        super().__init__(random, path)
        shape, length, width, height = self.choose(random)
        self.profile, self.glass, self.screens = shape
        self.length, self.width, self.height = (v * random.normal(1, 0.04) for v in (length, width, height))
        self.paint = pick(random, PAINT) if random.random() < 0.8 else cloth(random)
        self.wheel = self.height * (0.22 if self.height < 2 else 0.16)
        self.lamps = random.random() < 0.3

    def extent(self):
        return self.width / 2, self.length / 2, self.height

    def faces(self):
        """(corners in own coordinates, colour, what lies on it) of the body's outer faces."""
        profile = np.array(self.profile) * (self.length, self.height)
        w = self.width / 2
        inset = 0.12 * w * (profile[:, 1] > 0.7 * self.height) * (self.height < 2)  # cars are narrower at the roof
        for n, (a, b) in enumerate(zip(range(len(profile)), range(1, len(profile)))):
            corners = [(-w + inset[a], *profile[a]), (-w + inset[b], *profile[b]), (w - inset[b], *profile[b]), (w - inset[a], *profile[a])]
            yield corners, self.paint, "screen" if n in self.screens else "rear" if n == 0 else "front" if n == len(profile) - 2 else None
        for side in (-1, 1):
            yield [(side * (w - i), *p) for i, p in zip(inset, profile)], self.paint, "side"

    def draw(self, painter, t):
        eye = np.array([0, 0, painter.camera.elevation])
        seen = []
        for corners, colour, kind in self.faces():
            points = self.world(corners, t)
            normal = np.cross(points[1] - points[0], points[2] - points[1])
            middle = points.mean(axis=0)
            body = self.world([(0, 0, self.height / 2)], t)[0]
            if np.dot(normal, middle - body) < 0:
                normal = -normal
            if np.dot(normal, eye - middle) <= 0:
                continue
            normal = normal / (np.linalg.norm(normal) + 1e-9)
            light = (0.62 + 0.3 * normal[2] + 0.16 * abs(normal[0])) * self.light
            seen.append((self.block(corners, t), np.linalg.norm(middle - eye), corners, points, colour, kind, light))
        self._ground_side(painter, t)
        for _, _, corners, points, colour, kind, light in sorted(seen, key=lambda face: (-face[0], -face[1])):
            painter.polygon(points, shade(colour, light))
            self._details(painter, t, corners, kind, light)

    def block(self, corners, t):
        """How far away that part of the body is which a face belongs to, where there is more than one."""
        return 0.0

    def _ground_side(self, painter, t):
        """The dark below the body, and the wheels of the far side."""
        w, half, z = self.width / 2, self.length / 2, self.height * 0.16
        painter.polygon(self.world([(-w, -half, z), (w, -half, z), (w, half, z), (-w, half, z)], t), shade(TYRE, 0.6))
        for x in (-w * 0.9, w * 0.9):
            self._wheels(painter, t, x)

    def _wheels(self, painter, t, x):
        r = self.wheel
        for y in self.axles():
            for radius, colour in ((r, TYRE), (r * 0.55, CHROME)):
                ring = [(x, y + radius * math.cos(a), r + radius * math.sin(a)) for a in np.linspace(0, 2 * math.pi, 13)[:-1]]
                painter.polygon(self.world(ring, t), shade(colour, self.light * (0.8 if colour is CHROME else 1)))

    def axles(self):
        return (-0.31 * self.length, 0.32 * self.length)

    def _details(self, painter, t, corners, kind, light):
        glass = shade(mix(GLASS, (0.5, 0.6, 0.7), 0.25 * light), light)
        if kind == "screen":
            c = np.array(corners)
            middle = c.mean(axis=0)
            painter.polygon(self.world(middle + (c - middle) * (0.88, 0.9, 0.86), t), glass)
        elif kind == "side":
            x = corners[0][0]
            inset = 0.06 * self.width * (self.height < 2)
            for window in self.glass:
                at = np.array([(x - math.copysign(inset, x), y * self.length, z * self.height) for y, z in window])
                painter.polygon(self.world(at, t), glass)
            self._wheels(painter, t, x * 1.01)
            self.stripe(painter, t, x, light)
        elif kind in ("rear", "front"):
            self._lamps(painter, t, corners, kind)

    def stripe(self, painter, t, x, light):
        pass

    def _lamps(self, painter, t, corners, kind):
        y, w, z = corners[0][1] * 1.005, self.width / 2, self.height * (0.5 if self.height < 2 else 0.25)
        colour = (0.95, 0.95, 0.85) if kind == "front" else (0.7, 0.05, 0.05)
        glow = shade(colour, 1.0 if self.lamps else 0.7 * self.light)
        for side in (-1, 1):
            box = [(side * w * 0.95, y, z), (side * w * 0.68, y, z), (side * w * 0.68, y, z - 0.14), (side * w * 0.95, y, z - 0.14)]
            painter.polygon(self.world(box, t), glow)
        plate = [(-0.26, y, z - 0.2), (0.26, y, z - 0.2), (0.26, y, z - 0.32), (-0.26, y, z - 0.32)]
        painter.polygon(self.world(plate, t), shade((0.9, 0.9, 0.8), self.light))


class Car(Vehicle):
    label = "car"

    def choose(self, random):
        kind = random.random()
        if kind < 0.4:
            return SEDAN, 4.6, 1.8, 1.45
        if kind < 0.65:
            return HATCH, 3.9, 1.72, 1.5
        if kind < 0.9:
            return ESTATE, 4.6, 1.85, 1.62
        return VAN, 4.8, 1.9, 1.95


class Bus(Vehicle):
    label = "bus"

    def choose(self, random):
        return BUS, random.uniform(9, 12.5), 2.5, random.uniform(2.9, 3.2)

    def stripe(self, painter, t, x, light):
        low, high, half = 0.3 * self.height, 0.4 * self.height, 0.49 * self.length
        painter.polygon(self.world([(x, -half, low), (x, half, low), (x, half, high), (x, -half, high)], t), shade(mix(self.paint, (1, 1, 1), 0.6), light))


class Truck(Vehicle):
    label = "truck"

    def choose(self, random):
        self.box = random.random() < 0.75
        self.cargo = pick(random, PAINT)
        if random.random() < 0.25:
            self.box = False
            return VAN, random.uniform(5.8, 7.0), 2.1, random.uniform(2.5, 2.8)
        return CAB, random.uniform(6.5, 10), 2.4, random.uniform(2.7, 3.5)

    def faces(self):
        if self.profile is not CAB[0]:
            yield from super().faces()
            return
        w, half, split, bed = self.width / 2, self.length / 2, self.length / 2 - 1.9, 0.32 * self.height
        top = self.height * (1.08 if self.box else 0.55)
        boxes = [(split, half, 0.15 * self.height, 0.92 * self.height, self.paint, True), (-half, split - 0.1, bed, top, self.cargo, False)]
        for rear, front, low, high, colour, cab in boxes:
            yield [(-w, rear, low), (-w, rear, high), (w, rear, high), (w, rear, low)], colour, None if cab else "rear"
            yield [(-w, front, low), (-w, front, high), (w, front, high), (w, front, low)], colour, "cab" if cab else None
            yield [(-w, rear, high), (-w, front, high), (w, front, high), (w, rear, high)], colour, None
            for side in (-1, 1):
                yield [(side * w, rear, low), (side * w, rear, high), (side * w, front, high), (side * w, front, low)], colour, "door" if cab else "load"

    def block(self, corners, t):
        if self.profile is not CAB[0]:
            return 0.0
        cab = np.mean([c[1] for c in corners]) > self.length / 2 - 1.95
        return np.linalg.norm(self.world([(0, self.length / 2 - 1 if cab else -1, 0)], t)[0])

    def axles(self):
        return (-0.38 * self.length, -0.25 * self.length, 0.36 * self.length) if self.length > 7.5 else super().axles()

    def _details(self, painter, t, corners, kind, light):
        glass, c = shade(GLASS, light), np.array(corners)
        if kind == "cab":
            y, w, h = c[0][1] * 1.003, self.width / 2 * 0.88, self.height
            painter.polygon(self.world([(-w, y, 0.52 * h), (w, y, 0.52 * h), (w, y, 0.85 * h), (-w, y, 0.85 * h)], t), glass)
            self._lamps(painter, t, corners, "front")
        elif kind == "door":
            x, front, h = c[0][0] * 1.003, c[2][1], self.height
            painter.polygon(self.world([(x, front - 1.2, 0.52 * h), (x, front - 1.2, 0.83 * h), (x, front - 0.2, 0.83 * h), (x, front - 0.1, 0.52 * h)], t), glass)
            self._wheels(painter, t, x)
        elif kind == "load":
            self._wheels(painter, t, c[0][0] * 1.003)
        else:
            super()._details(painter, t, corners, kind, light)


MAKERS = {"person": Person, "bicycle": Bicycle, "car": Car, "motorcycle": Motorcycle, "bus": Bus, "truck": Truck}
