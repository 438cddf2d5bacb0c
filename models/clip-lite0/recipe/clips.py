"""Clips that calibrate and check the int8 graph, and the pictures that the encoder sees of their motion.

The clips are drawn (`motions.py` of the package `eyear-small`): no recording is used. `picture` is the reference of what
eyear's `prepare` makes of a clip; its measures are those of `model.toml`.
"""

import sys
from pathlib import Path

import cv2
import numpy as np

sys.path.append(str(Path(__file__).resolve().parents[2] / "eyear-small" / "recipe"))

from motions import FAMILIES, KINDS, Motion

# Rows and columns of tiles, a step in time each; pixels of a tile's side.
TILES = 4
SIDE = 112
# Grey levels that a step's end differs from its beginning, from grey to white; that change in a step, from black to white.
CHANGE = 96.0
MOTION = 120.0
# Mean grey level that each frame is brought to.
LEVEL = 110.0
# A change is noise up to so many times the median change, and a level.
NOISE = 3.0


def shrinking(size, to):
    """f64[to, size]: a triangle filter that widens when shrinking."""
    scale = size / to
    reach = max(scale, 1.0)
    centre = (np.arange(to)[:, None] + 0.5) * scale
    weights = np.maximum(0.0, 1.0 - np.abs((np.arange(size) + 0.5 - centre) / reach))
    return weights / weights.sum(1, keepdims=True)


def levelled(greys):
    """u8[frames, height, width] → f64[frames, SIDE, SIDE], each frame at one mean."""
    _, height, width = greys.shape
    small = np.round(shrinking(height, SIDE) @ greys.astype(np.float64) @ shrinking(width, SIDE).T)
    return small * (LEVEL / np.maximum(small.mean((1, 2), keepdims=True), 1.0))


def picture(greys, tiles=TILES):
    """u8[tiles * SIDE, tiles * SIDE, 3] of u8[frames, height, width]."""
    frames = levelled(greys)
    steps, last = tiles * tiles, len(frames) - 1
    changes = np.diff(frames, axis=0)
    quiet = 1.0 + NOISE * np.median(np.abs(changes))
    loud = lambda change: np.sign(change) * np.maximum(np.abs(change) - quiet, 0.0)
    whole = np.zeros((tiles * SIDE, tiles * SIDE, 3))
    for step in range(steps):
        first = step * last // steps
        end = max(-(-(step + 1) * last // steps), first + 1)
        share = last / steps / (end - first)  # of frames that two steps share
        signed = loud(frames[end] - frames[first])
        motion = share * np.abs(loud(changes[first:end])).sum(0)
        y, x = step // tiles * SIDE, step % tiles * SIDE
        whole[y : y + SIDE, x : x + SIDE, 0] = 127.5 + 127.5 * signed / CHANGE
        whole[y : y + SIDE, x : x + SIDE, 1:] = (255 * motion / MOTION)[..., None]
    return np.clip(np.round(whole), 0, 255).astype(np.uint8)


def pixels_of(greys, tiles=TILES):
    """The encoder's input, f32[1, 3, height, width]."""
    pixels = (picture(greys, tiles).astype(np.float32) - 127.5) / 127.5
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)[None])


def grey(clip):
    return np.stack([cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in clip.frames])


def drawn(seed, count):
    """Clips of every family in turn, every second with a fault."""
    for i in range(count):
        rng = np.random.default_rng([seed, i])
        machine = Motion(rng, FAMILIES[i % len(FAMILIES)])
        yield grey(machine.clip(rng, str(rng.choice(KINDS)) if i % 2 else None))


def calibration():
    return map(pixels_of, drawn(20261126, 64))


def held_out():
    """Clips that calibration did not see."""
    return map(pixels_of, drawn(20261127, 32))


def golden():
    """u8[frames, height, width], shown in 2 x 2 tiles; small, for it is kept."""
    return np.ascontiguousarray(next(drawn(7, 1))[::3, ::2, ::2])
