# SPDX-License-Identifier: Apache-2.0
"""--info, --verify, --merge and --split as a person meets them: what is said, exit codes, one line for a misuse."""

from pathlib import Path

import pytest
from click.testing import CliRunner

import dataset_tool_wav
from spect.archive.reader import Archive
from spect.dataset.labels import Asked
from tests.spect.archives.support import damage, made, sounds


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("kick", "snare tom"):
        made(sounds(tmp_path / "sounds"), tmp_path / f"{name.split()[0]}.zip", name, asked=Asked(("folders",)))
    return tmp_path


def run(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(dataset_tool_wav.main, [str(word) for word in arguments], standalone_mode=False)
    code = done.exception.code if isinstance(done.exception, SystemExit) else done.return_value or 0
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return code, done.output


def test_info_counts_what_is_there(folder: Path) -> None:
    code, out = run("--info", "snare.zip", "kick.zip")
    archive = Archive.open(folder / "snare.zip")
    assert code == 0
    for said in (
        f"pictures       {len(archive)} of 12 files ({len(archive.train)} to train on, {len(archive.holdout)} held out",
        f"2: snare {int((archive.labels == 0).sum())}, tom {int((archive.labels == 1).sum())}",
        "16x16, 0.06 s of stereo at 8000 Hz",
        "slice True",
        f"({(folder / 'snare.zip').stat().st_size / 1e3:.3g} kB)",
        archive.digest,
        "kick.zip:\n",
    ):
        assert said in out
    seconds = sum(record["samples"] for record in archive.records()) / 8000
    assert f"{seconds / 3600:.3g} hours" in out


def test_verify_names_what_is_broken_and_its_exit_code_says_so(folder: Path) -> None:
    assert run("--verify", "kick.zip", "snare.zip")[0] == 0
    damage(folder / "snare.zip", 3, 17)
    (folder / "cut.zip").write_bytes((folder / "kick.zip").read_bytes()[:-1000])
    code, out = run("--verify", "kick.zip", "--verify", "snare.zip", "cut.zip")
    assert code == 1
    lines = out.splitlines()
    assert lines[0].startswith("kick.zip: whole (")
    assert lines[1] == "snare.zip: 00000/spect00000003.npy: its values are damaged (CRC-32)"
    assert lines[2].startswith("snare.zip: 1 member of ")
    assert lines[3].startswith("cut.zip: a truncated or damaged zip")


def test_merge_and_split_say_what_they_wrote(folder: Path) -> None:
    code, out = run("--merge", "kick.zip", "snare.zip", "--dest", "new/all.zip")
    merged = Archive.open(folder / "new" / "all.zip")
    assert (code, merged.classes) == (0, ("kick", "snare", "tom"))
    assert out.startswith(f"new/all.zip: {len(merged)} pictures of 2 archives")
    assert "statistics computed anew" in out
    code, out = run("--split", "0.6/0.4", "new/all.zip", "--dest", "parts")
    assert code == 0
    parts = [Archive.open(folder / "parts" / f"all-{n}.zip") for n in (1, 2)]
    assert sum(map(len, parts)) == len(merged)
    assert out.splitlines()[0].startswith(f"parts/all-1.zip: {len(parts[0])} pictures of ")
    assert run("--split", "6/4", "new/all.zip", "--dest", "a.zip,b.zip")[0] == 0
    assert (folder / "b.zip").read_bytes() == (folder / "parts" / "all-2.zip").read_bytes()


def test_a_dry_run_writes_nothing(folder: Path) -> None:
    before = sorted(folder.rglob("*"))
    for arguments in (("--merge", "kick.zip", "snare.zip", "--dest=m.zip"), ("--split=1/1", "kick.zip", "--dest=p")):
        code, out = run(*arguments, "--dry-run")
        assert (code, "nothing written" in out) == (0, True)
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("", "--source: missing"),
        ("--source=sounds", "--dest: missing"),
        ("kick.zip", "kick.zip: unexpected"),
        ("--merge kick.zip --dest=m.zip", "kick.zip alone; name two archives or more"),
        ("--merge kick.zip snare.zip", "--dest: missing"),
        ("--merge kick.zip snare.zip --dest=kick.zip", "kick.zip is an archive that is read"),
        ("--merge kick.zip kick.zip --dest=m.zip", "are the same archive"),
        ("--merge kick.zip none.zip --dest=m.zip", "no such file"),
        ("--merge kick.zip sounds --dest=m.zip", "a folder, not an archive"),
        ("--merge kick.zip snare.zip --dest=m.zip --labels=folders", "--merge: doesn't go with --labels"),
        ("--merge kick.zip --verify snare.zip", "--verify and --merge: one at a time"),
        ("--info kick.zip --dest=m.zip", "--info: doesn't go with --dest"),
        ("--split 0.9/0.1 --dest=p", "got 0 archives; name one"),
        ("--split 0.9/0.1 kick.zip --dest=m.zip", "name 2 archives, with commas between them, or a folder"),
        ("--split 0.9/0.1 kick.zip --dest=m.zip,m.zip", "must differ"),
        ("--split 0.9 kick.zip --dest=p", "two or more shares"),
        ("--split 0.9/0.1 sounds/table.csv --dest=p", "not an archive of sounds"),
    ],
)
def test_a_misuse_is_one_line(folder: Path, capfd: pytest.CaptureFixture[str], arguments: str, said: str) -> None:
    code, out = run(*arguments.split())
    told = out or capfd.readouterr().err
    assert (code, said in told, told.count("\n")) == (2, True, 1), told
