"""Drawn defects: a good picture -> a bad one, its mask and its kind."""

import cv2
import numpy as np

from parts import clouds, grain, polygon

KINDS = ("scratch", "crack", "hole", "chip", "dent", "stain", "foreign", "missing", "misprint", "wear", "break", "pitting")


def spot(rng, picture, margin=0.06):
    """A random point of the part's body, away from the picture's edge."""
    side = picture.body.shape[0]
    inner = picture.body.copy()
    edge = round(margin * side)
    inner[:edge], inner[-edge:], inner[:, :edge], inner[:, -edge:] = 0, 0, 0, 0
    ys, xs = np.nonzero(inner)
    if len(xs) == 0:
        return np.array([side / 2, side / 2])
    i = rng.integers(len(xs))
    return np.array([xs[i], ys[i]], float)


def path(rng, start, length, bend, jag, steps):
    """A line that goes on in about one direction: `bend` turns it slowly, `jag` at each step (radians)."""
    turn, drift = rng.uniform(0, 2 * np.pi), rng.standard_normal() * bend / steps
    points = [np.asarray(start, float)]
    for _ in range(steps):
        drift += rng.standard_normal() * bend / steps**1.5
        turn += drift
        a = turn + rng.standard_normal() * jag
        points.append(points[-1] + length / steps * np.array([np.cos(a), np.sin(a)]))
    points = np.array(points)
    return points - points.mean(0) + start


def stroke(points, width, side):
    """How much of each pixel a line covers, 0 to 1; `width` in pixels."""
    plane, fine = np.zeros((side, side), np.uint8), 4
    cv2.polylines(plane, [np.round(points * 2**fine).astype(np.int32)], False, 255, max(1, round(width)), cv2.LINE_AA, fine)
    return plane.astype(np.float32) / 255 * min(1.0, width)


def blob(rng, at, radius, rough, side):
    """The mask of an irregular spot."""
    angles = np.linspace(0, 2 * np.pi, 90, endpoint=False)
    wave = sum(np.sin(n * angles + rng.uniform(0, 7)) * rng.standard_normal() / n for n in (2, 3, 4, 6, 9))
    r = radius * np.clip(1 + rough * wave, 0.3, 2)
    stretch = np.array([1.0, rng.uniform(0.55, 1.0)])
    return polygon(at + r[:, None] * np.stack([np.cos(angles), np.sin(angles)], 1) * stretch, side)


def strength(rng, image, mask):
    """Levels by which a defect differs: clearly more than the surface itself varies."""
    varies = image[mask > 0].mean(1).std() if mask.any() else 8.0
    return rng.uniform(1.3, 3.0) * varies + rng.uniform(14, 60)


def either(rng, image, mask, size):
    """Up or down, where there is room."""
    level = image[mask > 0].mean() if mask.any() else 128
    return -size if level > 170 or (level > 80 and rng.random() < 0.5) else size


def scratch(rng, picture):
    side = picture.body.shape[0]
    length, cover = side * rng.uniform(0.1, 0.55), np.zeros((side, side), np.float32)
    lines = 1 if rng.random() < 0.7 else int(rng.integers(2, 5))
    first = path(rng, spot(rng, picture, 0.15), length, rng.uniform(0, 0.5), 0.0, 24)
    for _ in range(lines):
        shift = rng.standard_normal(2) * 0.015 * side if lines > 1 else 0
        fade = stroke(first + shift, rng.uniform(0.7, 2.6), side)
        cover = np.maximum(cover, fade)
    cover *= picture.body
    mask = (cover > 0.2).astype(np.uint8)
    delta = either(rng, picture.image, mask, strength(rng, picture.image, mask))
    image = picture.image + cover[..., None] * delta
    # The other lip of the groove.
    lip = np.roll(cover, int(rng.choice([-1, 1])), int(rng.integers(2))) * (cover < 0.2)
    return image - 0.5 * lip[..., None] * delta, mask


