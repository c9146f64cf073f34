# SPDX-License-Identifier: Apache-2.0
"""Sounds -> numbers and features, deterministic and batched, for scores between sets of sounds of one rate.

Three views of a sound, on purpose unlike. `log_mel_statistics` is blind to phase and sees spectrum, decay and rhythm;
`waveform_features` sees the waveform: envelopes down to a few milliseconds, peaks, autocorrelation, stereo. Both see
the level; `stereo_and_level` sees little else. Each feature is made of groups, each divided by the root of its size, so
that no group rules the distance by mere number. Any L from 1 up is taken; meaningful are 1 024 samples and more, at 8
to 48 kHz.
Change a number below, and FEATURE_VERSION: scores of different versions can't be compared.
"""

import math

import torch

from spect.measures.sounds import check_sounds, finite_only, mid_of, ratio

FEATURE_VERSION = 1

MEL_BANDS = 48
MEL_LOWEST_HZ = 40.0
FRAME_SECONDS = 0.046  # rounded to a power of two: 2 048 samples at 44.1 kHz, 512 at 8 kHz
FLOOR_DB = -80.0  # below full scale; quieter bands and blocks count as this
SCALES = (1, 2, 4, 8, 16)  # frames of a quarter window: 12 ms to 190 ms
SEGMENTS = 4
ENVELOPES = (8, 32, 128)  # blocks a sound
LAGS = 64
STEREO_BLOCKS = 8
STEREO_BANDS = 6
SILENT_SHARE = 1e-6  # of a sound's energy: a band with less has no place between left and right
DB_UNIT = 20.0  # decibels that count as 1
SILENT_DB = -80.0  # a peak below this is silence
CLIPPED = 1 - 2**-15  # full scale of 16 bits


def log_mel_statistics(sounds: torch.Tensor, sample_rate: int) -> torch.Tensor:
    """Describe sounds by the statistics of their mid's log-mel spectrogram; blind to phase and polarity.

    In units of 20 dB, a full-scale sine at about 0: each band's mean and deviation over time; its mean in each
    quarter of the sound, less the mean; and its root-mean-square step between neighbouring blocks of 1, 2, 4, 8 and
    16 frames (0 where the sound is shorter than two blocks).

    Shape: [N, 1 or 2, L] -> [N, 48 * (2 + 4 + 5)].
    """
    mel = log_mel(mid_of(sounds), sample_rate)  # [N, bands, frames]
    mean = mel.mean(-1)
    quarters = torch.nn.functional.adaptive_avg_pool1d(mel, SEGMENTS) - mean[..., None]
    groups = [mean, mel.std(-1, correction=0), quarters.flatten(1)]
    groups += [_steps(mel, scale) for scale in SCALES]
    return torch.cat([group / math.sqrt(group.shape[1]) for group in groups], dim=1)


def waveform_features(sounds: torch.Tensor, sample_rate: int) -> torch.Tensor:
    """Describe sounds by their waveform; blind to polarity, not to phase.

    Levels of the mid in 8, 32 and 128 blocks of the sound and of the side in 8; the mid's crest factor in 32 blocks
    (all in units of 20 dB); the mid's normalised autocorrelation at 64 lags, spaced evenly in octaves from 1 sample to
    half the sound or 50 ms; and the modulus of its skewness. Silence: floor, 0 for the ratios.

    Shape: [N, 1 or 2, L] -> [N, 8 + 32 + 128 + 8 + 32 + 64 + 1].
    """
    mid = mid_of(sounds)
    side = (sounds[:, 0] - sounds[:, -1]).float() / 2
    groups = [_envelope(mid, blocks) for blocks in ENVELOPES]
    groups += [_envelope(side, ENVELOPES[0]), _crest(mid, ENVELOPES[1]), _autocorrelation(mid, sample_rate)]
    groups.append(_skewness(mid).abs()[:, None])
    return torch.cat([group / math.sqrt(group.shape[1]) for group in groups], dim=1)


