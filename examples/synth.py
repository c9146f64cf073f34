# SPDX-License-Identifier: Apache-2.0
"""A small wavetable synthesizer: pads, basses and plucks in stereo, as wav files in class folders.

It stands in for the exported synth notes of the seed paper (SG3-spect, section 3.2: pads, basses and plucks, every
patch on several notes, half of the patches on the even octaves and half on the odd ones). A note is the sum of a few
detuned voices,

    x_c(t) = e(t) * sum_v g_cv * [b(t) * bright(p_v(t)) + (1 - b(t)) * dark(p_v(t))],    p_v(t) = f 2^(d_v/1200) t + p_v

with two band-limited tables per patch (harmonics below 0.45 of the sample rate, no constant part), an amplitude
envelope e, a brightness envelope b, and for each voice a detuning d_v in cents and gains g_cv of equal power for left
and right. Sounds are float32 [channels, L] in [-1, 1]; middle C = MIDI 60 is called C4.

    python -m examples.synth OUT --count 100 --seconds 1.0 --sample-rate 16000 --seed 0
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.io import wavfile
from scipy.signal import butter, sosfilt

TABLE = 2048  # samples of one cycle
NOTES_A_PATCH = 6
NAMES = ("C", "Cs", "D", "Ds", "E", "F", "Fs", "G", "Gs", "A", "As", "B")


@dataclass(frozen=True)
class Kind:
    """Ranges that a class of patches is drawn from; times are shares of the note's length.

    octaves: lowest and highest octave; attack: share of the length; hold: where the release begins (None: no sustain,
    the note decays from its start); decay: time constant as a share of the length; detune_cents: half spread of the
    voices; width: how far the outer voices stand apart, 0 = mono, 1 = hard left and right; slope: harmonics fall as
    k^-slope; cutoff: the harmonic at which the dark table is 6 dB down.
    """

    octaves: tuple[int, int]
    voices: int
    attack: tuple[float, float]
    hold: float | None
    decay: tuple[float, float]
    detune_cents: tuple[float, float]
    width: tuple[float, float]
    slope: tuple[float, float]
    cutoff: tuple[float, float]


KINDS = {
    "pad": Kind((2, 5), 5, (0.12, 0.30), 0.6, (2.0, 4.0), (6.0, 18.0), (0.5, 1.0), (1.0, 1.8), (2.0, 8.0)),
    "bass": Kind((2, 3), 3, (0.004, 0.02), 0.7, (0.6, 2.0), (2.0, 7.0), (0.2, 0.5), (0.9, 1.6), (1.5, 6.0)),
    "pluck": Kind((2, 6), 3, (0.002, 0.006), None, (0.08, 0.22), (2.0, 9.0), (0.3, 0.9), (0.8, 1.6), (1.5, 5.0)),
}


@dataclass(frozen=True)
class Note:
    """One note: its class, the number of its patch and its pitch (MIDI)."""

    kind: str
    patch: int
    midi: int

    @property
    def name(self) -> str:
        """The file's name without its suffix: pad_C3_07 is patch 7 of the pads on C3."""
        return f"{self.kind}_{NAMES[self.midi % 12]}{self.midi // 12 - 1}_{self.patch:02d}"


@dataclass(frozen=True)
class Patch:
    """One sound of the synthesizer: harmonics of both tables, envelopes, voices."""

    bright: np.ndarray  # amplitude of harmonic 1, 2, ...
    dark: np.ndarray
    phases: np.ndarray  # of the harmonics, radians
    attack: float
    hold: float | None
    decay: float
    brightness_decay: float
    detune_cents: np.ndarray  # one per voice
    pan: np.ndarray  # one per voice, -1 left .. 1 right
    start: np.ndarray  # phase of each voice, cycles


def plan_notes(count: int, rng: np.random.Generator) -> list[Note]:
    """Spread `count` different notes over the classes, their patches and every second octave."""
    notes: dict[Note, None] = {}
    for turn in range(count):
        kind = list(KINDS)[turn % len(KINDS)]
        patch = turn // len(KINDS) // NOTES_A_PATCH
        low, high = KINDS[kind].octaves
        octaves = [octave for octave in range(low, high + 1) if octave % 2 == patch % 2]
        while len(notes) == turn:  # until it is a new one
            midi = 12 * (int(rng.choice(octaves)) + 1) + int(rng.integers(12))
            notes[Note(kind, patch, midi)] = None
    return list(notes)