def crack(rng, picture):
    side = picture.body.shape[0]
    length, cover = side * rng.uniform(0.12, 0.6), np.zeros((side, side), np.float32)
    main = path(rng, spot(rng, picture, 0.15), length, rng.uniform(0.2, 1.2), rng.uniform(0.4, 0.8), int(rng.integers(14, 34)))
    branches = [main]
    for _ in range(int(rng.integers(0, 4))):
        branches.append(path(rng, main[rng.integers(len(main))], length * rng.uniform(0.15, 0.4), 0.4, 0.7, 10))
    for line in branches:
        for a, b in zip(line[:-1], line[1:]):
            cover = np.maximum(cover, stroke(np.stack([a, b]), rng.uniform(0.8, 2.8), side))
    cover *= picture.body
    mask = (cover > 0.2).astype(np.uint8)
    depth = min(strength(rng, picture.image, mask) + 10, picture.image[mask > 0].mean() if mask.any() else 100)
    image = picture.image - cover[..., None] * depth
    rim = cv2.GaussianBlur(cover, (0, 0), 1.5) * (1 - cover)
    return image + rim[..., None] * depth * 0.25, mask


def hole(rng, picture):
    side = picture.body.shape[0]
    mask = blob(rng, spot(rng, picture), side * rng.uniform(0.012, 0.07), rng.choice([0.02, 0.25]), side) * picture.body
    soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.7)[..., None]
    floor = picture.image * rng.uniform(0.05, 0.4) + rng.uniform(0, 15)
    image = picture.image * (1 - soft) + floor * soft
    # Light falls on the far wall.
    wall = np.clip(mask.astype(np.float32) - np.roll(mask, (-1 - side // 160, -1), (0, 1)), 0, 1)
    return image + wall[..., None] * rng.uniform(20, 90), mask


def bite(rng, picture, radius, rough):
    """A piece out of the part's outline, or nothing where it has none."""
    side = picture.body.shape[0]
    contours, _ = cv2.findContours(picture.body, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    rim = [p[0] for c in contours for p in c if 0.04 * side < p[0].min() and p[0].max() < 0.96 * side]
    if len(rim) < 20:
        return None
    return blob(rng, np.array(rim[rng.integers(len(rim))], float), radius, rough, side) * picture.body


def chip(rng, picture):
    side = picture.body.shape[0]
    mask = bite(rng, picture, side * rng.uniform(0.025, 0.08), 0.3)
    if mask is None:
        return None
    broken = picture.image.mean((0, 1)) * rng.uniform(0.5, 1.5) + 18 * grain(rng, side, 1.5)[..., None]
    away = picture.image[picture.body == 0].mean(0) + 4 * rng.standard_normal((side, side, 1))
    soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.6)[..., None]
    return picture.image * (1 - soft) + (broken if rng.random() < 0.5 else away) * soft, mask


def break_(rng, picture):
    side = picture.body.shape[0]
    away = picture.image[picture.body == 0]
    if len(away) < 100:
        return None
    if rng.random() < 0.5:
        mask = bite(rng, picture, side * rng.uniform(0.12, 0.25), 0.35)
    else:  # broken through
        line = path(rng, spot(rng, picture, 0.3), 1.6 * side, 0.3, 0.45, 40)
        mask = (stroke(line, side * rng.uniform(0.015, 0.05), side) > 0.5).astype(np.uint8) * picture.body
    if mask is None:
        return None
    soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.6)[..., None]
    fill = away.mean(0) + 5 * grain(rng, side)[..., None]
    image = picture.image * (1 - soft) + fill * soft
    crumbs = np.zeros((side, side), np.uint8)
    ys, xs = np.nonzero(cv2.dilate(mask, np.ones((9, 9), np.uint8)))
    for _ in range(int(rng.integers(0, 8))):
        i = rng.integers(len(xs))
        crumbs |= blob(rng, np.array([xs[i], ys[i]], float), side * rng.uniform(0.004, 0.012), 0.3, side)
    image = np.where(crumbs[..., None] > 0, picture.image[picture.body > 0].mean(0) + 10 * grain(rng, side)[..., None], image)
    return image, mask | crumbs


def dent(rng, picture):
    side = picture.body.shape[0]
    at, radius = spot(rng, picture), side * rng.uniform(0.03, 0.11)
    y, x = np.mgrid[:side, :side]
    turn, flat = rng.uniform(0, np.pi), rng.uniform(0.6, 1)
    u = ((x - at[0]) * np.cos(turn) + (y - at[1]) * np.sin(turn)) / radius
    v = ((y - at[1]) * np.cos(turn) - (x - at[0]) * np.sin(turn)) / (flat * radius)
    bump = np.exp(-(u * u + v * v) * 1.2)
    light = rng.uniform(0, 2 * np.pi)
    slope = np.gradient(bump)
    shade = slope[1] * np.cos(light) + slope[0] * np.sin(light)
    shade = shade / np.abs(shade).max()
    mask = ((bump > 0.25) & (picture.body > 0)).astype(np.uint8)
    return picture.image + (shade * picture.body)[..., None] * strength(rng, picture.image, mask) * 1.3, mask


def stain(rng, picture):
    side = picture.body.shape[0]
    shape = blob(rng, spot(rng, picture), side * rng.uniform(0.03, 0.13), 0.35, side) * picture.body
    soft = cv2.GaussianBlur(shape.astype(np.float32), (0, 0), side * rng.uniform(0.003, 0.015))
    ring = soft + rng.uniform(0, 0.5) * (4 * soft * (1 - soft)) + 0.15 * clouds(rng, side, 24) * soft
    tint = rng.uniform(0.3, 1.0, 3) if rng.random() < 0.6 else np.full(3, rng.uniform(0.4, 0.9))
    delta = strength(rng, picture.image, shape) * tint * (-1 if rng.random() < 0.8 else 0.8)
    return picture.image + ring[..., None] * delta, (soft > 0.3).astype(np.uint8)


def foreign(rng, picture):
    side = picture.body.shape[0]
    at = spot(rng, picture)
    if rng.random() < 0.6:  # a fibre or a hair
        line = path(rng, at, side * rng.uniform(0.1, 0.4), rng.uniform(2.5, 7), 0.05, 40)
        cover = stroke(line, rng.uniform(0.8, 2.4), side)
    else:  # a grain or a shaving
        cover = blob(rng, at, side * rng.uniform(0.008, 0.035), 0.4, side).astype(np.float32)
    shadow = np.roll(cv2.GaussianBlur(cover, (0, 0), 1.5), (2, 2), (0, 1))
    mask = (cover > 0.2).astype(np.uint8)
    image = picture.image - 25 * (shadow * (1 - cover))[..., None]
    base = picture.image[mask > 0].mean(0) if mask.any() else picture.image.mean((0, 1))
    colour = np.clip(base + either(rng, picture.image, mask, strength(rng, picture.image, mask)) * rng.uniform(0.5, 1.5, 3), 0, 255)
    return image * (1 - cover[..., None]) + colour * cover[..., None], mask


def missing(rng, picture):
    if not picture.components:
        return None
    mask = cv2.dilate(picture.components[rng.integers(len(picture.components))], np.ones((3, 3), np.uint8))
    image = picture.image.copy()
    image[mask > 0] = picture.bare[mask > 0]
    if rng.random() < 0.5:  # the hole or the solder it sat on
        ys, xs = np.nonzero(mask)
        middle, radius = (int(xs.mean()), int(ys.mean())), max(1, round(0.25 * np.sqrt(mask.sum())))
        cv2.circle(image, middle, radius, (picture.bare[mask > 0].mean(0) * rng.uniform(0.3, 1.3)).tolist(), -1, cv2.LINE_AA)
    return image, mask


def misprint(rng, picture):
    if picture.print is None:
        return None
    side, image = picture.body.shape[0], picture.image.copy()
    ys, xs = np.nonzero(picture.print)
    i = rng.integers(len(xs))
    w, h = (side * rng.uniform(0.05, 0.2, 2) * np.array([1.4, 0.6])).astype(int)
    x0, y0 = max(0, xs[i] - w // 2), max(0, ys[i] - h // 2)
    box = np.zeros((side, side), np.uint8)
    box[y0 : y0 + h, x0 : x0 + w] = 1
    inked = (picture.print & box).astype(bool)
    ink, way = picture.image[picture.print > 0].mean(0), rng.integers(4)
    if way == 0:  # no ink
        gone = inked & (clouds(rng, side, 40) > rng.uniform(-1.5, 0))
        image[gone] = picture.bare[gone]
        mask = gone
    elif way == 1:  # smeared
        smear = cv2.blur((picture.print * box).astype(np.float32), (max(3, w // 3), 1))[..., None] * 0.8
        image = image * (1 - smear) + ink * smear
        mask = smear[..., 0] > 0.15
    elif way == 2:  # printed twice
        ghost = np.roll(picture.print * box, (int(rng.integers(2, 6)), int(rng.integers(2, 7))), (0, 1)).astype(bool)
        image[ghost] = 0.3 * image[ghost] + 0.7 * ink
        mask = ghost & ~inked
    else:  # other letters
        image[inked] = picture.bare[inked]
        plane = np.zeros((side, side), np.uint8)
        text = "".join(rng.choice(list("ABEHKMNRSXZ0123456789"), 6))
        cv2.putText(plane, text, (int(x0), int(y0 + h)), 0, max(0.3, h / 30), 1, max(1, h // 12))
        plane &= box
        image[plane > 0] = ink
        mask = inked | (plane > 0)
    return (image, mask.astype(np.uint8)) if mask.sum() > 12 else None


def wear(rng, picture):
    side = picture.body.shape[0]
    shape = blob(rng, spot(rng, picture), side * rng.uniform(0.06, 0.17), 0.3, side) * picture.body
    soft = cv2.GaussianBlur(shape.astype(np.float32), (0, 0), side * 0.02)[..., None]
    smooth = cv2.GaussianBlur(picture.image, (0, 0), 3)
    image = picture.image * (1 - soft) + (smooth + rng.choice([-1, 1]) * rng.uniform(15, 45)) * soft
    turn, rubs = rng.uniform(0, np.pi), np.zeros((side, side), np.float32)
    for _ in range(int(rng.integers(15, 50))):
        ys, xs = np.nonzero(shape)
        if len(xs) == 0:
            return None
        i, reach = rng.integers(len(xs)), side * rng.uniform(0.02, 0.08)
        d = reach * np.array([np.cos(turn), np.sin(turn)])
        rubs = np.maximum(rubs, stroke(np.array([[xs[i], ys[i]] - d, [xs[i], ys[i]] + d]), 0.8, side))
    return image + (rubs[..., None] * soft) * rng.choice([-1, 1]) * rng.uniform(15, 50), (soft[..., 0] > 0.3).astype(np.uint8)


def pitting(rng, picture):
    side = picture.body.shape[0]
    at, spread = spot(rng, picture), side * rng.uniform(0.02, 0.08) * np.array([1, rng.uniform(0.3, 1)])
    mask = np.zeros((side, side), np.uint8)
    for _ in range(int(rng.integers(4, 28))):
        mask |= blob(rng, at + rng.standard_normal(2) * spread, side * rng.uniform(0.003, 0.014), 0.4, side)
    mask *= picture.body
    soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.7)[..., None]
    return picture.image * (1 - soft * rng.uniform(0.45, 0.85)) + 8 * soft * grain(rng, side)[..., None], mask


DRAW = dict(zip(KINDS, (scratch, crack, hole, chip, dent, stain, foreign, missing, misprint, wear, break_, pitting)))


def spoil(rng, picture, kinds=KINDS):
    """A defect of a random kind that the part can have: picture, mask and kind. One that can hardly be seen is drawn anew."""
    for _ in range(30):
        kind = str(rng.choice(kinds))
        drawn = DRAW[kind](rng, picture)
        if drawn is None or drawn[1].sum() < 8:
            continue
        image, mask = drawn
        seen = np.abs(np.clip(image, 0, 255) - np.clip(picture.image, 0, 255)).mean(2)
        if np.quantile(seen[mask > 0], 0.7) > 9:
            return image, mask, kind
    return None
