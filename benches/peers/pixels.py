#!/usr/bin/env python3
"""From a camera's bytes to the encoder's input with OpenCV, beside `cargo bench --bench pixels`.

    pip install opencv-python-headless
    benches/peers/pixels.py [--threads 1]

The same picture at 1920 x 1080 in each format, to RGB, to 448 x 448 (INTER_AREA, which like eyear looks at every pixel,
and INTER_LINEAR, which looks at four), to planes of normalised floats. Medians and 95th percentiles of 200 runs.
"""
import argparse
import statistics
import time
from pathlib import Path

import cv2
import numpy as np

SIZE = (448, 448)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--threads", type=int, default=1)
    wanted = arguments.parse_args()
    cv2.setNumThreads(wanted.threads)
    folder = Path(__file__).resolve().parents[2] / "tests/data/screws4/test/good"
    picture = cv2.imread(str(sorted(folder.iterdir())[0]))
    picture = cv2.resize(picture, (1920, 1080), interpolation=cv2.INTER_CUBIC)
    yuv = cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420)
    luma, planes = yuv[:1080], yuv[1080:].reshape(2, 540, 960)
    pairs = planes.transpose(1, 2, 0).reshape(540, 1920)
    nv12 = np.concatenate([luma, pairs])
    yuyv = np.stack([luma, np.repeat(pairs, 2, axis=0)], axis=-1)
    sampling = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422]
    jpeg = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 85, *sampling])[1]
    print(f"OpenCV {cv2.__version__}, threads: {wanted.threads}; the JPEG has {len(jpeg) // 1000} kB")
    to_rgb = {
        "YUYV": lambda: cv2.cvtColor(yuyv, cv2.COLOR_YUV2RGB_YUYV),
        "NV12": lambda: cv2.cvtColor(nv12, cv2.COLOR_YUV2RGB_NV12),
        "MJPEG": lambda: cv2.cvtColor(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB),
        "RGB24": lambda: picture,
        "GREY": lambda: cv2.cvtColor(luma, cv2.COLOR_GRAY2RGB),
    }
    for how, interpolation in (("area", cv2.INTER_AREA), ("linear", cv2.INTER_LINEAR)):
        for name, decode in to_rgb.items():
            times = []
            for _ in range(200):
                start = time.perf_counter()
                small = cv2.resize(decode(), SIZE, interpolation=interpolation)
                np.ascontiguousarray(((small.astype(np.float32) - 127.5) / 127.5).transpose(2, 0, 1))
                times.append(1e3 * (time.perf_counter() - start))
            times.sort()
            print(f"{name:5} {how:6} {statistics.median(times):6.2f} ms, p95 {times[189]:6.2f} ms")


if __name__ == "__main__":
    main()