def stereo_and_level(sounds: torch.Tensor, sample_rate: int) -> torch.Tensor:
    """Describe how loud sounds are and how they lie between left and right; blind to what they sound like.

    Level of the louder channel in 8 blocks and of the whole, and peak of the whole, in units of 20 dB. In 6 bands of
    equal width in octaves from 40 Hz to Nyquist, of the whole sound: the share of the side's energy, the balance
    (R - L) / (R + L) of energies, by modulus, and the correlation of left and right (1 for a band without energy).

    Shape: [N, 1 or 2, L] -> [N, 8 + 1 + 1 + 6 * 3].
    """
    mid_of(sounds)  # refuses what isn't finite
    left, right = sounds[:, 0].float(), sounds[:, -1].float()
    louder = _blocks(torch.stack([left, right], 1).flatten(0, 1), STEREO_BLOCKS).square().mean(-1)
    louder = louder.unflatten(0, (-1, 2)).amax(1)
    peak = _decibels(sounds.float().square().flatten(1).amax(1, keepdim=True))
    groups = [_decibels(louder), _decibels(louder.mean(1, keepdim=True)), peak]
    a, b = (torch.fft.rfft(channel) for channel in (left, right))
    bands = _octave_bands(a.shape[1], sample_rate).to(left)
    own_a, own_b, cross = (values @ bands.T for values in (a.abs().square(), b.abs().square(), (a * b.conj()).real))
    both = own_a + own_b
    heard = both > SILENT_SHARE * both.sum(1, keepdim=True).clamp_min(1e-20)
    side = torch.where(heard, ratio(both - 2 * cross, 2 * both), 0.0)
    balance = torch.where(heard, ratio((own_b - own_a).abs(), both), 0.0)
    together = torch.where(heard, ratio(cross, (own_a * own_b).sqrt()), 1.0)
    groups += [side, balance, together]
    return torch.cat([group / math.sqrt(group.shape[1]) for group in groups], dim=1)


def log_spectral_distance(wanted: torch.Tensor, got: torch.Tensor) -> torch.Tensor:
    """Compare the log magnitudes of sounds, whatever their phases.

    The root mean square over frequencies of the difference in dB, its mean over frames and channels; Hann frames of
    1 024 samples, hop 256, levels floored 80 dB below the wanted sound's largest. In dB; 0 for silence against silence.

    Shape: [N, C, L], [N, C, L] -> [N].
    """
    power = []
    for sounds in (wanted, got):
        padded = torch.nn.functional.pad(sounds.float(), (768, 768))
        frames = padded.unfold(-1, 1024, 256) * torch.hann_window(1024, device=sounds.device)
        power.append(torch.fft.rfft(frames).abs().square())
    floor = (power[0].flatten(1).amax(1) * 10 ** (FLOOR_DB / 10)).clamp_min(1e-20)[:, None, None, None]
    difference = 10 * torch.log10(torch.maximum(power[0], floor) / torch.maximum(power[1], floor))
    return difference.square().mean(-1).sqrt().flatten(1).mean(1)


def levels(sounds: torch.Tensor) -> dict[str, torch.Tensor]:
    """Measure each sound's levels. Samples that aren't finite count as 0 in all but `finite`.

    Returns:
        peak: largest modulus. rms_db: of all channels, floored at -200. dc: the channel mean of the larger modulus,
        with its sign. clipped: share of samples at full scale. silent: peak below -80 dB. finite: no NaN or Inf.

    Shape: [N, 1 or 2, L] -> each [N].
    """
    check_sounds(sounds)
    finite = torch.isfinite(sounds).flatten(1).all(1)
    clean = finite_only(sounds).double()
    size = clean.abs().flatten(1)
    means = clean.mean(-1)
    power = clean.square().flatten(1).mean(1)
    return {
        "peak": size.amax(1),
        "rms_db": 10 * torch.log10(power.clamp_min(1e-20)),
        "dc": means.gather(1, means.abs().argmax(1, keepdim=True))[:, 0],
        "clipped": (size >= CLIPPED).double().mean(1),
        "silent": size.amax(1) < 10 ** (SILENT_DB / 20),
        "finite": finite,
    }


def _octave_bands(bins: int, sample_rate: int) -> torch.Tensor:
    """Return which of the bins of a whole sound's transform lie in which band, 0 or 1. Shape: [bands, bins]."""
    hz = torch.linspace(0, sample_rate / 2, bins, dtype=torch.float64)
    edges = torch.logspace(math.log2(MEL_LOWEST_HZ), math.log2(sample_rate / 2), STEREO_BANDS + 1, base=2)
    edges[-1] = sample_rate
    return ((hz >= edges[:-1, None]) & (hz < edges[1:, None])).float()


