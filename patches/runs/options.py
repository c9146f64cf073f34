# SPDX-License-Identifier: Apache-2.0
"""The options of train.py: given < run's own < preset's < defaults, each with the reason why it is what it is.

Names and spelling are those of the reference's command line and of the seed paper. Nothing is read from a file here
but what is handed in; the values resolved go into training_options.json and come back from it unchanged.
"""

import math
from collections.abc import Collection, Mapping
from dataclasses import MISSING, asdict, dataclass, fields, replace
from typing import Any

from patches import presets
from patches.errors import UserError
from patches.runs.amounts import total_kimg
from patches.runs.precision import NAMES as PRECISIONS
from patches.scores.names import DEFAULT as DEFAULT_METRICS
from patches.scores.names import parse_metrics
from patches.scores.select import Chosen
from stylegan3.configs import CONFIGURATIONS, suggested_gamma
from stylegan3.networks.specs import INPUT_LOCKS
from stylegan3.ops.engines import OPS

CACHES = ("none", "ram", "device")


@dataclass(frozen=True)
class TrainOptions:
    """Every option of a run, resolved. Options without a default here must be given (or come from a preset).

    Args:
        kimg: total thousands of pictures of the run's life; tick and snap: kimg a tick, ticks a snapshot.
        batch_gpu: pictures on the device at a time; None: chosen from free memory.
        glr, map_depth: None: as the configuration has it.
        cond: learn no labels, all, or those of the sets named: "instrument,pitch:value".
        embed_dim: width of a label's embedding; None: as wide as the mapping that takes it.
        ema_rampup: the half-life of G_ema is at most this share of the pictures so far.
        finetune: the file or folder whose weights the run began with; empty for none.
        input_lock: what w must not move in StyleGAN3's Fourier input: none, rotation, frequency or both.
        row_features, row_gains: learned profiles along the frequencies, at StyleGAN3's input and at the output.
        augs: comma-separated sound augmentations; empty: all that the view bears.
        precision: of patches/runs/precision.py; auto: by the device.
        cache: where pictures stand ready in model space: none (read and computed for every batch), ram or device.
        ops: which way the operations are computed (stylegan3/ops/engines.py).
        view, scaling: auto: chosen by the archive (patches/views/choice.py).
        view_args: parameters of the view's representation, "hop=64,window=256".
        metrics: names of patches/scores/names.py, or none; auto: the default ones where sounds are learned.
        select: the score by which snapshots are compared; empty: the first of the metrics.
        patience: kimg without a better score after which a run ends; None: never.
        time_limit: seconds, None for no limit.
    """

    outdir: str
    cfg: str
    data: str
    gpus: int
    batch: int
    gamma: float
    cond: bool | str = False
    mirror: bool = False
    aug: str = "ada"
    augs: str = ""
    freezed: int = 0
    p: float = 0.2
    target: float = 0.6
    batch_gpu: int | None = None
    cbase: int = 32768
    cmax: int = 512
    glr: float | None = None
    dlr: float = 0.002
    map_depth: int | None = None
    ema_rampup: float = 0.05
    z_dim: int = 512
    w_dim: int = 512
    embed_dim: int | None = None
    input_lock: str = "none"
    row_features: int = 0
    row_gains: int = 0
    mbstd_group: int = 4
    desc: str = ""
    metrics: str = "auto"
    select: str = ""
    patience: float | None = None
    kimg: float = 25000
    tick: float = 4
    snap: int = 50
    seed: int = 0
    precision: str = "auto"
    cache: str = "none"
    nobench: bool = False
    workers: int = 3
    device: str = "auto"
    ops: str = "auto"
    view: str = "auto"
    view_args: str = ""
    scaling: str = "auto"
    patches: str = "sound"
    finetune: str = ""
    keep_states: int = 3
    time_limit: float | None = None

    def __post_init__(self) -> None:
        checks = (
            ("cfg", self.cfg in CONFIGURATIONS, f"must be one of {', '.join(CONFIGURATIONS)}"),
            ("gpus", self.gpus >= 1, "must be at least 1"),
            ("precision", self.precision in PRECISIONS, f"must be one of {', '.join(PRECISIONS)}"),
            ("cache", self.cache in CACHES, f"must be one of {', '.join(CACHES)}"),
            ("ops", self.ops in OPS, f"must be one of {', '.join(OPS)}"),
            ("batch", self.batch >= 1, "must be at least 1"),
            ("batch-gpu", self.batch_gpu is None or self.batch_gpu >= 1, "must be at least 1"),
            ("gamma", self.gamma >= 0, "must not be negative"),
            ("aug", self.aug in ("noaug", "ada", "fixed"), "must be noaug, ada or fixed"),
            ("p", 0 <= self.p <= 1, "a probability lies between 0 and 1"),
            ("target", -1 <= self.target <= 1, "the mean sign of D(real) lies between -1 and 1"),
            ("cbase", self.cbase >= 1, "must be at least 1"),
            ("cmax", self.cmax >= 1, "must be at least 1"),
            ("glr", self.glr is None or self.glr > 0, "must be above 0"),
            ("dlr", self.dlr > 0, "must be above 0"),
            ("ema-rampup", self.ema_rampup > 0, "must be above 0"),
            ("map-depth", self.map_depth is None or self.map_depth >= 1, "must be at least 1"),
            ("input-lock", self.input_lock in INPUT_LOCKS, f"must be one of {', '.join(INPUT_LOCKS)}"),
            (
                "input-lock",
                self.cfg != "stylegan2" or self.input_lock == "none",
                "stylegan2 begins with a constant, which nothing moves; leave it out, or give --cfg=stylegan3-t",
            ),
            ("z-dim", self.z_dim >= 1, "must be at least 1"),
            ("w-dim", self.w_dim >= 1, "must be at least 1"),
            ("embed-dim", self.embed_dim is None or self.embed_dim >= 1, "must be at least 1"),
            ("row-features", self.row_features >= 0, "must not be negative"),
            ("row-gains", self.row_gains >= 0, "must not be negative"),
            (
                "row-features",
                self.cfg != "stylegan2" or self.row_features == 0,
                "stylegan2's constant has rows of its own; leave it out, or give --row-gains",
            ),
            ("mbstd-group", self.mbstd_group >= 1, "must be at least 1"),
            ("kimg", self.kimg >= 0, "must not be negative"),
            ("tick", self.tick >= 0.001, "must be at least 0.001, one picture"),
            ("snap", self.snap >= 1, "must be at least 1"),
            ("seed", 0 <= self.seed < 2**63, "must lie between 0 and 2^63 - 1"),
            ("time-limit", self.time_limit is None or self.time_limit > 0, "must be above 0"),
            ("workers", self.workers >= 0, "must not be negative"),
            ("freezed", self.freezed >= 0, "must not be negative"),
            ("keep-states", self.keep_states >= 1, "must be at least 1"),
            ("patience", self.patience is None or self.patience > 0, "must be above 0"),
        )
        scored = DEFAULT_METRICS if self.metrics == "auto" else parse_metrics(self.metrics)
        if self.select and Chosen.parse(self.select).metric not in scored:
            raise UserError(f"--select={self.select}: not one of --metrics={self.metrics}; add it there")
        if self.patience is not None and not scored:
            raise UserError(f"--patience={self.patience:g}: needs a score; give --metrics=kad or another")
        endless = ((n.replace("_", "-"), False, "must be finite") for n, v in asdict(self).items() if v == math.inf)
        for name, good, allowed in (*checks, *endless):
            if not good:
                raise UserError(f"--{name}={getattr(self, name.replace('-', '_'))}: {allowed}")

    def to_dict(self) -> dict[str, Any]:
        """Return the options as JSON values."""
        return asdict(self)


