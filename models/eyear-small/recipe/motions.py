"""Drawn machines in motion: a fixed camera films one cycle of a gripper, a wheel, a conveyor, a piston, a cam, a screwdriver, an
arm or a door; good ones differ in phase, speed, light and noise by a little, bad ones by a fault. Each clip comes with where and
when the fault shows: where it differs from the same cycle without it. As a command it writes a set for `eyear eval`:

    python motions.py --out sets/gripper --family gripper --seed 1
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

KINDS = ("stopped", "slow", "fast", "late", "jerk", "path", "missing", "reversed", "foreign")
FAMILIES = ("gripper", "wheel", "conveyor", "piston", "cam", "screwdriver", "arm", "door")
# Rows and columns of the masks.
MASK = 28
# Levels by which a fault must change the picture to show.
SHOWS = 12.0


@dataclass
class Clip:
    """`u8[frames, height, width, 3]`, RGB, at `rate` frames a second; where the fault shows, `bool[frames, MASK, MASK]`."""

    frames: np.ndarray
    rate: float
    fault: np.ndarray


def follow(track, at):
    """The value of a track, `[(share of the cycle, value), ...]`, with soft starts and stops."""
    at = np.clip(at, 0.0, 1.0)
    for (begin, value), (end, to) in zip(track, track[1:]):
        if at <= end:
            share = (at - begin) / max(end - begin, 1e-6)
            share = np.clip(share, 0.0, 1.0)
            return value + (to - value) * share * share * (3 - 2 * share)
    return track[-1][1]


def even(track, at):
    """The same at an even speed."""
    return float(np.interp(np.clip(at, 0.0, 1.0), *zip(*track)))


class Motion:
    """A machine. What it has once and for all is made in `__init__`, by `rng`; `clip` films one cycle."""

    def __init__(self, rng, family=None):
        self.family = family or str(rng.choice(FAMILIES))
        self.height, self.width = int(rng.choice([120, 144, 168])), int(rng.choice([160, 192, 208]))
        self.rate = float(rng.choice([12.0, 15.0, 20.0, 25.0]))
        self.count = max(18, int(self.rate * rng.uniform(1.2, 3.2)))
        self.turned = rng.random() < 0.35, rng.random() < 0.5  # upside down, mirrored
        self.colours = [tuple(float(v) for v in rng.uniform(20, 235, 3)) for _ in range(6)]
        self.scale = min(self.height, self.width) / 120.0
        self.noise = rng.uniform(1.0, 6.0)
        self.wander = rng.uniform(0.008, 0.025)  # deviation of the phase, and of the speed
        self.quality = int(rng.integers(80, 95))
        self.tracks, self.even = {}, set()
        self.ground = self.background(rng)
        self.own = {key: float(rng.uniform()) for key in "abcdefgh"}
        getattr(self, f"make_{self.family}")(rng)

    # What each family has: tracks, and how it is drawn with the values of these.

    def make_gripper(self, rng):
        a, b = rng.uniform(0.15, 0.35), rng.uniform(0.65, 0.85)
        home = rng.uniform(a, b)
        t = np.cumsum(rng.uniform(0.7, 1.3, 9))
        t = 0.04 + 0.92 * t / t[-1]
        up, low = rng.uniform(0.15, 0.28), rng.uniform(0.55, 0.68)
        self.tracks = {
            "x": [(0, home), (t[0], a), (t[3], a), (t[4], b), (t[7], b), (t[8], home)],
            "y": [(0, up), (t[0], up), (t[1], low), (t[2], low), (t[3], up), (t[4], up), (t[5], low), (t[6], low), (t[7], up)],
            "open": [(0, 1.0), (t[1], 1.0), (t[2], 0.0), (t[5], 0.0), (t[6], 1.0)],
        }
        self.grasp, self.place, self.where, self.low = t[2], t[5], (a, b), low

    def draw_gripper(self, picture, values, phase, draw):
        w, h, s = self.width, self.height, self.scale
        x, y, wide = values["x"] * w, values["y"] * h, (6 + 7 * values["open"]) * s
        draw.box((0, self.low * h + 22 * s), (w, self.low * h + 30 * s), 0)
        held = self.grasp <= phase < self.place
        at = (x, y + 14 * s) if held else (self.where[int(phase >= self.place)] * w, self.low * h + 14 * s)
        draw.box((at[0] - 7 * s, at[1] - 7 * s), (at[0] + 7 * s, at[1] + 7 * s), 1)
        draw.line((x, 0), (x, y - 6 * s), 7, 2)
        draw.box((x - 15 * s, y - 8 * s), (x + 15 * s, y), 3)
        for side in (-1, 1):
            draw.box((x + side * wide - 2.5 * s, y), (x + side * wide + 2.5 * s, y + 16 * s), 4)

    def make_wheel(self, rng):
        turn = rng.choice([-1, 1]) * rng.uniform(0.5, 2.2)
        stops = int(rng.integers(1, 4))
        if rng.random() < 0.5:
            self.tracks = {"turn": [(0, 0.0), (1, turn)]}
            self.even.add("turn")
        else:  # from stop to stop
            edges = np.linspace(0.05, 0.95, 2 * stops + 1)
            self.tracks = {"turn": [(0, 0.0)] + [(e, turn * ((i + 1) // 2) / stops) for i, e in enumerate(edges)]}
        self.marks = [(rng.uniform(0, 1), rng.uniform(0.4, 0.8), rng.uniform(3, 7)) for _ in range(int(rng.integers(1, 5)))]
        self.spokes = int(rng.integers(0, 7))

    def draw_wheel(self, picture, values, phase, draw):
        s, o = self.scale, self.own
        centre = np.array([self.width * (0.35 + 0.3 * o["a"]), self.height * (0.42 + 0.16 * o["b"])])
        radius = (34 + 14 * o["c"]) * s
        draw.disc(centre, radius, 0)
        draw.disc(centre, radius * 0.88, 1)
        turn = lambda share: 2 * np.pi * (values["turn"] + share)
        for i in range(self.spokes):
            along = np.array([np.cos(turn(i / self.spokes)), np.sin(turn(i / self.spokes))])
            draw.line(centre + 0.15 * radius * along, centre + 0.85 * radius * along, 4, 2)
        for share, out, size in self.marks:
            draw.disc(centre + out * radius * np.array([np.cos(turn(share)), np.sin(turn(share))]), size * s, 3)
        draw.disc(centre, 6 * s, 4)

    def make_conveyor(self, rng):
        self.tracks = {"belt": [(0, 0.0), (1, rng.choice([-1, 1]) * rng.uniform(0.5, 1.0))]}
        self.even.add("belt")
        t = rng.uniform(0.25, 0.6)
        self.tracks["stamp"] = [(0, 0.0), (t - 0.08, 0.0), (t, 1.0), (t + 0.05, 1.0), (t + 0.15, 0.0)]
        self.items = [(i / 3 + rng.uniform(-0.05, 0.05), int(rng.integers(3))) for i in range(-6, 9)]

    def draw_conveyor(self, picture, values, phase, draw):
        w, h, s = self.width, self.height, self.scale
        level = (0.6 + 0.12 * self.own["a"]) * h
        draw.box((0, level), (w, level + 8 * s), 0)
        for i in range(-30, 60):
            x = (i / 15 + values["belt"]) * w
            draw.line((x, level + 1), (x - 4 * s, level + 8 * s), 1.5, 5)
        for place, shape in self.items:
            x, r = (place + values["belt"]) * w, 9 * s
            if shape == 0:
                draw.box((x - r, level - 1.6 * r), (x + r, level), 1)
            elif shape == 1:
                draw.disc((x, level - r), r, 2)
            else:
                draw.box((x - 0.6 * r, level - 2.2 * r), (x + 0.6 * r, level), 2)
        x, y = (0.3 + 0.4 * self.own["b"]) * w, h * (0.05 + 0.18 * values["stamp"])
        draw.box((x - 5 * s, 0), (x + 5 * s, y), 3)
        draw.box((x - 12 * s, y), (x + 12 * s, y + 7 * s), 4)

    def make_piston(self, rng):
        turn = rng.choice([-1, 1]) * rng.uniform(0.8, 2.0)
        self.tracks = {"turn": [(0, 0.0), (1, turn)], "valve": [(0, 0.0), (0.3, 0.0), (0.4, 1.0), (0.6, 1.0), (0.7, 0.0)]}
        self.even.add("turn")

    def draw_piston(self, picture, values, phase, draw):
        w, h, s, o = self.width, self.height, self.scale, self.own
        centre, crank, rod = np.array([0.27 * w, (0.45 + 0.15 * o["a"]) * h]), (16 + 8 * o["b"]) * s, (48 + 12 * o["c"]) * s
        angle = 2 * np.pi * (values["turn"] + o["d"])
        pin = centre + crank * np.array([np.cos(angle), np.sin(angle)])
        head = np.array([pin[0] + np.sqrt(max(rod**2 - (pin[1] - centre[1]) ** 2, 0)), centre[1]])
        draw.box((centre[0] + rod - crank - 4 * s, centre[1] - 15 * s), (w, centre[1] - 11 * s), 0)
        draw.box((centre[0] + rod - crank - 4 * s, centre[1] + 11 * s), (w, centre[1] + 15 * s), 0)
        draw.disc(centre, crank + 6 * s, 1)
        draw.line(pin, head, 5, 2)
        draw.disc(pin, 4 * s, 3)
        draw.box(head + np.array([-9, -10]) * s, head + np.array([9, 10]) * s, 4)
        top = centre[1] - 15 * s - 16 * s * values["valve"]
        draw.box((0.86 * w - 4 * s, top - 14 * s), (0.86 * w + 4 * s, top), 5)

    def make_cam(self, rng):
        self.tracks = {"turn": [(0, 0.0), (1, rng.choice([-1, 1]) * rng.uniform(0.6, 1.6))]}
        if rng.random() < 0.5:
            self.even.add("turn")
        angles = np.linspace(0, 2 * np.pi, 73)[:-1]
        self.outline = 1 + sum(rng.uniform(-0.22, 0.22) * np.cos(n * angles + rng.uniform(0, 7)) for n in (1, 2, 3))

    def draw_cam(self, picture, values, phase, draw):
        w, h, s, o = self.width, self.height, self.scale, self.own
        centre, radius = np.array([(0.4 + 0.2 * o["a"]) * w, 0.68 * h]), (21 + 6 * o["b"]) * s
        angles = np.linspace(0, 2 * np.pi, 73)[:-1] + 2 * np.pi * values["turn"]
        points = centre + radius * self.outline[:, None] * np.stack([np.cos(angles), np.sin(angles)], 1)
        draw.fill(points, 0)
        draw.disc(points[0] * 0.4 + centre * 0.6, 3.5 * s, 3)
        draw.disc(centre, 4 * s, 1)
        near = points[np.abs(points[:, 0] - centre[0]) < 6 * s]
        top = near[:, 1].min() if len(near) else centre[1] - radius
        draw.box((centre[0] - 4 * s, 0), (centre[0] + 4 * s, top), 2)
        draw.box((centre[0] - 11 * s, top - 44 * s), (centre[0] + 11 * s, top - 36 * s), 4)

    def make_screwdriver(self, rng):
        a, b, c, d = np.cumsum(rng.uniform(0.12, 0.28, 4))
        self.tracks = {
            "y": [(0, 0.0), (a, 1.0), (a + b * 0.6, 1.35), (a + b * 0.6 + 0.03, 1.35), (0.93, 0.0)],
            "spin": [(0, 0.0), (a, 0.0), (a + b * 0.6, rng.uniform(1.5, 3.0)), (1, rng.uniform(1.5, 3.0))],
        }
        self.tracks["spin"][-1] = (1, self.tracks["spin"][-2][1])
        self.even.add("spin")
        self.reached = a

    def draw_screwdriver(self, picture, values, phase, draw):
        w, h, s, o = self.width, self.height, self.scale, self.own
        x, rest = (0.35 + 0.3 * o["a"]) * w, 0.74 * h
        draw.box((x - 32 * s, rest), (x + 32 * s, rest + 14 * s), 0)
        tip = h * 0.3 + (rest - 8 * s - h * 0.3) * min(values["y"], 1.0) + max(values["y"] - 1, 0) * 16 * s
        sunk = max(values["y"] - 1, 0) * 16 * s if phase < self.reached + 1e-3 or values["y"] >= 1 else 0.35 * 16 * s
        draw.box((x - 8 * s, rest - 8 * s + sunk), (x + 8 * s, rest - 3 * s + sunk), 1)
        draw.box((x - 3 * s, rest - 3 * s + sunk), (x + 3 * s, rest), 1)
        draw.box((x - 3 * s, tip - 30 * s), (x + 3 * s, tip), 2)
        draw.box((x - 11 * s, tip - 75 * s), (x + 11 * s, tip - 28 * s), 3)
        for i in range(4):  # what is on the turning chuck moves across it
            share = (values["spin"] + i / 4) % 1.0
            if share < 0.5:
                at = x - 10 * s * np.cos(2 * np.pi * share)
                draw.line((at, tip - 48 * s), (at, tip - 30 * s), 2, 5)

    def make_arm(self, rng):
        t = np.sort(rng.uniform(0.12, 0.9, 3))
        a, b, c = rng.uniform(-0.9, 0.3), rng.uniform(-0.3, 0.9), rng.uniform(-0.6, 0.6)
        self.tracks = {
            "shoulder": [(0, a), (t[0], a), (t[1], b), (t[2], b), (1, a)],
            "elbow": [(0, c), (t[0], c + rng.uniform(0.4, 1.0)), (t[1], c + 0.3), (t[2], c - rng.uniform(0.3, 0.9)), (1, c)],
        }

    def draw_arm(self, picture, values, phase, draw):
        w, h, s, o = self.width, self.height, self.scale, self.own
        base = np.array([(0.4 + 0.2 * o["a"]) * w, 0.88 * h])
        draw.box(base + np.array([-14, -2]) * s, base + np.array([14, 14]) * s, 0)
        first = base + (38 + 6 * o["b"]) * s * np.array([np.sin(values["shoulder"]), -np.cos(values["shoulder"])])
        angle = values["shoulder"] + values["elbow"]
        hand = first + (32 + 6 * o["c"]) * s * np.array([np.sin(angle), -np.cos(angle)])
        draw.line(base, first, 9, 1)
        draw.line(first, hand, 6, 2)
        for joint, size in ((base, 7), (first, 6), (hand, 5)):
            draw.disc(joint, size * s, 3)

    def make_door(self, rng):
        t = np.sort(rng.uniform(0.1, 0.92, 4))
        t += np.arange(4) * 0.01
        self.tracks = {
            "left": [(0, 0.0), (t[0], 0.0), (t[1], 1.0), (t[2], 1.0), (t[3], 0.0)],
            "right": [(0, 0.0), (t[0] + 0.03, 0.0), (t[1] + 0.05, 1.0), (t[2], 1.0), (min(t[3] + 0.04, 1.0), 0.0)],
            "tray": [(0, 0.0), (t[1], 0.0), ((t[1] + t[2]) / 2, 1.0), (t[2], 0.0)],
        }

    def draw_door(self, picture, values, phase, draw):
        w, h, s = self.width, self.height, self.scale
        draw.box((0.18 * w, 0.2 * h), (0.82 * w, 0.75 * h), 5)
        y = h * (0.42 + 0.4 * values["tray"])
        draw.box((0.36 * w, y - 6 * s), (0.64 * w, y + 10 * s), 1)
        draw.disc((0.5 * w, y - 8 * s), 7 * s, 4)
        reach = 0.3 * w
        for side, key in ((0, "left"), (1, "right")):
            edge = (0.5 + (-1, 1)[side] * 0.002) * w + (-1, 1)[side] * reach * values[key]
            far = edge + (-1, 1)[side] * reach
            draw.box((min(edge, far), 0.18 * h), (max(edge, far), 0.77 * h), 2)
            draw.line((edge, 0.4 * h), (edge, 0.52 * h), 4, 3)

    # The scene.

    def background(self, rng):
        h, w = self.height, self.width
        ground = rng.uniform(60, 190, 3)[None, None] + np.zeros((h, w, 3))
        for blur in (1, 4, 16):
            noise = cv2.GaussianBlur(rng.standard_normal((h, w)), (0, 0), blur)
            ground += rng.uniform(0, 14) * (noise / noise.std())[..., None]
        ground += np.linspace(-1, 1, w)[None, :, None] * rng.uniform(-25, 25)
        ground = np.ascontiguousarray(ground.astype(np.float32))
        for _ in range(int(rng.integers(2, 9))):  # what stands around
            x, y = rng.uniform(0, w), rng.uniform(0, h)
            colour = tuple(float(v) for v in rng.uniform(20, 235, 3))
            if rng.random() < 0.5:
                cv2.rectangle(ground, (int(x), int(y)), (int(x + rng.uniform(5, 50)), int(y + rng.uniform(5, 40))), colour, int(rng.choice([-1, 1, 2])))
            else:
                cv2.circle(ground, (int(x), int(y)), int(rng.uniform(2, 8)), colour, int(rng.choice([-1, 1])))
        return ground

    def draw(self, tracks, phase, foreign=None):
        picture = self.ground.copy()
        values = {key: (even if key in self.even else follow)(track, phase) for key, track in tracks.items()}
        pen = Pen(picture, self.colours, self.scale)
        getattr(self, f"draw_{self.family}")(picture, values, phase, pen)
        if foreign:
            foreign(pen)
        if self.turned[0]:
            picture = picture[::-1]
        return picture[:, ::-1] if self.turned[1] else picture

    def clip(self, rng, kind=None, worse=0.0):
        """One cycle with a fault of this kind, filmed worse by so much, 0 to 1."""
        at = (np.arange(self.count) + 0.5) / self.count
        at = (at - 0.5) * (1 + self.wander * rng.standard_normal()) + 0.5 + self.wander * rng.standard_normal()
        usual = self.tracks
        self.tracks = {key: self.varied(rng, track) for key, track in usual.items()}
        fault = self.fault(rng, kind)
        good = [self.draw(self.tracks, phase) for phase in at]
        bad = good
        if kind:
            bad = [self.draw(fault["tracks"](t), phase, fault["foreign"](t)) for t, phase in zip(at, fault["warp"](at))]
        self.tracks = usual
        shows = np.stack([np.abs(a - b).max(2) > SHOWS for a, b in zip(bad, good)]).astype(np.float32)
        shows = np.stack([cv2.resize(one, (MASK, MASK), interpolation=cv2.INTER_AREA) for one in shows]) > 0.15
        return Clip(self.filmed(rng, bad, worse), self.rate, shows)

    def varied(self, rng, track):
        """A track as it is gone through one time: a little sooner or later, a little farther or less far."""
        sooner, farther = 0.5 * self.wander * rng.standard_normal(), 1 + 0.5 * self.wander * rng.standard_normal()
        begin = track[0][1]
        return [(t + sooner, begin + (value - begin) * farther) for t, value in track]

    def fault(self, rng, kind):
        """How phase, tracks and picture go with a fault, by the time as a share of the clip."""
        done = {"warp": lambda at: at, "tracks": lambda t: self.tracks, "foreign": lambda t: None}
        # In the midst of what happens.
        begin = rng.uniform(0.12, 0.7)
        if kind == "stopped":
            lasts = rng.uniform(0.08, 0.35)
            catches_up = rng.random() < 0.4
            def warp(at):
                held = np.where(at < begin, at, np.maximum(begin, at - lasts))
                if catches_up:  # in the rest of the time
                    rest = max(1 - begin - lasts, 0.05)
                    held = np.where(at < begin + lasts, np.minimum(at, begin), begin + (at - begin - lasts) * (1 - begin) / rest)
                return held
            done["warp"] = warp
        elif kind in ("slow", "fast"):
            factor = rng.uniform(0.6, 0.9) if kind == "slow" else rng.uniform(1.12, 1.7)
            begin = 0.0 if rng.random() < 0.5 else begin
            done["warp"] = lambda at: np.where(at < begin, at, begin + (at - begin) * factor)
        elif kind == "late":
            shift = rng.uniform(0.08, 0.3) * (1 if rng.random() < 0.75 else -1)
            done["warp"] = lambda at: at - shift
        elif kind == "reversed":
            ends = min(begin + rng.uniform(0.2, 0.6), 1.0)
            done["warp"] = (lambda at: 1 - at) if rng.random() < 0.5 else (lambda at: np.where((at < begin) | (at > ends), at, begin + ends - at))
        elif kind in ("jerk", "path", "missing"):
            key = str(rng.choice(list(self.tracks)))
            values = [value for _, value in self.tracks[key]]
            span = max(values) - min(values)
            size = rng.choice([-1, 1]) * span * rng.uniform(0.1, 0.35)
            if kind == "jerk":
                times, lasts = rng.uniform(2, 4), rng.uniform(0.05, 0.14)
                one = rng.random() < 0.4
                swing = lambda t: 1.0 if one else np.sin(2 * np.pi * times * (t - begin) / lasts)
                off = lambda t: size * swing(t) if begin <= t < begin + lasts else 0.0
            elif kind == "path":
                lasts = rng.uniform(0.3, 0.8)
                off = lambda t: size * np.sin(np.pi * np.clip((t - begin + lasts / 2) / lasts, 0, 1)) ** 2
            if kind == "missing":
                track = self.tracks[key]
                if len(track) == 2:  # of one sweep the second half
                    (begin, value), (end, to) = track
                    left = [track[0], ((begin + end) / 2, (value + to) / 2), (end, (value + to) / 2)]
                else:  # it stays until it is where it would have been again
                    first = int(rng.choice([i for i in range(1, len(track)) if abs(track[i][1] - track[i - 1][1]) > 0.2 * span]))
                    stays = track[first - 1][1]
                    again = [i for i in range(first + 1, len(track)) if abs(track[i][1] - stays) < 1e-6] or [len(track)]
                    left = [(t, stays if first <= i < again[0] else v) for i, (t, v) in enumerate(track)]
                done["tracks"] = lambda t: self.tracks | {key: left}
            else:
                moved = lambda t: self.tracks | {key: [(at, value + off(t)) for at, value in self.tracks[key]]}
                done["tracks"] = moved
        elif kind == "foreign":
            lasts, colour, size = rng.uniform(0.15, 0.6), tuple(float(v) for v in rng.uniform(10, 245, 3)), rng.uniform(3, 9)
            a, b = rng.uniform(-0.1, 1.1, 2), rng.uniform(-0.1, 1.1, 2)
            while np.abs(a - b).max() < 0.5:
                b = rng.uniform(-0.1, 1.1, 2)
            round_ = rng.random() < 0.6
            def foreign(t):
                share = (t - begin) / lasts
                if not 0 <= share <= 1:
                    return None
                where = (a + (b - a) * share) * [self.width, self.height]
                return lambda pen: pen.thing(where, size * self.scale, colour, round_)
            done["foreign"] = foreign
        return done

    def filmed(self, rng, scenes, worse):
        """The scenes as a camera shows them."""
        way = int(rng.integers(4)) if worse else -1
        gain, flicker = rng.uniform(0.92, 1.08), rng.uniform(0, 0.012)
        shift = np.float32([[1, 0, rng.uniform(-0.6, 0.6)], [0, 1, rng.uniform(-0.6, 0.6)]])
        noise, blur = self.noise, 0.0
        if way == 0:
            noise += 22 * worse
        elif way == 1:
            blur = 0.4 + 2.2 * worse
        elif way == 2:
            gain *= (1 - 0.65 * worse) if rng.random() < 0.6 else (1 + 0.6 * worse)
        frames = []
        for scene in scenes:
            if way == 3 and frames and rng.random() < 0.6 * worse:  # a frame that was dropped shows the one before
                frames.append(frames[-1])
                continue
            scene = cv2.warpAffine(scene.astype(np.float32), shift, (self.width, self.height), borderMode=cv2.BORDER_REPLICATE)
            if blur:
                scene = cv2.GaussianBlur(scene, (0, 0), blur)
            light = gain * (1 + flicker * rng.standard_normal())
            frames.append(np.clip(scene * light + noise * rng.standard_normal(scene.shape), 0, 255).astype(np.uint8))
        return np.stack(frames)


class Pen:
    """Draws on a picture with the colours of a machine, smoothly."""

    def __init__(self, picture, colours, scale):
        self.picture, self.colours, self.scale = picture, colours, scale

    def fill(self, points, colour):
        cv2.fillPoly(self.picture, [np.round(np.asarray(points) * 16).astype(np.int32)], self.colours[colour], cv2.LINE_AA, 4)

    def box(self, low, high, colour):
        (a, b), (c, d) = low, high
        self.fill([(a, b), (c, b), (c, d), (a, d)], colour)

    def disc(self, centre, radius, colour):
        at = tuple(int(round(v * 16)) for v in centre)
        cv2.circle(self.picture, at, max(1, int(round(radius * 16))), self.colours[colour], -1, cv2.LINE_AA, 4)

    def line(self, a, b, wide, colour):
        a, b = np.asarray(a, float), np.asarray(b, float)
        along = (b - a) / max(np.hypot(*(b - a)), 1e-6)
        across = np.array([-along[1], along[0]]) * wide * self.scale / 2
        self.fill([a + across, b + across, b - across, a - across], colour)

    def thing(self, centre, radius, colour, is_round):
        at = tuple(int(round(v * 16)) for v in centre)
        if is_round:
            cv2.circle(self.picture, at, max(1, int(round(radius * 16))), colour, -1, cv2.LINE_AA, 4)
        else:
            x, y = centre
            points = [(x - radius, y - 0.6 * radius), (x + radius, y - radius), (x + 0.8 * radius, y + radius), (x - 0.7 * radius, y + 0.8 * radius)]
            cv2.fillPoly(self.picture, [np.round(np.asarray(points) * 16).astype(np.int32)], colour, cv2.LINE_AA, 4)


def write(path, clip, quality=90):
    """Writes a clip as Motion JPEG in AVI."""
    height, width = clip.frames.shape[1:3]
    film = cv2.VideoWriter(str(path), cv2.CAP_OPENCV_MJPEG, cv2.VideoWriter_fourcc(*"MJPG"), clip.rate, (width, height))
    film.set(cv2.VIDEOWRITER_PROP_QUALITY, quality)
    for frame in clip.frames:
        film.write(np.ascontiguousarray(frame[..., ::-1]))
    film.release()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--family", choices=FAMILIES)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--taught", type=int, default=14, help="good clips to teach from")
    parser.add_argument("--good", type=int, default=14, help="good clips to judge")
    parser.add_argument("--each", type=int, default=4, help="bad clips of each kind")
    parser.add_argument("--kinds", nargs="*", default=KINDS, choices=KINDS)
    parser.add_argument("--shrink", type=int, default=1, help="times by which frames are smaller")
    parser.add_argument("--quality", type=int, help="of the JPEGs")
    arguments = parser.parse_args()
    rng = np.random.default_rng([arguments.seed, FAMILIES.index(arguments.family or FAMILIES[0])])
    machine = Motion(rng, arguments.family)
    wanted = [("train/good", None, arguments.taught), ("test/good", None, arguments.good)]
    wanted += [(f"test/{kind}", kind, arguments.each) for kind in arguments.kinds]
    for folder, kind, count in wanted:
        (arguments.out / folder).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            clip = machine.clip(rng, kind)
            if arguments.shrink > 1:
                height, width = (side // arguments.shrink // 2 * 2 for side in clip.frames.shape[1:3])
                small = [cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA) for frame in clip.frames]
                clip = Clip(np.stack(small), clip.rate, clip.fault)
            write(arguments.out / folder / f"{i:02}.avi", clip, arguments.quality or machine.quality)


if __name__ == "__main__":
    main()
