# SPDX-License-Identifier: Apache-2.0
"""Files go to S3 and SFTP servers and come back; a cut connection is no end; nothing stands half written."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from spect.storage import fetch as fetching
from spect.storage.address import Address, is_address
from spect.storage.errors import StorageError
from spect.storage.fetch import cache_folder, fetch, look
from spect.storage.send import check_writable, listed, remove, send
from tests.spect.storage.conftest import Place
from tests.spect.storage.servers import QUIET, Servers

SIZE = 3_000_000
pytestmark = QUIET


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "a.bin").write_bytes(os.urandom(SIZE))
    return tmp_path / "a.bin"


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "CHUNK", 1 << 18)


def test_a_file_goes_there_is_listed_comes_back_and_goes(place: Place, file: Path) -> None:
    address = Address(place.at("deep/er/a.bin"))
    send(file, address)
    assert listed(Address(place.at("deep"))) == ["er/a.bin"]
    here = fetch(address)
    assert (here.name, here.read_bytes() == file.read_bytes()) == ("a.bin", True)
    remove(address)
    remove(address)
    assert listed(Address(place.at("deep"))) == listed(Address(place.at("nowhere"))) == []
    with pytest.raises(StorageError, match=r"deep/er/a\.bin: can't be read \(there is no such file\)"):
        fetch(address)


def test_what_is_there_already_is_not_fetched_again_but_what_has_changed_is(place: Place, file: Path) -> None:
    address, done = Address(place.at("a.bin")), []

    def shown(what: str, size: int | None):  # type: ignore[no-untyped-def]
        done.append((what, size))
        return fetching.unseen(what, size)

    send(file, address)
    first = fetch(address, shown)
    assert fetch(address, shown) == first
    file.write_bytes(os.urandom(SIZE + 1))
    send(file, address)
    second = fetch(address, shown)
    assert second != first
    assert second.read_bytes() == file.read_bytes()
    assert done == [("fetching a.bin", SIZE), ("fetching a.bin", SIZE + 1)]


def test_a_connection_that_is_cut_in_the_middle_goes_on_where_it_was(
    place: Place, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, copied = Address(place.at("a.bin")), []
    send(file, address)
    copy = fetching._copy

    def counted(remote, opened, *rest):  # type: ignore[no-untyped-def]
        copied.append(opened.seek(0, os.SEEK_END))
        copy(remote, opened, *rest)

    monkeypatch.setattr(fetching, "_copy", counted)
    place.wire.cut(2, SIZE // 2)
    assert fetch(address).read_bytes() == file.read_bytes()
    assert place.wire.cuts == 0
    assert copied[0] == 0
    assert copied[-1] > 0  # the last did not begin anew
    assert copied == sorted(copied)


def test_a_process_that_was_killed_leaves_what_the_next_one_goes_on_with(
    place: Place, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = Address(place.at("a.bin"))
    send(file, address)
    place.wire.cut(1000, SIZE // 3)
    with pytest.raises(StorageError, match=r"can't be read .* tried 3 times; run the same again"):
        _at_most(1_000_000, address, monkeypatch)
    place.wire.cut(0, 0)
    (part,) = cache_folder().rglob(".a.bin.part")
    assert 0 < part.stat().st_size < SIZE
    assert not list(cache_folder().rglob("a.bin"))
    had, moved = part.stat().st_size, []
    assert fetch(address, lambda what, size: _Counted(moved)).read_bytes() == file.read_bytes()
    assert moved[0] == had
    assert sum(moved) == SIZE
    assert not list(cache_folder().rglob("*.part"))


def test_two_that_want_the_same_file_fetch_it_once(place: Place, file: Path) -> None:
    address, bars = Address(place.at("a.bin")), []
    send(file, address)

    def shown(what: str, size: int | None):  # type: ignore[no-untyped-def]
        bars.append(what)
        return fetching.unseen(what, size)

    with ThreadPoolExecutor(4) as pool:
        places = list(pool.map(lambda _: fetch(address, shown), range(4)))
    assert len(bars) == len(set(places)) == 1
    assert places[0].read_bytes() == file.read_bytes()


class _Counted:
    """A bar that remembers its steps."""

    def __init__(self, moved: list[int]) -> None:
        self.moved = moved

    def __enter__(self):  # type: ignore[no-untyped-def]
        return self.moved.append

    def __exit__(self, *_: object) -> None:
        pass


def _at_most(size: int, address: Address, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fetch over a wire that lets nothing through any more once `size` bytes have come."""
    copy = fetching._copy

    def limited(remote, opened, *rest):  # type: ignore[no-untyped-def]
        if opened.seek(0, os.SEEK_END) >= size:
            raise ConnectionResetError("cut")
        copy(remote, opened, *rest)

    with monkeypatch.context() as patched:
        patched.setattr(fetching, "_copy", limited)
        fetch(address)


