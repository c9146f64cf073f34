# SPDX-License-Identifier: Apache-2.0
"""--beats: listen to each recording after the scan, and plan its clips. One job a file, in whichever process."""

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from functools import partial

from spect.beats.clips import Heard
from spect.beats.cut import clips_of
from spect.beats.novelty import hear
from spect.beats.segments import segments
from spect.dataset.options import Preparation
from spect.dataset.pool import in_order
from spect.dataset.scan import Facts, reason_of
from spect.dataset.sources import Source
from spect.errors import SoundError


def listen_all(
    source: Source, files: Sequence[Facts], preparation: Preparation, executor: Executor | None, workers: int
) -> Iterator[Facts]:
    """Listen to examined files, in order; those that can't go in come back as they are."""
    yield from in_order(executor, workers, partial(listen, source, preparation), files)


def listen(source: Source, preparation: Preparation, facts: Facts) -> Facts:
    """Find a recording's clips; without any, it comes back with the reason why."""
    wanted, rate = preparation.beats, preparation.representation.sample_rate
    if wanted is None or facts.reason is not None:
        return facts
    seconds = preparation.clip_samples / rate
    try:
        opened = source.open(facts.name)
        heard = hear(opened, facts.rate, facts.frames, facts.peak, downmix=preparation.downmix)
        found = clips_of(list(segments(heard, wanted, seconds)), wanted, seconds)
    except SoundError as error:
        return replace(facts, reason=reason_of(error, source, facts.name))
    except OSError as error:
        return replace(facts, reason=f"can't be opened ({error.strerror or error})")
    return replace(facts, heard=found, reason=None if found.clips else why_none(found, seconds))


def why_none(heard: Heard, seconds: float) -> str:
    """Say why a recording has no clip: what most of it lacks."""
    kinds = Counter[str]()
    for loss in heard.losses:
        kinds[loss.kind] += round(loss.end - loss.begin)
    if not kinds:
        return f"no clip of {seconds:.1f} s fits between its first beat and its end"
    most = kinds.most_common(1)[0][0]
    told = next(loss.told for loss in heard.losses if loss.kind == most)
    return f"no clip on the beat; {told}" + ("; and more" if len(heard.losses) > 1 else "")
