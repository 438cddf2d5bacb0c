"""Data sets of drawn parts and machines, for `eyear eval --words` to judge: what the binary makes of parts that nothing was learned
from. Good ones to teach from and to judge, and of each kind of fault some, one fault each, in a folder of its kind.

    python drawn.py pictures --out sets/pictures --count 8
    python drawn.py sounds --out sets/sounds --count 8
    python drawn.py clips --out sets/clips --count 8
    python drawn.py pairs --out sets/pairs --count 6
    eyear eval sets/pictures --words
    eyear eval sets/pairs --words --robust        # with either sense dropped, too
"""

import argparse
from pathlib import Path

import cv2
import numpy as np
from scipy.io import wavfile

import defects
import machines
import motions
from episodes import drawn, write

# Good ones to teach from, good ones to judge, and bad ones of each kind.
COUNTS = {"pictures": (30, 12, 4), "sounds": (24, 12, 5), "clips": (16, 12, 4), "pairs": (24, 12, 3)}


class Pictures:
    """Drawn parts, as photographs with masks of their defects."""

    kinds = defects.KINDS
    ending = ".png"

    def __init__(self, rng):
        _, self.picture = drawn(rng)

    def write(self, rng, path, kind):
        """Writes one; the mask, where there is a defect. A kind that a part cannot have is none."""
        for _ in range(200):  # kinds are drawn there
            image, masks, kinds = self.picture(1 if kind else 0)
            if (kinds[0] if kinds else None) == kind:
                write(path, image)
                return masks[0] if kind else None
        raise ValueError(f"no {kind} in 200 draws")


class Sounds:
    """Drawn machines that are heard."""

    kinds = machines.KINDS
    ending = ".wav"

    def __init__(self, rng):
        self.machine = machines.Machine(rng)

    def write(self, rng, path, kind):
        sound = self.machine.sound(rng, kind)[0]
        wavfile.write(path, machines.RATE, np.round(32767 * sound).astype(np.int16))


class Clips:
    """Drawn machines in motion."""

    kinds = motions.KINDS
    ending = ".avi"

    def __init__(self, rng):
        self.motion = motions.Motion(rng)

    def write(self, rng, path, kind):
        motions.write(path, self.motion.clip(rng, kind), self.motion.quality)


class Pairs:
    """Parts that are seen and heard: what is broken is seen or heard, not both."""

    kinds = defects.KINDS + machines.KINDS
    ending = ""

    def __init__(self, rng):
        self.seen, self.heard = Pictures(rng), Sounds(rng)

    def write(self, rng, path, kind):
        path.mkdir()
        self.heard.write(rng, path / "mic0.wav", kind if kind in machines.KINDS else None)
        return self.seen.write(rng, path / "cam0.png", kind if kind in defects.KINDS else None)


OF = {"pictures": Pictures, "sounds": Sounds, "clips": Clips, "pairs": Pairs}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=OF)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=8, help="data sets")
    parser.add_argument("--seed", type=int, default=90, help="none that anything was learned from")
    arguments = parser.parse_args()
    taught, good, bad = COUNTS[arguments.what]
    for i in range(arguments.count):
        rng = np.random.default_rng([arguments.seed, i])
        one, folder = OF[arguments.what](rng), arguments.out / f"{arguments.what}-{i:02}"
        wanted = [("train/good", None, taught), ("test/good", None, good), *((f"test/{kind}", kind, bad) for kind in one.kinds)]
        left_out = []
        for into, kind, count in wanted:
            (folder / into).mkdir(parents=True)
            for number in range(count):
                stem = f"{kind or 'good'}{number:02}"
                try:
                    mask = one.write(rng, folder / into / f"{stem}{one.ending}", kind)
                except ValueError:
                    left_out.append(kind)
                    break
                if mask is not None:
                    (folder / "ground_truth" / kind).mkdir(parents=True, exist_ok=True)
                    cv2.imwrite(str(folder / "ground_truth" / kind / f"{stem}_mask.png"), 255 * mask.astype(np.uint8))
            if not any((folder / into).iterdir()):
                (folder / into).rmdir()
        print(folder, f"without {', '.join(left_out)}" if left_out else "", flush=True)


if __name__ == "__main__":
    main()
