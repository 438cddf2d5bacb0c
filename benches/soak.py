#!/usr/bin/env python3
"""Does a station stay as it began? Runs it for long and watches its memory, its file handles and its threads.

    benches/soak.py STATION.toml [--minutes 30] [--every 10] [--eyear target/release/eyear]

The station must have an address under [reports]. Prints a line for each look, and ends with 1 when the station ended by
itself, when a source was lost and did not come back, when it took more than two seconds to end, or when memory, handles or
threads of the last third are above those of the second: the first third is for warming up. Give it a station of real devices to test these, or of a recording with
`rate` and `repeat = true`.
"""
import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("station", type=Path)
    arguments.add_argument("--minutes", type=float, default=30)
    arguments.add_argument("--every", type=float, default=10, help="seconds between looks")
    arguments.add_argument("--eyear", default="target/release/eyear")
    wanted = arguments.parse_args()
    station = subprocess.Popen([wanted.eyear, "run", wanted.station], stdout=subprocess.DEVNULL)
    process, looks = Path(f"/proc/{station.pid}"), []
    try:
        end = time.monotonic() + 60 * wanted.minutes
        while time.monotonic() < end:
            time.sleep(wanted.every)
            if station.poll() is not None:
                sys.exit(f"the station ended by itself, with {station.returncode}")
            told = subprocess.run([wanted.eyear, "status", wanted.station, "--json"], capture_output=True, text=True)
            if not told.stdout:
                sys.exit(f"no status: {told.stderr.strip()}")
            status = json.loads(told.stdout)
            look = {
                "seconds": round(status["up_s"]),
                "verdicts": sum(status["verdicts"].values()),
                "memory_mb": round(status["memory_mb"], 1),
                "handles": len(list((process / "fd").iterdir())),
                "threads": len(list((process / "task").iterdir())),
                "replaced": status["replaced"],
                "oldest_ms": round(status["oldest_ms"]),
                "lost": [source["name"] for source in status["sources"] if source["state"] == "lost"],
                "faults": {source["name"]: source["faults"] for source in status["sources"] if source["faults"]},
            }
            looks.append(look)
            print(json.dumps(look), flush=True)
    finally:
        station.terminate()
        asked = time.monotonic()
        code = station.wait(timeout=10)
        took = time.monotonic() - asked
    third = len(looks) // 3
    middle, last = looks[third : 2 * third], looks[2 * third :]
    wrong = []
    for what, slack in (("memory_mb", 1.0), ("handles", 0), ("threads", 0)):
        before, after = (statistics.median(look[what] for look in part) for part in (middle, last))
        print(f"{what}: {before} in the second third, {after} in the last")
        if after > before + slack:
            wrong.append(what)
    print(f"ended {took:.2f} s after it was told to, with {code}")
    if took > 2:
        wrong.append(f"it took {took:.1f} s to end")
    if looks[-1]["lost"]:
        wrong.append("lost: " + ", ".join(looks[-1]["lost"]))
    if code not in (0, 1):
        wrong.append(f"it ended with {code}")
    sys.exit("grew or broke: " + ", ".join(wrong) if wrong else 0)


if __name__ == "__main__":
    main()
