"""Drawn parts: families of good parts, each with what varies from one good part to the next. Defects are left to `defects`."""

from dataclasses import dataclass, field

import cv2
import numpy as np


@dataclass
class Picture:
    """A drawn part: `image` f32[side, side, 3] RGB 0 to 255; `body` u8[side, side], 1 where the part is; `bare`, the same
    picture without its components; `components`, a mask of each; `print`, 1 where something is printed."""

    image: np.ndarray
    body: np.ndarray
    bare: np.ndarray
    components: list = field(default_factory=list)
    print: np.ndarray | None = None


def clouds(rng, side, cells, wide=1.0):
    """Noise of one scale, about 0 with a deviation of 1; `wide` stretches it sideways."""
    shape = max(2, round(cells)), max(2, round(cells / wide))
    grid = rng.standard_normal(shape).astype(np.float32)
    plane = cv2.resize(grid, (side, side), interpolation=cv2.INTER_CUBIC)
    return plane / max(plane.std(), 1e-6)


def grain(rng, side, finest=1.0, rough=0.6):
    """Noise of many scales: each coarser one `1 / rough` times as strong as the next finer one."""
    plane, cells, weight = np.zeros((side, side), np.float32), side / finest, 1.0
    while cells >= 3:
        plane += weight * clouds(rng, side, cells)
        cells, weight = cells / 2, weight / rough
    return plane / plane.std()


def turned(plane, degrees):
    side = plane.shape[0]
    matrix = cv2.getRotationMatrix2D((side / 2, side / 2), degrees, 1.0)
    return cv2.warpAffine(plane, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)


def coloured(plane, colour, tint):
    """A plane of brightness as a picture around `colour`; `tint` is how much of it each channel takes."""
    return colour + plane[..., None] * tint


def polygon(points, side):
    mask = np.zeros((side, side), np.uint8)
    cv2.fillPoly(mask, [np.round(points).astype(np.int32)], 1, lineType=cv2.LINE_8)
    return mask


def outline(rng, side, kind, radius):
    """The points of a closed outline around the middle of the picture."""
    angles = np.linspace(0, 2 * np.pi, 180, endpoint=False)
    if kind == "disc":
        r = np.ones_like(angles)
    elif kind == "gear":
        teeth = int(rng.integers(8, 25))
        r = 1 - 0.1 * (np.sin(teeth * angles) > 0)
    elif kind == "plate":
        corner = 0.75 + 0.2 * rng.random()
        r = np.minimum(corner / np.maximum(abs(np.cos(angles)), abs(np.sin(angles))), 1.0)
    else:
        r = 1 + 0.07 * sum(np.sin(n * angles + rng.uniform(0, 7)) * rng.standard_normal() / n for n in (2, 3, 5))
    stretch = np.array([1.0, rng.uniform(0.6, 1.0)])
    return side / 2 + radius * side * r[:, None] * np.stack([np.cos(angles), np.sin(angles)], 1) * stretch


WORDS = "LOT SN REV TYPE 24V 5A IP67 MADE CE OK A1 X7 7301 0042 1986 QC R12 C3 U4 GND VCC MAX KG".split()


