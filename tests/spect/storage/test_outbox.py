# SPDX-License-Identifier: Apache-2.0
"""What appears in a folder appears at the address; failures are told, end nothing, and are made good."""

import os
import time
from pathlib import Path

import pytest

from spect.storage import outbox as module
from spect.storage.address import Address
from spect.storage.errors import StorageError
from spect.storage.fetch import fetch
from spect.storage.outbox import Outbox, read_sent
from spect.storage.send import listed
from tests.spect.storage.conftest import Place
from tests.spect.storage.servers import QUIET

pytestmark = QUIET


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "run" / "reals").mkdir(parents=True)
    for name in ("options.json", "reals/0.wav", "snapshot-1", "state-1"):
        (tmp_path / "run" / name).write_text(f"{name} 1")
    (tmp_path / "run" / ".half.part").write_text("half")
    return tmp_path / "run"


def there(place: Place) -> dict[str, str]:
    address = Address(place.at("runs/0"))
    return {name: fetch(address.child(name)).read_text() for name in listed(address)}


def here(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    return {path.relative_to(folder).as_posix(): path.read_text() for path in files}


def test_new_changed_and_removed_files_are_new_changed_and_removed_there(place: Place, folder: Path) -> None:
    told: list[str] = []
    with Outbox(folder, Address(place.at("runs/0")), told.append) as box:
        box.send_new()
        _wait(lambda: not box.pending())
        assert there(place) == here(folder)
        (folder / "state-1").write_text("state-1, pruned")
        (folder / "state-2").write_text("state-2")
        (folder / "snapshot-1").unlink()
        assert set(box.pending()) == {"state-1", "state-2"}
    assert there(place) == here(folder)
    assert set(read_sent(folder)) == set(here(folder))
    assert told == []


def _wait(until) -> None:  # type: ignore[no-untyped-def]
    end = time.monotonic() + 20
    while not until():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_what_was_sent_before_is_not_sent_again_by_the_next_process(
    place: Place, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    send = module.send
    monkeypatch.setattr(module, "send", lambda file, address: sent.append(file.name) or send(file, address))
    for _ in range(2):
        with Outbox(folder, Address(place.at("runs/0")), print):
            pass
    assert sorted(sent) == ["0.wav", "options.json", "snapshot-1", "state-1"]
    (folder / "log.txt").write_text("more")
    with Outbox(folder, Address(place.at("runs/0")), print):
        pass
    assert sent[4:] == ["log.txt"]


def test_a_storage_that_is_away_is_told_waited_for_by_nobody_and_caught_up_with(place: Place, folder: Path) -> None:
    told: list[str] = []
    with Outbox(folder, Address(place.at("runs/0")), told.append) as box:
        place.wire.cut(1000, 0)
        began = time.monotonic()
        box.send_new()
        assert time.monotonic() - began < 1  # the caller goes on
        _wait(lambda: told)
        assert told[0].startswith("upload failed, training goes on and it is tried again: ")
        assert len(box.pending()) == 4
        place.wire.cut(0, 0)
        (folder / "state-2").write_text("state-2")
        box.send_new()
        _wait(lambda: not box.pending())
    assert there(place) == here(folder)


def test_what_cannot_be_sent_to_the_end_is_named_and_sent_by_the_next_process(place: Place, folder: Path) -> None:
    told: list[str] = []
    place.wire.cut(1000, 0)
    with Outbox(folder, Address(place.at("runs/0")), told.append):
        pass
    assert f"4 files are not at {place.at('runs/0')} yet (options.json, reals/0.wav, snapshot-1, state-1)" in told[-1]
    assert str(folder) in told[-1]
    place.wire.cut(0, 0)
    with Outbox(folder, Address(place.at("runs/0")), told.append):
        pass
    assert there(place) == here(folder)


def test_the_newest_is_sent_last_so_that_a_state_stands_where_all_before_it_does(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    for age, name in enumerate(("state-1", "snapshot-1", "reals/0.wav", "options.json")):
        os.utime(folder / name, (2_000_000_000 - age, 2_000_000_000 - age))
    sent: list[str] = []

    def refused(file: Path, address: Address) -> None:
        sent.append(file.name)
        if len(sent) == 3:
            raise StorageError("full")

    monkeypatch.setattr(module, "send", refused)
    monkeypatch.setattr(module, "LAST_TRIES", 1)
    with Outbox(folder, Address("memory://x"), lambda line: None):
        pass
    assert sent == ["options.json", "0.wav", "snapshot-1"]  # nothing is sent past one that failed