KEPT = tuple(field.name for field in fields(TrainOptions))
NAMES = (*KEPT, "fp32")
"""What may be given: beside what is kept the reference's flag for precision "fp32"."""
DEFAULTS = {field.name: field.default for field in fields(TrainOptions) if field.default is not MISSING}
REQUIRED = ("outdir", "data", "cfg", "gpus", "batch", "gamma")  # gamma last: what it should be depends on cfg and batch
MAY_DIFFER = (
    "kimg", "snap", "keep_states", "time_limit", "workers", "metrics", "select", "patience", "data", "outdir", "gpus",
    "device",
)  # fmt: skip
"""What an exact resume may change."""
MAY_CHANGE = (*MAY_DIFFER, "precision")
"""What any resume may change; in another precision a run isn't the same bit for bit."""
BY_MACHINE = ("batch_gpu", "precision")
"""What is chosen by the machine where it isn't given."""
OF_A_PROCESS = ("time_limit",)
"""What belongs to one process and isn't taken from the run that goes on."""


@dataclass(frozen=True)
class Resolved:
    """Options and, for those that weren't given, why they are so."""

    options: TrainOptions
    reasons: Mapping[str, str]

    def with_choice(self, name: str, value: Any, reason: str) -> "Resolved":
        """Return the same with one option chosen for the user."""
        return Resolved(replace(self.options, **{name: value}), {**self.reasons, name: reason})


