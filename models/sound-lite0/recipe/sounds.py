"""Machine sounds that calibrate and check the int8 graph, and the pictures that the encoder sees of them.

Everything is drawn from seeded random numbers: no recording is used. `picture` is the reference of what eyear's
`prepare` makes of a sound; the numbers of the front end are those of `model.toml`.
"""

import numpy as np

RATE = 16000
WINDOW = 768
HOP = 160
BANDS = 128
HIGH_HZ = 8000.0
FLOOR = 1e-10
# Decibels above and below a band's own median that the picture tells apart.
RANGE_DB = 16.0
# Pixels of the encoder's input for a band, and for a hop.
PIXELS = 2
MULTIPLE = 32


def filters():
    """Triangles on the HTK mel scale, without norm: f64[BANDS, WINDOW / 2 + 1]."""
    mel = lambda hz: 2595.0 * np.log10(1.0 + hz / 700.0)
    corners = 700.0 * (10.0 ** (np.linspace(0.0, mel(HIGH_HZ), BANDS + 2) / 2595.0) - 1.0)
    bins = np.linspace(0.0, RATE / 2, WINDOW // 2 + 1)
    rise = (bins[None] - corners[:-2, None]) / (corners[1:-1] - corners[:-2])[:, None]
    fall = (corners[2:, None] - bins[None]) / (corners[2:] - corners[1:-1])[:, None]
    return np.maximum(0.0, np.minimum(rise, fall))


def log_mel(sound):
    """f64[samples] → f64[BANDS, hops] in dB; hops lie wholly within the sound."""
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
    starts = range(0, len(sound) - WINDOW + 1, HOP)
    spectra = np.fft.rfft(np.stack([sound[s : s + WINDOW] * window for s in starts]))
    return 10.0 * np.log10(filters() @ (np.abs(spectra) ** 2).T + FLOOR)


def picture(sound):
    """u8[BANDS, hops], the highest band on top: decibels against the band's median over the sound."""
    level = log_mel(sound)
    level -= np.median(level, axis=1, keepdims=True)
    return np.round(127.5 + 127.5 * np.clip(level / RANGE_DB, -1.0, 1.0))[::-1].astype(np.uint8)


def stretched(small, height, width):
    """Bilinear, half-pixel centres, borders repeated outwards."""

    def along(values, size):
        at = np.clip((np.arange(size) + 0.5) * len(values) / size - 0.5, 0, len(values) - 1)
        low = at.astype(int)
        share = (at - low)[:, None]
        return values[low] * (1 - share) + values[np.minimum(low + 1, len(values) - 1)] * share

    return along(along(small.astype(np.float64), height).T, width).T


def pixels_of(sound):
    """The encoder's input, f32[1, 3, height, width]: the picture three times, (byte - 127.5) / 127.5."""
    small = picture(sound)
    width = max(1, round(small.shape[1] * PIXELS / MULTIPLE)) * MULTIPLE
    grey = (stretched(small, BANDS * PIXELS, width) - 127.5) / 127.5
    return np.ascontiguousarray(np.broadcast_to(grey.astype(np.float32), (1, 3, *grey.shape)))


def machine(rng, seconds):
    """A running machine in a room with others: harmonics, coloured noise, impulses, events; f64[samples]."""
    n = int(seconds * RATE)
    time = np.arange(n) / RATE
    sound = coloured(rng, n, rng.uniform(0.5, 2.0))
    turn = rng.uniform(8.0, 60.0)
    wander = 1.0 + 0.01 * np.cumsum(rng.standard_normal(n)) / np.sqrt(n)
    phase = 2 * np.pi * np.cumsum(turn * wander) / RATE
    for order in rng.choice(np.arange(1, 80), rng.integers(3, 20), replace=False):
        if order * turn < RATE / 2 - 500:
            sound += rng.uniform(0.05, 0.8) / np.sqrt(order) * np.sin(order * phase + rng.uniform(0, 6.3))
    sound *= 1.0 + rng.uniform(0.0, 0.5) * np.sin(phase * rng.choice([0.25, 1.0, 3.0]))
    if rng.random() < 0.5:
        sound += rng.uniform(0.3, 3.0) * rings(rng, n, np.arange(0.0, seconds, 1.0 / rng.uniform(3.0, 150.0)))
    if rng.random() < 0.5:
        sound += rng.uniform(0.5, 5.0) * rings(rng, n, rng.uniform(0.0, seconds, rng.integers(1, 8)))
    if rng.random() < 0.4:
        start, length = rng.uniform(0.0, 0.7) * seconds, rng.uniform(0.1, 0.5) * seconds
        gate = np.clip(np.minimum(time - start, start + length - time) / 0.02, 0.0, 1.0)
        sound += rng.uniform(0.2, 2.0) * gate * np.sin(2 * np.pi * rng.uniform(200, 7000) * time)
    return sound * 10.0 ** (rng.uniform(-60.0, -10.0) / 20.0)


def coloured(rng, n, slope):
    """Noise whose amplitude falls as 1 / f^(slope / 2), with a few broad resonances."""
    hz = np.fft.rfftfreq(n, 1 / RATE)
    shape = 1.0 / np.maximum(hz, 30.0) ** (slope / 2)
    for _ in range(rng.integers(0, 5)):
        middle, breadth = rng.uniform(100, 7500), rng.uniform(0.02, 0.3)
        shape *= 1.0 + rng.uniform(0.5, 4.0) * np.exp(-0.5 * ((hz / middle - 1) / breadth) ** 2)
    noise = np.fft.irfft(shape * np.fft.rfft(rng.standard_normal(n)), n)
    return noise / noise.std()


def rings(rng, n, times):
    """A damped resonance at each of the times, in seconds."""
    train = np.zeros(n)
    at = (np.asarray(times) * RATE).astype(int)
    train[at[at < n]] = rng.uniform(0.5, 1.5, np.count_nonzero(at < n))
    time = np.arange(int(0.1 * RATE)) / RATE
    ring = sum(
        np.exp(-time / rng.uniform(0.001, 0.02)) * np.sin(2 * np.pi * rng.uniform(300, 7500) * time)
        for _ in range(3)
    )
    return np.fft.irfft(np.fft.rfft(train, 2 * n) * np.fft.rfft(ring, 2 * n))[:n]


def calibration():
    rng = np.random.default_rng(20261126)
    for _ in range(96):
        yield pixels_of(machine(rng, rng.uniform(1.0, 3.0)))


def held_out():
    """Sounds that calibration did not hear."""
    rng = np.random.default_rng(20261127)
    for _ in range(40):
        yield pixels_of(machine(rng, 2.0))


def golden():
    """A second of sound, in single precision as it is kept."""
    return machine(np.random.default_rng(7), 1.0).astype(np.float32).astype(np.float64)
