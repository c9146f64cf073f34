# SPDX-License-Identifier: Apache-2.0
"""--precision and --cache: what is chosen, what is refused, and that a run with them is a run."""

import json

import pytest
import torch

from patches.errors import UserError
from patches.runs import caching
from patches.runs.caching import check_cache, place_of, taken_by_cache
from patches.runs.precision import check_precision, set_tf32, suited
from stylegan3.ops.native import cpu
from tests.patches.runs.support import call, only_run
from tests.stylegan3.training.support import Pictures

CPU, CARD = torch.device("cpu"), torch.device("cuda")


@pytest.mark.parametrize(
    ("capability", "name"), [((6, 1), "fp32"), ((7, 0), "fp16"), ((8, 0), "fp16"), ((9, 0), "fp16")]
)
def test_a_card_with_tensor_cores_computes_in_float16(monkeypatch, capability, name):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert suited(CARD, "auto")[0] == name


@pytest.mark.parametrize(
    ("flags", "compiler", "ops", "name", "reason"),
    [
        ("avx512f avx512_bf16", "/usr/bin/g++", "auto", "bf16", "this CPU multiplies it faster"),
        ("avx512f avx512_bf16", "/usr/bin/g++", "fused", "bf16", "this CPU multiplies it faster"),
        ("avx512f avx512_bf16", "/usr/bin/g++", "reference", "fp32", "--ops=reference"),
        ("avx512f avx512_bf16", None, "auto", "fp32", "no g++ here"),
        ("avx512f avx512_vnni", "/usr/bin/g++", "auto", "fp32", "this CPU doesn't multiply bfloat16"),
        ("", "/usr/bin/g++", "auto", "fp32", "this CPU doesn't multiply bfloat16"),
    ],
)
def test_a_cpu_that_multiplies_bfloat16_computes_in_it(monkeypatch, flags, compiler, ops, name, reason):
    monkeypatch.setattr(cpu, "processor", lambda: f"flags\t: fpu {flags}\nmodel name : Some CPU")
    monkeypatch.setattr(cpu.shutil, "which", {"g++": compiler}.get)
    chosen, why = suited(CPU, ops)
    assert chosen == name
    assert reason in why


def test_a_precision_that_a_device_lacks_is_refused(monkeypatch):
    with pytest.raises(UserError, match="--precision=tf32: a CPU has no TF32"):
        check_precision("tf32", CPU)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
    for name in ("tf32", "bf16"):
        with pytest.raises(UserError, match=rf"--precision={name}: needs compute capability 8.0, this card has 7.5"):
            check_precision(name, CARD)
    check_precision("fp16", CARD)
    check_precision("bf16", CPU)


def test_float32_keeps_its_bits_unless_tf32_was_asked_for():
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    try:
        set_tf32("tf32")
        assert torch.backends.cudnn.allow_tf32
        assert torch.backends.cuda.matmul.allow_tf32
        set_tf32("fp32")
        assert not torch.backends.cudnn.allow_tf32
        assert not torch.backends.cuda.matmul.allow_tf32
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before


@pytest.mark.parametrize("name", ["bf16", "fp16"])
def test_a_run_in_less_precision_says_so_and_resumes(archive, tmp_path, name):
    told = call(outdir=tmp_path, data=archive, precision=name)
    assert f"--precision    {name}" in told
    run = only_run(tmp_path)
    assert json.loads((run / "training_options.json").read_text())["options"]["precision"] == name
    told = call(resume=run, kimg="+0.008", **dict.fromkeys(("cfg", "view", "batch", "gamma", "cbase", "cmax")),
                map_depth=None, device=None, batch_gpu=None)  # fmt: skip
    assert f"--precision    {name}" in told


@pytest.mark.parametrize(
    ("why", "line"),
    [
        (None, "bf16                      (between float32 ends: this CPU multiplies it"),
        ("this CPU doesn't", "fp32                      (this CPU doesn't)"),
    ],
)
def test_the_choice_is_told_with_its_reason(archive, tmp_path, monkeypatch, why, line):
    monkeypatch.setattr(cpu, "why_no_bfloat16", lambda: why)
    assert f"--precision    {line}" in call("--dry-run", outdir=tmp_path, data=archive)
    assert "--precision    fp32                      (--fp32=1)" in call(
        "--dry-run", outdir=tmp_path, data=archive, fp32=1
    )


def test_a_cached_run_equals_one_that_reads(archive, tmp_path):
    for where in ("none", "ram", "device"):
        call(outdir=tmp_path / where, data=archive, kimg=0.024, cache=where)
    digests = {
        tuple(tensor.sum().item() for _, tensor in sorted(tensors(only_run(tmp_path / where)).items()))
        for where in ("none", "ram", "device")
    }
    assert len(digests) == 1


def tensors(run):
    from patches.runs import tensorfile

    return tensorfile.load(run / "training-state-000000.024.safetensors")[0]


def test_a_cache_that_does_not_fit_is_refused_with_the_sizes(monkeypatch):
    data = Pictures(items=20000)  # 41 MB
    monkeypatch.setattr(caching, "free_memory", lambda device: 40e6)
    with pytest.raises(UserError, match=r"--cache=ram: 20000 .* 0.04 GB, 0.03 GB are free; give --cache=none"):
        check_cache(data, "ram", CPU, 1)
    monkeypatch.setattr(caching, "free_memory", lambda device: 80e6)
    check_cache(data, "ram", CPU, 1)
    with pytest.raises(UserError, match=r"0.03 GB are free for each of 2 ranks; give --cache=none"):
        check_cache(data, "ram", CPU, 2)
    with pytest.raises(UserError, match=r"--cache=device: .*; give --cache=ram or none"):
        check_cache(Pictures(items=80000), "device", CARD, 2)


def test_what_a_cache_takes_of_the_devices_memory():
    assert taken_by_cache(Pictures(), "none", CPU) == 0
    assert taken_by_cache(Pictures(), "ram", CPU) == 24 * 2 * 16 * 16 * 4
    assert taken_by_cache(Pictures(), "ram", CARD) == 0
    assert place_of("device", CARD) == CARD
