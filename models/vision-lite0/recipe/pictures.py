"""The pictures that calibrate and check the int8 graph. Seeded: the same list each time."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance

# (folder under the data folder, pictures for calibration, pictures for the check)
SOURCES = [
    ("ballscrew", 28, 14),
    ("cookie", 20, 8),
    ("screws4", 17, 8),
    ("paper/PA_BDP01_TL", 9, 4),
    ("paper/PA_FLR01_TL", 9, 4),
    ("paper/PA_GLA01_TL", 9, 4),
]
MULTIPLE = 32


def pixels_of(picture):
    """f32[1, 3, height, width], RGB, (byte - 127.5) / 127.5."""
    values = (np.asarray(picture.convert("RGB"), np.float32) - 127.5) / 127.5
    return np.ascontiguousarray(values.transpose(2, 0, 1)[None])


def chosen(data, split, count):
    """`count` pictures spread evenly over the sorted folder."""
    files = sorted((data / split / "good").iterdir())
    return [files[i * len(files) // count] for i in range(min(count, len(files)))]


def calibration(data):
    """Real good pictures, cropped, resized, lit, turned and partly patched at random."""
    rng = np.random.default_rng(20261123)
    files = [f for folder, count, _ in SOURCES for f in chosen(Path(data) / folder, "train", count)]
    previous = None
    for file in files:
        picture = Image.open(file).convert("RGB")
        picture = _crop(picture, rng)
        size = rng.integers(5, 13, 2) * MULTIPLE  # 160 to 384 pixels a side
        picture = picture.resize(tuple(int(s) for s in size), Image.Resampling.BILINEAR)
        picture = picture.transpose(Image.Transpose(int(rng.integers(0, 7))))
        picture = ImageEnhance.Brightness(picture).enhance(rng.uniform(0.7, 1.3))
        picture = ImageEnhance.Contrast(picture).enhance(rng.uniform(0.7, 1.4))
        picture = ImageEnhance.Color(picture).enhance(rng.choice([0.0, 1.0, 1.3]))
        if previous and rng.random() < 0.5:
            # A foreign piece stands in for a defect: it excites channels that good parts leave quiet.
            side = int(rng.integers(16, 96))
            piece = previous.crop((0, 0, side, side))
            picture.paste(piece, tuple(int(v) for v in rng.integers(0, 96, 2)))
        previous = picture
        yield pixels_of(picture)


def _crop(picture, rng):
    share = rng.uniform(0.5, 1.0)
    width, height = (max(64, int(side * share)) for side in picture.size)
    left, top = rng.integers(0, picture.width - width + 1), rng.integers(0, picture.height - height + 1)
    return picture.crop((int(left), int(top), int(left) + width, int(top) + height))


def held_out(data, size=320):
    """Good pictures that calibration did not see, whole, at the working size."""
    for folder, _, count in SOURCES:
        for file in chosen(Path(data) / folder, "test", count):
            yield pixels_of(Image.open(file).convert("RGB").resize((size, size), Image.Resampling.BILINEAR))


def golden(data):
    """One picture that calibration did not see, small and not square: f32[1, 3, 160, 128]."""
    file = chosen(Path(data) / "screws4", "test", 1)[0]
    return pixels_of(Image.open(file).resize((128, 160), Image.Resampling.BILINEAR))