def log_mel(
    mid: torch.Tensor, sample_rate: int, *, seconds: float = FRAME_SECONDS, bands: int = MEL_BANDS
) -> torch.Tensor:
    """Return the log-mel spectrogram in units of 20 dB. Shape: [N, L] -> [N, bands, frames].

    Hann window, hop of a quarter, zeros around, so that the first and the last sample lie in as many frames as others.

    Args:
        seconds: a frame's length, rounded to a power of two of samples.
    """
    size = frame_size(sample_rate, seconds)
    window = torch.hann_window(size, device=mid.device)
    hop = size // 4
    padded = torch.nn.functional.pad(mid, (size - hop, size - hop + (-mid.shape[1]) % hop))
    power = torch.fft.rfft(padded.unfold(-1, size, hop) * window).abs().square() * (2 / window.sum()) ** 2
    mel = power @ mel_filters(sample_rate, size, bands).to(mid).T
    decibels = 10 * torch.log10(mel + 10 ** (FLOOR_DB / 10))
    return decibels.transpose(1, 2) / DB_UNIT


def frame_size(sample_rate: int, seconds: float = FRAME_SECONDS) -> int:
    """Return a frame's length in samples: the power of two nearest to so many seconds, 4 at least."""
    return max(4, 2 ** round(math.log2(seconds * sample_rate)))


def mel_filters(sample_rate: int, size: int, bands: int = MEL_BANDS) -> torch.Tensor:
    """Return triangles of peak 1, evenly spaced in mel (HTK: 2595 log10(1 + f / 700)) from 40 Hz to Nyquist.

    Shape: [bands, size / 2 + 1].
    """
    low, high = (2595 * math.log10(1 + hz / 700) for hz in (MEL_LOWEST_HZ, sample_rate / 2))
    corners = 700 * (10 ** (torch.linspace(low, high, bands + 2, dtype=torch.float64) / 2595) - 1)
    hz = torch.arange(size // 2 + 1, dtype=torch.float64) * sample_rate / size
    left, centre, right = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    return torch.minimum((hz - left) / (centre - left), (right - hz) / (right - centre)).clamp_min(0)


def _steps(mel: torch.Tensor, scale: int) -> torch.Tensor:
    """Return the root-mean-square step between neighbouring blocks of `scale` frames. Shape: [N, B, T] -> [N, B]."""
    blocks = mel.shape[-1] // scale
    if blocks < 2:
        return torch.zeros_like(mel[..., 0])
    means = mel[..., : blocks * scale].unflatten(-1, (blocks, scale)).mean(-1)
    return means.diff(dim=-1).square().mean(-1).sqrt()


def _blocks(signal: torch.Tensor, blocks: int) -> torch.Tensor:
    """Cut a signal into equal blocks, the last padded with zeros. Shape: [N, L] -> [N, blocks, ceil(L / blocks)]."""
    length = -(-signal.shape[1] // blocks)
    return torch.nn.functional.pad(signal, (0, blocks * length - signal.shape[1])).unflatten(-1, (blocks, length))


def _decibels(power: torch.Tensor) -> torch.Tensor:
    return 10 * torch.log10(power + 10 ** (FLOOR_DB / 10)) / DB_UNIT


def _envelope(signal: torch.Tensor, blocks: int) -> torch.Tensor:
    """Return the level of each block, in units of 20 dB. Shape: [N, L] -> [N, blocks]."""
    return _decibels(_blocks(signal, blocks).square().mean(-1))


def _crest(signal: torch.Tensor, blocks: int) -> torch.Tensor:
    """Return the peak over the level of each block, in units of 20 dB. Shape: [N, L] -> [N, blocks]."""
    cut = _blocks(signal, blocks)
    return _decibels(cut.square().amax(-1)) - _decibels(cut.square().mean(-1))


def _autocorrelation(signal: torch.Tensor, sample_rate: int) -> torch.Tensor:
    """Return r(lag) / r(0) by the Wiener-Khinchin theorem, zero-padded. Shape: [N, L] -> [N, lags]."""
    length = signal.shape[1]
    longest = max(1, min(length // 2, round(0.05 * sample_rate)))
    lags = torch.logspace(0, math.log2(longest), LAGS, base=2, dtype=torch.float64).round().long().clamp(0, length - 1)
    size = 2 ** math.ceil(math.log2(2 * length))
    products = torch.fft.irfft(torch.fft.rfft(signal, n=size).abs().square(), n=size)
    return ratio(products[:, lags.to(signal.device)], products[:, :1])


def _skewness(signal: torch.Tensor) -> torch.Tensor:
    """Return the third moment about zero over the level's cube. Shape: [N, L] -> [N]."""
    return ratio(signal.pow(3).mean(1), signal.square().mean(1).pow(1.5))