def test_a_sending_that_is_cut_goes_on_and_one_that_fails_leaves_what_was_there(place: Place, file: Path) -> None:
    address = Address(place.at("a.bin"))
    place.wire.cut(1, SIZE // 2)
    send(file, address)
    assert (place.wire.cuts, fetch(address).read_bytes() == file.read_bytes()) == (0, True)
    before = file.read_bytes()
    file.write_bytes(os.urandom(SIZE))
    place.wire.cut(1000, SIZE // 2)
    with pytest.raises(StorageError, match=r"a\.bin: can't be written .* tried 3 times"):
        send(file, address)
    place.wire.cut(0, 0)
    assert fetch(address).read_bytes() == before
    assert [name for name in listed(Address(place.at(""))) if name == "a.bin"] == ["a.bin"]


@pytest.mark.parametrize("kind", ["ranges", "whole", "endless"])
def test_the_web_is_read_with_ranges_and_without(servers: Servers, tmp_path: Path, file: Path, kind: str) -> None:
    (servers.files / tmp_path.name).mkdir()
    (servers.files / tmp_path.name / "a.bin").write_bytes(file.read_bytes())
    wire = servers.wires["web"]
    root = f"http://127.0.0.1:{wire.port}/{kind}/{tmp_path.name}"
    address = Address(f"{root}/a.bin?token=1")
    assert address.name == "a.bin"
    if kind != "endless":
        wire.cut(2, SIZE // 2)  # without a length nobody can tell a cut from the end
    assert fetch(address).read_bytes() == file.read_bytes()
    assert wire.cuts == 0
    with pytest.raises(StorageError, match=r"none\.bin: can't be read \(there is no such file\)"):
        fetch(Address(f"{root}/none.bin"))
    with pytest.raises(StorageError, match=r"--dest=http://.* is for reading; give s3://"):
        check_writable(address, "--dest")


def test_a_web_folder_is_listed_by_its_links(servers: Servers, tmp_path: Path) -> None:
    folder = servers.files / tmp_path.name
    (folder / "sub").mkdir(parents=True)
    for name in ("x.wav", "sub/y.wav"):
        (folder / name).write_bytes(b"RIFF")
    assert listed(Address(servers.address("web", tmp_path.name)(""))) == ["sub/y.wav", "x.wav"]


def test_a_file_that_changes_while_it_is_read_is_read_again(servers: Servers, tmp_path: Path, file: Path) -> None:
    new, seen = os.urandom(SIZE + 5), []
    (servers.files / tmp_path.name).mkdir()
    there = servers.files / tmp_path.name / "a.bin"
    there.write_bytes(file.read_bytes())

    def change(what: str, size: int | None):  # type: ignore[no-untyped-def]
        seen.append(size)
        if len(seen) == 1:
            there.write_bytes(new)
        return fetching.unseen(what, size)

    assert fetch(Address(servers.address("web", tmp_path.name)("a.bin")), change).read_bytes() == new
    assert seen == [SIZE, SIZE + 5]


def test_an_unknown_host_key_is_refused_at_once(servers: Servers, tmp_path: Path) -> None:
    (tmp_path / "home" / ".ssh" / "known_hosts").write_text("")
    with pytest.raises(StorageError, match=r"can't be reached .*Host key is not trusted"):
        look(Address(servers.address("sftp", tmp_path.name)("a.bin")))


def test_what_is_an_address_and_what_a_path() -> None:
    assert all(map(is_address, ("s3://b/x", "sftp://h/x", "https://h/x", "file:///x", "memory://x", "gs://b")))
    assert not any(
        map(is_address, ("a.zip", "/a/b", "C:/x", "a.zip,b.zip", "s3:/b", "://x", "a b://c", Path("s3://b")))
    )
    address = Address("s3://bucket/runs/1/")
    assert (address.name, address.parent.url, address.child("x").url) == (
        "1", "s3://bucket/runs", "s3://bucket/runs/1/x",
    )  # fmt: skip


def test_what_is_missing_to_reach_an_address_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    import fsspec

    def without(protocol: str) -> None:
        raise ImportError("no gcsfs")

    monkeypatch.setattr(fsspec, "get_filesystem_class", without)
    with pytest.raises(StorageError, match=r"isn't there: pip install gcsfs \(this project's extra `remote-gs`\)"):
        look(Address("gs://bucket/a.zip"))
    monkeypatch.undo()
    with pytest.raises(StorageError, match=r"nonsense.*addresses are s3://, .*or others that fsspec knows"):
        look(Address("nonsense://bucket/a.zip"))