def draw_patch(kind: Kind, rng: np.random.Generator) -> Patch:
    """Draw one patch of a class."""
    k = np.arange(1, TABLE // 2)
    # Odd harmonics alone sound hollow (square), all of them full (saw): draw what lies between.
    even = np.where(k % 2 == 0, rng.uniform(0.0, 1.0), 1.0)
    bright = even * k ** -rng.uniform(*kind.slope)
    dark = bright / (1 + (k / rng.uniform(*kind.cutoff)) ** 4) ** 0.5
    spread = np.linspace(-1.0, 1.0, kind.voices)
    return Patch(
        bright=bright,
        dark=dark,
        phases=np.where(rng.random() < 0.5, 0.0, rng.uniform(-np.pi, np.pi, k.size)),
        attack=rng.uniform(*kind.attack),
        hold=kind.hold,
        decay=rng.uniform(*kind.decay),
        brightness_decay=rng.uniform(0.1, 0.5),
        detune_cents=spread * rng.uniform(*kind.detune_cents),
        pan=spread * rng.uniform(*kind.width) * rng.choice([-1.0, 1.0]),
        start=rng.random(kind.voices),
    )


def table(amplitudes: np.ndarray, phases: np.ndarray, harmonics: int) -> np.ndarray:
    """One cycle of the first `harmonics` harmonics.

    Shape: [TABLE + 1], the first value once more at the end, so that the last interval can be interpolated.
    """
    spectrum = np.zeros(TABLE // 2 + 1, dtype=complex)
    spectrum[1 : harmonics + 1] = (amplitudes * np.exp(1j * phases))[:harmonics]
    cycle = np.fft.irfft(spectrum, TABLE) * TABLE / 2
    return np.append(cycle, cycle[0])


def envelope(patch: Patch, u: np.ndarray) -> np.ndarray:
    """Amplitude over u = time / length: raised-cosine attack, exponential decay, raised-cosine release to silence."""
    attack = 0.5 - 0.5 * np.cos(np.pi * np.clip(u / patch.attack, 0, 1))
    decay = np.exp(-np.maximum(u - patch.attack, 0) / patch.decay)
    release_from = 0.9 if patch.hold is None else patch.hold
    release = 0.5 + 0.5 * np.cos(np.pi * np.clip((u - release_from) / (0.98 - release_from), 0, 1))
    return attack * decay * release


def render(note: Note, patch: Patch, samples: int, sample_rate: int, peak_db: float = -3.0) -> np.ndarray:
    """Render one note of a patch.

    Shape: [2, L] float32, largest value peak_db below full scale.
    """
    frequency_hz = 440.0 * 2 ** ((note.midi - 69) / 12)
    t = np.arange(samples) / sample_rate
    u = t * sample_rate / samples
    harmonics = min(max(int(0.45 * sample_rate / frequency_hz), 1), TABLE // 2 - 1)
    bright, dark = (table(a, patch.phases, harmonics) for a in (patch.bright, patch.dark))

    # Voices x time: where each voice stands in its cycle.
    phase = (frequency_hz * 2 ** (patch.detune_cents / 1200))[:, None] * t + patch.start[:, None]
    at = (phase % 1.0) * TABLE
    grid = np.arange(TABLE + 1)
    blend = np.exp(-u / patch.brightness_decay)
    voices = blend * np.interp(at, grid, bright) + (1 - blend) * np.interp(at, grid, dark)

    # Equal-power panning, envelope, and a gentle high-pass below hearing, which takes away what the envelope adds at 0.
    angle = (patch.pan + 1) * np.pi / 4
    stereo = np.stack([np.cos(angle) @ voices, np.sin(angle) @ voices]) * envelope(patch, u)
    stereo = sosfilt(butter(1, 12.0, "highpass", fs=sample_rate, output="sos"), stereo)
    fade = min(samples, sample_rate // 100 + 1)
    stereo[:, -fade:] *= 0.5 + 0.5 * np.cos(np.pi * np.linspace(0, 1, fade))
    return (stereo * (10 ** (peak_db / 20) / np.abs(stereo).max())).astype(np.float32)


def synthesize(count: int, samples: int, sample_rate: int, seed: int) -> Iterator[tuple[Note, np.ndarray]]:
    """Yield `count` different notes and their sounds; the same ones for the same arguments.

    Raises: ValueError where a number isn't positive, or there are fewer than two samples.
    """
    if count < 1 or samples < 2 or sample_rate < 1000:
        raise ValueError(f"{count} notes, {samples} samples, {sample_rate} Hz: needed are at least 1, 2 and 1000.")
    patches: dict[tuple[str, int], Patch] = {}
    for note in plan_notes(count, np.random.default_rng([seed, 0])):
        key = (note.kind, note.patch)
        if key not in patches:
            patches[key] = draw_patch(
                KINDS[note.kind], np.random.default_rng([seed, 1, *note.kind.encode(), note.patch])
            )
        peak_db = np.random.default_rng([seed, 2, *note.name.encode()]).uniform(-4.0, -2.0)
        yield note, render(note, patches[key], samples, sample_rate, peak_db)


def write_notes(out: Path, count: int, seconds: float, sample_rate: int, seed: int) -> list[Path]:
    """Write the notes as 16-bit wav files OUT/class/class_note_patch.wav and return their paths."""
    paths = []
    for note, sound in synthesize(count, round(seconds * sample_rate), sample_rate, seed):
        path = out / note.kind / f"{note.name}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        wavfile.write(path, sample_rate, np.round(sound.T * 32767).astype(np.int16))
        paths.append(path)
    return paths


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m examples.synth", description="Render synth notes to wav files.")
    parser.add_argument("out", type=Path, help="folder to write to; the classes become folders in it")
    parser.add_argument("--count", type=int, default=100, help="number of notes")
    parser.add_argument("--seconds", type=float, default=1.0, help="length of each")
    parser.add_argument("--sample-rate", type=int, default=16000, help="in Hz")
    parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same notes")
    given = parser.parse_args(arguments)
    try:
        paths = write_notes(given.out, given.count, given.seconds, given.sample_rate, given.seed)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    print(f"{len(paths)} notes of {given.seconds:g} s at {given.sample_rate} Hz in {given.out}")


if __name__ == "__main__":
    main()
