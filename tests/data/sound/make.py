"""Makes `golden.safetensors` beside it: `pip install -r requirements.txt && python make.py`.

A second of sound that asks for all of a feature's range, drawn here, and what librosa and SciPy make of it in double
precision: the log-mel of `src/prepare/mel.rs`, the rhythm of `src/prepare/rhythm.rs`.
"""

from pathlib import Path

import librosa
import numpy as np
from safetensors.numpy import save_file
from scipy import signal

RATE = 16_000
FLOOR = 1e-10
QUIET = 1e-6


def sound():
    """f32[16000]: noise, a chirp, blows that ring, almost nothing, nothing, full scale."""
    rng = np.random.default_rng(20261126)
    t = np.arange(RATE) / RATE
    x = np.zeros(RATE)
    x[:3200] = 0.1 * rng.standard_normal(3200)
    x[3200:6400] = 0.5 * signal.chirp(t[:3200], 30, t[3199], 7900, method="logarithmic")
    since = np.mod(t[6400:9600], 1 / 97)
    x[6400:9600] = 0.3 * np.exp(-900 * since) * np.sin(2 * np.pi * 3000 * since) + 0.01 * rng.standard_normal(3200)
    x[9600:12000] = 1e-6 * rng.standard_normal(2400)
    # Longer than a window, so that whole frames hold nothing.
    x[12000:13600] = 0
    x[13600:] = np.sin(2 * np.pi * 440 * t[13600:])
    return np.clip(x, -1, 1).astype(np.float32)


def torchaudio_filters(n_freqs, low, high, bands, rate):
    """As torchaudio 2 writes it in `functional.melscale_fbanks(norm=None, mel_scale="htk")`."""
    all_freqs = np.linspace(0, rate // 2, n_freqs)
    mel = lambda hz: 2595.0 * np.log10(1.0 + hz / 700.0)
    f_pts = 700.0 * (10.0 ** (np.linspace(mel(low), mel(high), bands + 2) / 2595.0) - 1.0)
    f_diff = f_pts[1:] - f_pts[:-1]
    slopes = f_pts[None, :] - all_freqs[:, None]
    down, up = -slopes[:, :-2] / f_diff[:-1], slopes[:, 2:] / f_diff[1:]
    return np.maximum(0.0, np.minimum(down, up)).T


def log_mel(x, window=1024, hop=160, bands=128, low=0.0, high=8000.0):
    """f32[bands, frames], dB."""
    filters = librosa.filters.mel(
        sr=RATE, n_fft=window, n_mels=bands, fmin=low, fmax=high, htk=True, norm=None, dtype=np.float64
    )
    assert np.allclose(filters, torchaudio_filters(window // 2 + 1, low, high, bands, RATE), rtol=0, atol=1e-12)
    power = np.abs(librosa.stft(x, n_fft=window, hop_length=hop, window="hann", center=False)) ** 2
    return 10 * np.log10(filters @ power + FLOOR)


def lines(low, high, count):
    """Frequencies, and where each reaches, in Hz."""
    step = (high / low) ** (1 / (count - 1))
    at = lambda i: low * step**i
    i = np.arange(count)
    return at(i), at(i - 0.5), at(i + 0.5)


def spectrum(x, rate, low, high, count):
    """f64[count], dB: the highest point within the reach of each line, a sine of amplitude 1 at 0 dB."""
    window = signal.get_window("hann", len(x), fftbins=True)
    power = (2 * np.abs(np.fft.rfft(x * window)) / window.sum()) ** 2
    hz = np.fft.rfftfreq(len(x), 1 / rate)
    _, start, end = lines(low, high, count)
    highest = [
        max(*np.interp([a, b], hz, power), *power[(hz >= a) & (hz <= b)]) for a, b in zip(start, end)
    ]
    return 10 * np.log10(np.array(highest) + FLOOR)


def rhythm(x, rate):
    """f64[4 * 128 + 64], dB."""
    n = len(x)
    edges = 500 * (min(8000, rate / 2) / 500) ** (np.arange(5) / 4)
    bins = np.minimum(np.floor(edges * n / rate + 0.5).astype(int), (n + 1) // 2)
    whole = np.fft.rfft(x)
    told = []
    for first, end in zip(bins, bins[1:]):
        band = np.zeros_like(whole)
        band[first:end] = whole[first:end]
        envelope = np.abs(signal.hilbert(np.fft.irfft(band, n)))
        envelope = (envelope - envelope.mean()) / (envelope.mean() + QUIET)
        told.append(spectrum(envelope, rate, 4, 500, 128))
    told.append(spectrum(x, rate, 20, 1000, 64))
    return np.concatenate(told)


samples = sound()
x = samples.astype(np.float64)
made = {
    "log_mel": log_mel(x),
    "log_mel_64": log_mel(x, 400, 250, 64, 60.0, 7800.0),
    "rhythm": rhythm(x, RATE),
    "rhythm_odd": rhythm(x[:12345], 11_025),
    "frequencies": np.concatenate([np.tile(lines(4, 500, 128)[0], 4), lines(20, 1000, 64)[0]]),
}
made = {name: np.ascontiguousarray(value, dtype=np.float32) for name, value in made.items()}
save_file({"samples": samples, **made}, Path(__file__).with_name("golden.safetensors"))
