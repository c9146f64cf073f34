# SPDX-License-Identifier: Apache-2.0
"""Music made for tests, its every beat known: kick, snare, off-beat hat, bass, chords; stereo."""

from collections.abc import Callable

import numpy as np

RATE = 22050
CHORDS = ((220.0, 277.2, 329.6), (174.6, 220.0, 261.6), (196.0, 246.9, 293.7), (164.8, 207.7, 246.9))  # Hz


def steady(bpm: float, first: float, seconds: float) -> np.ndarray:
    """Give the times of the beats of one tempo."""
    return np.arange(first, seconds, 60 / bpm)


def drifting(bpm: Callable[[float], float], first: float, seconds: float) -> np.ndarray:
    """Give the times of beats whose tempo depends on the time."""
    times = [first]
    while times[-1] < seconds:
        times.append(times[-1] + 60 / bpm(times[-1]))
    return np.asarray(times[:-1])


def play(beats: np.ndarray, seconds: float, rate: int = RATE, *, hats: float = 0.25, first: int = 0) -> np.ndarray:
    """Play a bar of four beats over and over; the first beat is its number `first`. Shape: [2, L] float32."""
    rng = np.random.default_rng(0)
    sound = np.zeros((2, round(seconds * rate)))
    gaps = np.append(np.diff(beats), np.diff(beats[-2:]))
    noise = rng.standard_normal(rate)
    for number, (beat, gap) in enumerate(zip(beats, gaps, strict=True), first):
        _add(sound, beat, 0.6 * _kick(noise, rate), (1, 1), rate)
        if number % 2:
            _add(sound, beat, 0.25 * _hit(noise, 30, rate), (1, 0.8), rate)
        _add(sound, beat + gap / 2, hats * np.diff(_hit(noise, 90, rate)), (0.5, 1), rate)
        for eighth in (0, 0.5):
            _add(sound, beat + eighth * gap, 0.2 * _tone(55.0, gap / 2, rate), (1, 1), rate)
        if number % 4 == 0:
            for pitch in CHORDS[number // 4 % 4]:
                _add(sound, beat, 0.06 * _tone(pitch, 4 * gap, rate), (1, 0.4), rate)
    return np.asarray(sound * 0.7, np.float32)


def lag(sound: np.ndarray, other: np.ndarray, rate: int, at: float, reach: float = 0.03) -> float:
    """Tell how many seconds, within `reach`, the rises of `sound` come after those of `other` around `at`.

    Shape: [2, L], [2, L].
    """
    rises = []
    for one in (sound, other):
        part = one[:, max(0, round((at - 2 * reach) * rate)) : round((at + 2 * reach) * rate)].sum(axis=0)
        width = round(0.002 * rate)
        rises.append(np.diff(np.convolve(np.abs(np.diff(part)), np.hanning(width), "same")))
    match = np.correlate(rises[0], rises[1], "full")
    middle, most = len(rises[1]) - 1, round(reach * rate)
    return (int(match[middle - most : middle + most + 1].argmax()) - most) / rate


def _add(sound: np.ndarray, at: float, part: np.ndarray, pan: tuple[float, float], rate: int) -> None:
    start = round(at * rate)
    part = part[: max(0, sound.shape[1] - start)]
    sound[:, start : start + len(part)] += np.outer(pan, part)


def _kick(noise: np.ndarray, rate: int) -> np.ndarray:
    time = np.arange(round(0.2 * rate)) / rate
    wave = np.sin(2 * np.pi * (50 * time + 4 * (1 - np.exp(-40 * time)))) * np.exp(-14 * time)  # from 210 Hz down to 50
    return wave * np.minimum(time * 500, 1) + 0.1 * noise[: len(time)] * np.exp(-300 * time)


def _hit(noise: np.ndarray, decay: float, rate: int) -> np.ndarray:
    time = np.arange(round(0.15 * rate)) / rate
    return noise[: len(time)] * np.exp(-decay * time)


def _tone(pitch: float, seconds: float, rate: int) -> np.ndarray:
    time = np.arange(round(0.95 * seconds * rate)) / rate
    wave = sum(np.sin(2 * np.pi * pitch * k * time) / k for k in (1, 2, 3))
    return np.asarray(wave * np.minimum(1, time * 100) * np.minimum(1, (time[-1] - time) * 50))
