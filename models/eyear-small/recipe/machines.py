"""Drawn machines: what a machine sounds like in its room and its factory, and how it sounds with something broken. None of
them is one of those that `eyear eval --modelled` judges by, and no fault is made by its code: these are to learn from, those
to be judged by. Each sound comes with the fault alone, so that what is found can be told from what is the fault."""

import numpy as np
from scipy.signal import butter, sosfilt

RATE = 16_000
KINDS = ("knock", "tone", "rub", "hiss", "imbalance", "bearing", "tooth", "cavitation", "gap")


def band(rng, count, middle, octaves):
    """Noise in a band, with a deviation of 1."""
    low, high = middle * 2 ** (-octaves / 2), min(middle * 2 ** (octaves / 2), 0.49 * RATE)
    noise = sosfilt(butter(2, [max(low, 20.0), high], "band", fs=RATE, output="sos"), rng.standard_normal(count + 800))[800:]
    return noise / noise.std()


def level(samples):
    return float(np.sqrt(np.mean(samples**2)) + 1e-12)


def active_level(samples):
    """Root mean square between the samples at which 5 % and 95 % of the energy have passed."""
    passed = np.cumsum(samples**2)
    inside = (passed >= 0.05 * passed[-1]) & (passed <= 0.95 * passed[-1])
    return level(samples[inside])


def ring(to, at, size, hz, dies):
    """Adds a blow that rings at `hz` and dies by a neper in `dies` seconds."""
    time = np.arange(min(len(to) - at, int(10 * dies * RATE))) / RATE
    to[at : at + len(time)] += size * np.exp(-time / dies) * np.sin(2 * np.pi * hz * time)


def window(rng, count, least, most, edge):
    """0 to 1 and back, for a part of the time anywhere in it."""
    whole = count / RATE
    lasts = whole * rng.uniform(least, most)
    begins = rng.uniform(0, whole - lasts)
    time = np.arange(count) / RATE
    return np.clip(np.minimum(time - begins, begins + lasts - time) / edge, 0, 1)