def resolve(given: Mapping[str, Any], preset: str | None, own: Mapping[str, Any] | None = None) -> Resolved:
    """Resolve options; None among the given means not given.

    Args:
        own: the options of the run that is resumed.

    Raises:
        UserError: one is missing, out of range, or differs from the resumed run's.
    """
    chosen = without_fp32({name: value for name, value in given.items() if value is not None and name in NAMES})
    own = None if own is None else without_fp32(own)
    if own is not None:
        refuse_differences(chosen, own)
    layers = [(chosen, "")]
    if own is not None:
        kept = {name: value for name, value in own.items() if name not in OF_A_PROCESS}
        if chosen.get("gpus", own["gpus"]) != own["gpus"]:
            kept.pop("batch_gpu", None)  # what a rank holds at a time depends on how many there are
        layers.append((kept, "as the run has it"))
    if preset is not None:
        layers.append((presets.settings(preset), f"from --preset={preset}"))
    values: dict[str, Any] = {"gpus": 1}
    reasons = {"gpus": "default"}
    for layer, reason in reversed(layers):
        values |= {name: value for name, value in layer.items() if name in KEPT}
        reasons |= {name: reason for name in layer if name in KEPT}
    reasons |= {name: "default" for name in KEPT if name not in values}
    if given.get("fp32"):
        reasons["precision"] = "--fp32=1"
    values["kimg"] = total_kimg(values.get("kimg", TrainOptions.kimg), own)
    missing = [name for name in REQUIRED if name not in values]
    if missing:
        raise UserError(_missing(missing[0], values))
    resolved = Resolved(TrainOptions(**values), {name: reason for name, reason in reasons.items() if reason})
    return _by_configuration(resolved)


def without_fp32(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return options with the flag fp32, given or of an older run, in the word that is kept: precision.

    Raises:
        UserError: another precision stands beside it.
    """
    kept = {name: value for name, value in values.items() if name != "fp32"}
    if not values.get("fp32"):
        return kept
    if kept.get("precision", "auto") not in ("auto", "fp32"):
        raise UserError(f"--precision={kept['precision']}: --fp32=1 asks for fp32; give one")
    return {**kept, "precision": "fp32"}


def _by_configuration(resolved: Resolved) -> Resolved:
    numbers = CONFIGURATIONS[resolved.options.cfg]
    for name, value in (("glr", numbers.g_lr), ("map_depth", numbers.mapping_layers)):
        if getattr(resolved.options, name) is None:
            resolved = resolved.with_choice(name, value, f"by --cfg={resolved.options.cfg}")
    return resolved


def _missing(name: str, values: Mapping[str, Any]) -> str:
    if name == "gamma":
        return f"--gamma: missing; {_gamma_hint(values)}"
    hints = {
        "cfg": f"one of {', '.join(CONFIGURATIONS)}, or --preset",
        "data": "an archive made by dataset_tool_wav.py",
        "outdir": "a folder for the runs",
        "batch": "pictures an iteration, for example 16, or --preset",
    }
    return f"--{name}: missing; {hints.get(name, 'it must be given')}"


def _gamma_hint(values: Mapping[str, Any]) -> str:
    cfg, batch = values["cfg"], max(1, values["batch"])
    first = ", ".join(f"{suggested_gamma(cfg, (4, n, n), batch):.2g} at {n}x{n}" for n in (64, 128, 256, 512))
    return (
        f"the weight of R1, on which it depends whether training is stable; for {cfg} and --batch={batch} try {first}"
    )


def refuse_differences(given: Mapping[str, Any], own: Mapping[str, Any]) -> None:
    """Refuse options that an exact resume can't change, all in one line."""
    wrong = [
        f"--{name.replace('_', '-')} is {own[name]}, not {value}"
        for name, value in given.items()
        if name not in MAY_CHANGE and name in own and own[name] != value
        if name != "batch_gpu" or given.get("gpus", own["gpus"]) == own["gpus"]
    ]
    if wrong:
        free = ", ".join(f"--{name.replace('_', '-')}" for name in MAY_CHANGE)
        raise UserError(
            f"--resume: the run has other options: {'; '.join(wrong)}; only {free} may change; or --finetune"
        )


def same_run(options: TrainOptions, own: Mapping[str, Any], *, given: Collection[str]) -> bool:
    """Whether a run has the same options but for those that may differ.

    Args:
        given: names of the options that were given; what was chosen by the machine counts as the same.
    """
    mine = options.to_dict()
    own = {**DEFAULTS, **without_fp32(own)}  # a run of an older version lacks what came later
    named = {*given, "precision"} if "fp32" in given and options.precision == "fp32" else given
    free = {*MAY_DIFFER, *(name for name in BY_MACHINE if name not in named)}
    if mine["gpus"] != own["gpus"]:
        free.add("batch_gpu")
    return all(mine[name] == own.get(name) for name in KEPT if name not in free)
