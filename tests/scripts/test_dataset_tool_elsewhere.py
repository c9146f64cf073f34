# SPDX-License-Identifier: Apache-2.0
"""dataset_tool_wav.py with sounds and archives at addresses: what is made is what is made of files here."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import dataset_tool_wav
from spect.archive.reader import Archive
from spect.dataset import build
from spect.storage.address import Address
from spect.storage.fetch import cache_folder, fetch
from spect.storage.send import listed, send
from tests.spect.archives.support import sounds
from tests.spect.storage.conftest import Place, own_home, place, servers
from tests.spect.storage.servers import QUIET, Servers

__all__ = ["own_home", "place", "servers"]
pytestmark = QUIET
SMALL = ("--resolution=16x16", "--sample-rate=8000", "--slice", "--labels=folders", "--holdout=0.3")


def run(*arguments: object, code: int = 0, workers: int = 1) -> str:
    words = [*map(str, arguments), *([f"--workers={workers}", *SMALL] if "--source" in str(arguments[0]) else [])]
    done = CliRunner().invoke(dataset_tool_wav.main, words)
    assert done.exit_code == code, f"{done.output}\n{done.exception!r}"
    return done.output


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = sounds(tmp_path / "sounds", per_class=2)
    (folder / "table.csv").unlink()
    (folder / "kick" / "bad.wav").write_text("no sound")
    run(f"--source={folder}", f"--dest={tmp_path / 'here.zip'}")
    return folder


def test_from_an_address_to_an_address_gives_the_same_bytes(place: Place, folder: Path, tmp_path: Path) -> None:
    for path in folder.rglob("*.wav"):
        send(path, Address(place.at(f"sounds/{path.relative_to(folder)}")))
    out = run(f"--source={place.at('sounds')}", f"--dest={place.at('made/there.zip')}", workers=2)
    assert f"Scan of {place.at('sounds')}:" in out
    assert f"--data={place.at('made/there.zip')}" in out or "next:" not in out
    assert str(cache_folder()) not in out
    assert listed(Address(place.at("made"))) == ["skipped.csv", "there.zip"]
    there = fetch(Address(place.at("made/there.zip")))
    assert there.read_bytes() == (tmp_path / "here.zip").read_bytes()
    assert not list((cache_folder() / "made").iterdir())
    assert "whole (" in run("--verify", place.at("made/there.zip"))


def test_an_interrupted_build_goes_on_between_addresses(place: Place, folder: Path, tmp_path: Path) -> None:
    """Ctrl-C comes after two of the pieces; sources and target are elsewhere, the parts are here."""
    for path in folder.rglob("*.wav"):
        send(path, Address(place.at(f"sounds/{path.relative_to(folder)}")))
    line = (f"--source={place.at('sounds')}", f"--dest={place.at('there.zip')}")
    add, made = build._Done.add, []

    def interrupted(done: Any, piece: Any) -> None:
        made.append(piece)
        if len(made) == 3:
            raise KeyboardInterrupt
        add(done, piece)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(build._Done, "add", interrupted)
        out = run(*line, code=130)
    assert "the same command with --resume goes on there" in out
    out = run(*line, "--resume")
    assert re.search(r"--resume: [1-9]\d* of \d+ canvases are there and go in", out)
    assert fetch(Address(place.at("there.zip"))).read_bytes() == (tmp_path / "here.zip").read_bytes()
    assert not list((cache_folder() / "made").iterdir())


def test_archives_are_split_and_merged_there(place: Place, folder: Path, tmp_path: Path) -> None:
    send(tmp_path / "here.zip", Address(place.at("all.zip")))
    run("--split", "1/1", place.at("all.zip"), "--dest", place.at("parts"))
    names = listed(Address(place.at("parts")))
    assert names == ["all-1.zip", "all-2.zip"]
    run("--merge", *(place.at(f"parts/{name}") for name in names), "--dest", place.at("again.zip"))
    assert fetch(Address(place.at("again.zip"))).read_bytes() == (tmp_path / "here.zip").read_bytes()


def test_a_zip_and_a_folder_of_the_web(servers: Servers, folder: Path, tmp_path: Path) -> None:
    served = servers.files / tmp_path.name
    shutil.copytree(folder, served / "sounds")
    shutil.make_archive(str(served / "packed"), "zip", folder)
    at = servers.address("web", tmp_path.name)
    for name in ("sounds", "packed.zip"):
        run(f"--source={at(name)}", f"--dest={tmp_path / 'there.zip'}")
        assert (tmp_path / "there.zip").read_bytes() == (tmp_path / "here.zip").read_bytes(), name


def test_a_storage_that_breaks_off_is_no_bad_sound(place: Place, folder: Path, tmp_path: Path) -> None:
    for path in folder.rglob("*.wav"):
        send(path, Address(place.at(f"sounds/{path.relative_to(folder)}")))
    place.wire.cut(2, 20_000)
    run(f"--source={place.at('sounds')}", f"--dest={tmp_path / 'there.zip'}")
    assert place.wire.cuts == 0
    assert (tmp_path / "there.zip").read_bytes() == (tmp_path / "here.zip").read_bytes()
    before = (tmp_path / "there.zip").read_bytes()
    place.wire.cut(1000, 1500)
    out = run(f"--source={place.at('sounds')}", f"--dest={tmp_path / 'there.zip'}", code=2)
    assert "tried 3 times" in out or "can't be reached" in out
    assert (tmp_path / "there.zip").read_bytes() == before


def test_what_was_made_and_cannot_be_sent_stays_and_is_named(place: Place, folder: Path, tmp_path: Path) -> None:
    class Cut:
        """Cuts the wire once the archive is there."""

        def __call__(self, file: Path, address: Address) -> None:
            place.wire.cut(1000, 0)
            send(file, address)

    from patches import sent

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sent, "send", Cut())
        out = run(f"--source={folder}", f"--dest={place.at('there.zip')}", code=2)
    kept = Path(out.split("what was made is whole in ")[1].splitlines()[0])
    Archive.open(kept / "there.zip").verify()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("--source={web}/none.zip --dest=a.zip", "none.zip: can't be read (there is no such file)"),
        ("--source={s3}/none --dest=a.zip", "holds nothing and no sound"),
        ("--source=. --dest={web}/a.zip", "http:// is for reading"),
        ("--source=. --dest=nonsense://a/b.zip", "addresses are s3://"),
        ("--split=1/1 a.zip --dest={s3}/a.zip,{s3}/b.zip", "go to one folder"),
        ("--verify {s3}/none.zip", "there is no such file"),
    ],
)
def test_a_misuse_is_one_line(servers: Servers, tmp_path: Path, arguments: str, said: str) -> None:
    places = {name: servers.address(name, tmp_path.name)("") for name in ("web", "s3")}
    done = CliRunner().invoke(dataset_tool_wav.main, arguments.format(**places).split())
    assert done.exit_code == 2, done.output
    assert said in done.stderr, done.stderr
    assert done.stderr.count("\n") == 1