class Machine:
    """A machine. What it has once and for all is made in `__init__`, by `rng`; `sound` records it once."""

    def __init__(self, rng, seconds=(1.5, 2.0, 3.0)):
        self.seconds = float(rng.choice(seconds))
        self.count = int(self.seconds * RATE)
        self.shaft = float(np.exp(rng.uniform(np.log(7), np.log(65))))
        teeth = int(rng.integers(4, 45))
        self.tones = [(n, rng.uniform(0.05, 0.4) / n) for n in (1, 2, 3)]
        for n in range(1, int(rng.integers(2, 6))):
            self.tones.append((n * teeth, rng.uniform(0.2, 0.9) / n))
            self.tones += [(n * teeth + side, rng.uniform(0, 0.12) / n) for side in (-1, 1)]
        if rng.random() < 0.5:  # mains, and what is not in step with the shaft
            self.tones += [(n * rng.choice([100, 120]) / self.shaft, rng.uniform(0.05, 0.5) / n) for n in (1, 2, 4)]
        self.tones = [(n, size) for n, size in self.tones if n * self.shaft < 0.47 * RATE]
        self.noises = [
            (float(np.exp(rng.uniform(np.log(250), np.log(5500)))), rng.uniform(0.6, 3), rng.uniform(0.1, 1.0), rng.choice([1.0, 2.0, teeth]))
            for _ in range(int(rng.integers(1, 4)))
        ]
        self.swells = rng.uniform(0, 0.5)
        self.wanders = rng.choice([0.001, 0.003, 0.01])
        self.rings = float(np.exp(rng.uniform(np.log(1200), np.log(6000))))
        # A bearing of which a ball passes so many times a turn; no whole number.
        self.passes = rng.uniform(2.6, 7.4)
        delays = rng.uniform(0.002, 0.15, 60)
        self.room = [(int(late * RATE), 0.3 * rng.standard_normal() * np.exp(-late / rng.uniform(0.02, 0.06))) for late in delays]
        # How far the machine is above the factory, in decibels.
        self.snr = rng.uniform(-3, 22)
        self.gain = 10 ** rng.uniform(-1.8, -0.7)

    def sound(self, rng, kind=None, corrupted=0.0):
        """Samples in -1 to 1, and what the fault alone adds to them; `corrupted`, 0 to 1, tells how much worse it is heard."""
        before = RATE // 4
        count = self.count + before
        time = np.arange(count) / RATE
        hz = self.shaft * rng.uniform(0.99, 1.01)
        speed = 1 + self.wanders * np.sin(2 * np.pi * rng.uniform(0.1, 0.5) * time + rng.uniform(0, 7))
        turns = np.cumsum(hz * speed) / RATE + rng.uniform(0, 1)
        load = 10 ** (rng.uniform(-1.5, 1.5) / 20) * (1 + 0.1 * np.sin(2 * np.pi * rng.uniform(0.1, 0.5) * time + rng.uniform(0, 7)))
        good = sum(size * np.sin(2 * np.pi * n * turns) for n, size in self.tones)
        for middle, octaves, size, times in self.noises:
            good = good + size * band(rng, count, middle, octaves) * (1 + self.swells * np.cos(2 * np.pi * turns * times))
        good = load * good
        own = level(good)
        fault = self.fault(rng, kind, good, turns, own) if kind else np.zeros(count)
        wet, fault = self.heard(good)[before:], (fault if kind == "gap" else self.heard(fault))[before:]
        snr = self.snr - (20 * corrupted if rng.random() < 0.7 else 0)
        around = self.factory(rng)
        around *= level(wet) * 10 ** (-snr / 20) / level(around)
        if kind == "gap":  # what is not there any more
            fault = -wet * np.clip(fault, 0, 1)
        gain = self.gain / own
        sound = gain * (wet + around + fault)
        if corrupted and rng.random() < 0.3:
            sound = sound * 10 ** (rng.choice([-0.6, 0.5]) * corrupted)
        return np.clip(sound, -1, 1), gain * fault, gain * (wet + around)

    def heard(self, dry):
        """In its room."""
        wet = dry.copy()
        for late, size in self.room:
            wet[late:] += size * dry[:-late]
        return wet

    def factory(self, rng):
        heard = sum(size * band(rng, self.count, middle, 2.0) for middle, size in ((150, 1.0), (600, 0.6), (2400, 0.3), (5000, 0.15)))
        time = np.arange(self.count) / RATE
        for _ in range(3):
            swell = 1 + 0.5 * np.sin(2 * np.pi * rng.uniform(0.1, 2) * time)
            heard = heard + rng.uniform(0.05, 0.3) * swell * np.sin(2 * np.pi * rng.uniform(60, 1200) * time)
        for _ in range(int(rng.integers(0, 4))):
            at, size = int(rng.integers(self.count - 1)), rng.uniform(1, 4)
            for _ in range(3):
                ring(heard, at, size / 3, rng.uniform(400, 5000), rng.uniform(0.005, 0.03))
        return heard

    def fault(self, rng, kind, good, turns, own):
        """What is added to the dry machine: `kind`, at a level of its own; of a gap, how much is missing, 0 to 1."""
        count, time = len(good), np.arange(len(good)) / RATE
        added = np.zeros(count)
        if kind == "gap":
            return window(rng, count, 0.06, 0.4, 0.01) * rng.uniform(0.7, 1.0)
        if kind == "imbalance":
            size = self.tones[0][1] * (10 ** (rng.uniform(6, 14) / 20) - 1)
            return size * np.sin(2 * np.pi * turns) * good.std() / max(own, 1e-9)
        if kind == "knock":
            for _ in range(int(rng.integers(1, 5))):
                at, first, dies = int(rng.integers(RATE // 4, count - count // 10)), rng.uniform(300, 5000), rng.uniform(0.004, 0.03)
                for ratio in (1, rng.uniform(1.4, 1.8), rng.uniform(2.1, 2.8)):
                    if first * ratio < 7800:
                        ring(added, at, rng.uniform(0.3, 1), first * ratio, dies * rng.uniform(0.7, 1.3))
        elif kind == "tone":
            tone = rng.uniform(200, 7000)
            added = np.sin(2 * np.pi * tone * time + rng.uniform(0.3, 3) * np.sin(2 * np.pi * rng.uniform(0.3, 4) * time))
            if rng.random() < 0.4:
                added += rng.uniform(0.1, 0.6) * np.sin(2 * np.pi * min(2 * tone, 7500) * time)
            if rng.random() < 0.5:
                added *= window(rng, count, 0.1, 0.5, 0.05)
        elif kind == "rub":
            if rng.random() < 0.5:
                swell = np.maximum(np.sin(2 * np.pi * turns * rng.choice([1, 2])), 0) ** 4
            else:
                swell = np.maximum(np.sin(2 * np.pi * rng.uniform(4, 30) * time), 0) ** 4
            added = band(rng, count, rng.uniform(800, 5000), rng.uniform(0.5, 1.5)) * swell
            if rng.random() < 0.5:
                added *= window(rng, count, 0.1, 0.5, 0.05)
        elif kind == "hiss":
            added = band(rng, count, rng.uniform(500, 6500), rng.uniform(0.33, 1.5))
            if rng.random() < 0.7:
                added *= window(rng, count, 0.2, 0.7, 0.1)
        elif kind in ("bearing", "tooth"):
            times = self.passes if kind == "bearing" else 1.0
            slip = 0.015 if kind == "bearing" else 0.0
            rings, dies = (self.rings, rng.uniform(0.0008, 0.002)) if kind == "bearing" else (0.5 * self.rings, rng.uniform(0.002, 0.006))
            loads = kind == "bearing" and rng.random() < 0.5  # an inner race is loud where the load is
            at = turns[0] + rng.uniform(0, 1 / times)
            while at < turns[-1]:
                size = rng.uniform(0.8, 1.2) * (0.5 + 0.5 * np.cos(2 * np.pi * at) if loads else 1)
                ring(added, int(np.searchsorted(turns, at)), size, rings, dies)
                at += (1 + slip * rng.uniform(-1, 1)) / times
        elif kind == "cavitation":
            for _ in range(int(rng.uniform(60, 220) * count / RATE)):
                ring(added, int(rng.integers(count - 1)), rng.uniform(0, 1) ** 3, rng.uniform(2500, 7500), rng.uniform(0.0004, 0.0009))
        short = kind in ("knock",)
        return added * own * 10 ** (rng.uniform(-6 if short else -14, 8 if short else 3) / 20) / active_level(added)