class Family:
    """A kind of part. What is drawn once for the part is made in `__init__`, by `rng`; `draw` makes one good part of it."""

    def __init__(self, name, side, rng):
        self.name, self.side = name, side
        self.seed = int(rng.integers(1 << 31))
        self.colour = rng.uniform(40, 210, 3).astype(np.float32) * np.array([1, 1, 1], np.float32)
        if rng.random() < 0.6:
            self.colour = np.full(3, self.colour.mean(), np.float32) + rng.uniform(-12, 12, 3).astype(np.float32)
        self.back = np.clip(self.colour + rng.choice([-1, 1]) * rng.uniform(50, 110), 5, 250).astype(np.float32)
        self.tint = rng.uniform(6, 26) * (self.colour / self.colour.mean()).astype(np.float32)
        self.angle = rng.uniform(0, 180)
        self.scale = rng.uniform(0.6, 1.8)
        self.moves = rng.choice([0.0, 0.01, 0.03])
        self.turns = rng.choice([0.0, 2.0, 180.0], p=[0.5, 0.3, 0.2])
        self.edge = name in BARE and rng.random() < 0.4
        self.outline = outline(rng, side, rng.choice(["disc", "gear", "plate", "blob"]), rng.uniform(0.3, 0.42))
        self.places = self.layout(rng)

    def layout(self, rng):
        """Components: column and row of their middle, radius, kind; they do not touch."""
        if self.name not in LAID_OUT:
            return []
        places = []
        for _ in range(60):
            at, radius = rng.uniform(0.15, 0.85, 2) * self.side, rng.uniform(0.03, 0.09) * self.side
            inside = self.name != "moulded" or all(
                cv2.pointPolygonTest(self.outline.astype(np.float32), tuple(map(float, at + radius * np.array(d))), False) > 0
                for d in ((1, 0), (-1, 0), (0, 1), (0, -1))
            )
            if inside and all(np.hypot(*(at - other)) > 1.25 * (radius + r) for other, r, _ in places):
                places.append((at, radius, int(rng.integers(4))))
        return places[: int(rng.integers(3, 13))]

    def surface(self, rng):
        """f32[side, side]: what the material looks like, about 0 with a deviation of 1."""
        side, name = self.side, self.name
        if name == "brushed":
            return turned(clouds(rng, side, side / self.scale, 24) + 0.5 * clouds(rng, side, side / 3, 8), self.angle)
        if name == "lathed":
            centre = side * np.array([0.5, 0.5]) + (self.scale - 1.2) * side
            y, x = np.mgrid[:side, :side]
            radius = np.hypot(x - centre[0], y - centre[1])
            rings = np.random.default_rng(self.seed).standard_normal(4 * side).astype(np.float32)
            return np.interp(radius / self.scale, np.arange(4 * side), rings).astype(np.float32) + 0.4 * grain(rng, side)
        if name == "cast":
            return grain(rng, side, 1.5 * self.scale, 0.9)
        if name == "woven":
            y, x = np.mgrid[:side, :side] / (2.2 * self.scale)
            wave = 0.4 * clouds(rng, side, 6)
            plane = np.sin(x + wave) * np.sin(y + wave) + 0.3 * np.sin(2 * x) + 0.4 * grain(rng, side)
            return turned(plane.astype(np.float32), self.angle)
        if name == "wood":
            rings = clouds(rng, side, 5, 3) * 3 + clouds(rng, side, 20, 6) * 0.5
            plane = np.sin(rings * 4) + 0.6 * clouds(rng, side, side / 2, 10)
            return turned(plane.astype(np.float32), round(self.angle / 90) * 90)
        if name == "leather":
            plane = grain(rng, side, 6 * self.scale, 1.4)
            return np.abs(plane) * -1.5 + 1 + 0.3 * grain(rng, side)
        if name == "crumb":
            return 0.8 * grain(rng, side, 2, 0.8) + 1.2 * (clouds(rng, side, 40) > 1.6) - 1.0 * (clouds(rng, side, 60) > 1.8)
        return 0.7 * grain(rng, side, 1.0, 0.5) + 0.15 * clouds(rng, side, 3)

    def body(self):
        side = self.side
        if self.name in ("moulded", "crumb"):
            return polygon(self.outline, side)
        if self.edge:
            far = np.array([[-2, -2], [2, -2], [2, 0.25], [-2, 0.25]]) * side
            turn = np.deg2rad(self.angle)
            rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
            return polygon(far @ rotation + side / 2, side)
        return np.ones((side, side), np.uint8)

    def component(self, image, mask, place):
        """Draws one component into `image` and `mask`."""
        (x, y), radius, kind = place
        middle, r = (round(float(x)), round(float(y))), max(2, round(float(radius)))
        fixed = np.random.default_rng([self.seed, middle[0], middle[1]])
        dark, light = fixed.uniform(10, 70, 3), fixed.uniform(150, 240, 3)
        if kind == 0:  # a screw
            cv2.circle(image, middle, r, dark.tolist(), -1, cv2.LINE_AA)
            cv2.circle(image, middle, round(0.8 * r), light.tolist(), -1, cv2.LINE_AA)
            turn = fixed.uniform(0, np.pi)
            for a in (turn, turn + np.pi / 2):
                d = (0.6 * r * np.array([np.cos(a), np.sin(a)])).round().astype(int)
                cv2.line(image, (middle[0] - d[0], middle[1] - d[1]), (middle[0] + d[0], middle[1] + d[1]), dark.tolist(), max(1, r // 5), cv2.LINE_AA)
            cv2.circle(mask, middle, r, 1, -1)
        elif kind == 1:  # a chip with legs
            w, h = r, max(2, round(0.6 * r))
            for i in range(-2, 3):
                x0 = middle[0] + i * w // 3
                cv2.line(image, (x0, middle[1] - h - 2), (x0, middle[1] + h + 2), light.tolist(), 1)
            cv2.rectangle(image, (middle[0] - w, middle[1] - h), (middle[0] + w, middle[1] + h), dark.tolist(), -1)
            cv2.rectangle(mask, (middle[0] - w, middle[1] - h - 2), (middle[0] + w, middle[1] + h + 2), 1, -1)
        elif kind == 2:  # a pad or a rivet
            cv2.circle(image, middle, r, light.tolist(), -1, cv2.LINE_AA)
            cv2.circle(image, middle, max(1, r // 2), (0.7 * light).tolist(), -1, cv2.LINE_AA)
            cv2.circle(mask, middle, r, 1, -1)
        else:  # a plug
            cv2.rectangle(image, (middle[0] - r, middle[1] - r), (middle[0] + r, middle[1] + r), (0.5 * (dark + light)).tolist(), -1)
            cv2.rectangle(image, (middle[0] - r, middle[1] - r), (middle[0] + r, middle[1] + r), dark.tolist(), max(1, r // 6))
            cv2.rectangle(mask, (middle[0] - r, middle[1] - r), (middle[0] + r, middle[1] + r), 1, -1)

    def printed(self, image):
        """Prints words, bars and a frame; returns their mask."""
        side, fixed = self.side, np.random.default_rng(self.seed)
        ink = np.clip(self.colour - np.sign(self.colour.mean() - 110) * fixed.uniform(80, 160), 0, 255)
        mask = np.zeros((side, side), np.uint8)
        y = round(0.15 * side)
        while y < 0.9 * side:
            x, size = round(fixed.uniform(0.05, 0.15) * side), fixed.uniform(0.5, 1.4) * side / 300
            if fixed.random() < 0.25:
                while x < 0.8 * side:
                    w = int(fixed.integers(1, 5))
                    cv2.rectangle(mask, (x, y - round(0.05 * side)), (x + w, y), 1, -1)
                    x += w + int(fixed.integers(2, 6))
            else:
                text = " ".join(fixed.choice(WORDS, int(fixed.integers(2, 5))))
                cv2.putText(mask, text, (x, y), int(fixed.integers(0, 4)), size, 1, max(1, round(2 * size)))
            y += round((0.09 + 0.06 * fixed.random()) * side)
        image[mask > 0] = ink
        return mask

    def draw(self, rng):
        side = self.side
        body = self.body()
        bare = coloured(self.surface(rng), self.colour, self.tint)
        if self.name in ("moulded", "crumb"):  # light from above
            shade = cv2.GaussianBlur(body.astype(np.float32), (0, 0), 0.03 * side)
            bare = bare * (0.75 + 0.25 * shade[..., None])
        away = coloured(0.5 * grain(rng, side, 2), self.back, np.float32(5))
        bare = np.where(body[..., None] > 0, bare, away).astype(np.float32)
        image, components = bare.copy(), []
        for place in self.places:
            mask = np.zeros((side, side), np.uint8)
            self.component(image, mask, place)
            components.append(mask)
        printed = self.printed(image) if self.name in PRINTED else None
        return Picture(image, body, bare, components, printed)

    def photograph(self, picture, masks, rng):
        """The part as a camera sees it: moved, lit, blurred a little, with noise; the masks move along."""
        side = self.side
        turn = rng.uniform(-self.turns, self.turns)
        matrix = cv2.getRotationMatrix2D((side / 2, side / 2), turn, 1.0)
        matrix[:, 2] += rng.uniform(-self.moves, self.moves, 2) * side
        warp = lambda plane, flags: cv2.warpAffine(plane, matrix, (side, side), flags=flags, borderMode=cv2.BORDER_REFLECT)
        image = warp(picture, cv2.INTER_LINEAR)
        image = image * (1 + 0.04 * rng.standard_normal()) * (1 + 0.03 * clouds(rng, side, 2))[..., None]
        if rng.random() < 0.5:
            image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 0.9))
        image = image + rng.uniform(1, 4) * rng.standard_normal(image.shape)
        return np.clip(image, 0, 255).astype(np.uint8), [warp(mask, cv2.INTER_NEAREST) for mask in masks]


BARE = ("brushed", "lathed", "cast", "woven", "wood", "leather", "glazed")
LAID_OUT = ("board", "moulded", "panel")
PRINTED = ("label", "board")
FAMILIES = (*BARE, "label", "board", "moulded", "panel", "crumb")
