"""Whether int8 says what fp32 says: the same real samples, reported by the shipped package and by its graphs in fp32, on evidence of
the int8 encoders and of the fp32 ones.

    python parity.py --run run --data DATA --eyear ../../../target/release/eyear
"""

import argparse
import json
import shutil
import subprocess
import tempfile
from pathlib import Path

from episodes import REAL
from pack import pack

HERE = Path(__file__).resolve().parents[1]
PARTS = ("text_encoder", "fusion", "decoder")


def in_fp32(run, folder):
    """The package with its graphs in fp32, under the names of those in int8."""
    skipped = shutil.ignore_patterns("recipe", "run", "__pycache__")
    shutil.copytree(HERE, folder, ignore=skipped)
    for part in PARTS:
        shutil.copy(run / f"{part}.fp32.onnx", folder / f"{part}.int8.onnx")
    pack(folder, name=HERE.name)
    return folder


def reported(eyear, part, samples, writer, language):
    told = [eyear, "report", str(part), *map(str, samples), "--json", "--writer", str(writer), "--language", language]
    return [json.loads(line) for line in subprocess.run(told, capture_output=True, text=True).stdout.splitlines()]


def fields(line):
    """What a report says, but for the choice among ways to say it: verdict, and of each finding place, area and kind."""
    findings = [(finding["place"], f"{100 * finding['area_share']:.1f}") for finding in line["findings"][:4]]
    return line["verdict"], findings, [kind["kind"] for kind in line["written"]["kinds"]]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--eyear", default="../../../target/release/eyear")
    arguments = parser.parse_args()
    count, kinds, texts, verdicts, everything = 0, 0, 0, 0, 0
    with tempfile.TemporaryDirectory() as work:
        work = Path(work)
        reference = in_fp32(arguments.run, work / HERE.name)
        for name, of in REAL.items():
            folder = arguments.data / name
            good = sorted((folder / "train" / "good").iterdir())[:48]
            samples = [path for kind in ("good", *of) for path in sorted((folder / "test" / kind).iterdir())]
            parts = {}
            for precision in ("int8", "fp32"):
                parts[precision] = work / f"{folder.name}-{precision}"
                taught = [arguments.eyear, "teach", str(parts[precision]), "--good", *map(str, good), "--precision", precision]
                subprocess.run(taught, check=True, capture_output=True)
            for language in ("en", "zh"):
                ours = reported(arguments.eyear, parts["int8"], samples, HERE, language)
                words = reported(arguments.eyear, parts["int8"], samples, reference, language)
                whole = reported(arguments.eyear, parts["fp32"], samples, reference, language)
                count += len(ours)
                kinds += sum(fields(a) != fields(b) for a, b in zip(ours, words))
                texts += sum(a["written"]["text"] != b["written"]["text"] for a, b in zip(ours, words))
                verdicts += sum(a["verdict"] != b["verdict"] for a, b in zip(ours, whole))
                everything += sum(fields(a) != fields(b) for a, b in zip(ours, whole))
            print(f"{name}: of {count} reports so far {kinds} with another kind, {texts} with another text by words in fp32; "
                  f"{verdicts} with another verdict, {everything} with any other field by encoders and words in fp32", flush=True)


if __name__ == "__main__":
    main()
