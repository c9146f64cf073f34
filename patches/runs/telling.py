# SPDX-License-Identifier: Apache-2.0
"""What a training says before it begins: options and reasons, data, view, patches."""

from collections.abc import Callable

import torch

from patches.runs.assemble import Assembly
from patches.runs.resume import Resume
from patches.views import seconds_cut
from spect.archive.sets import PRIMARY
from stylegan3.ops import engines, innermost
from stylegan3.ops.modulation import scaled_and_convolved
from stylegan3.training import recorded


def say(assembly: Assembly, source: Resume | None, device: torch.device, echo: Callable[[str], None]) -> None:
    """Tell every option with the reason where it was chosen, the data, the view and the patches."""
    options, reasons = assembly.resolved.options.to_dict(), assembly.resolved.reasons
    echo("Options:")
    for name, value in options.items():
        reason = f"  ({reasons[name]})" if name in reasons else ""
        echo(f"  --{name.replace('_', '-'):<12} {value!s:<24}{reason}".rstrip())
    setup = assembly.setup
    shape = "x".join(str(size) for size in setup.dataset.shape)
    ranks = f"; {setup.hyper.ranks} ranks" if setup.hyper.ranks > 1 else ""
    echo(f"Data: {len(setup.dataset)} pictures of {shape}, {_told_labels(assembly)}; device: {device}{ranks}")
    for line in engines.announced(device, setup.ops):
        echo(f"Operations: {line}")
    if device.type == "cuda":
        echo(f"Pictures: {innermost.told(device, setup.inner)}")
        if setup.generator.kind == "stylegan3-t" and setup.ops in ("auto", "fused"):  # R's convolutions are 1x1
            echo(f"  in the generator's layers {innermost.told(device, setup.inner, scaled_and_convolved)}")
        echo(f"Phases: {recorded.told(device)}")
    if assembly.canvases:
        view = assembly.canvases.view
        for condition, bare in zip(assembly.canvases.conditions.sets, assembly.canvases.unlabelled, strict=True):
            echo(f"  condition {condition.told()}" + (f"; {bare} pictures have none" if bare else ""))
        seconds, cut = view.samples / view.sample_rate, seconds_cut(view, assembly.canvases.archive.representation)
        echo(
            f"View: {view.name}, {view.scaling.name} scaling; {seconds:.2f} s of sound at {view.sample_rate} Hz each"
            + f"; {cut:.3g} s at their ends are cut off" * (cut > 0)
        )
        made = view.representation.to_dict().items()
        echo(f"  {', '.join(f'{name}={value}' for name, value in made if name not in ('name', 'sample_rate'))}")
    echo(f"Patches: {', '.join(assembly.recipe.applied) or 'none'}")
    if source is not None:
        echo(f"Going on from {source.state or source.run.path}")
        if source.own["gpus"] != setup.hyper.ranks:
            echo(
                f"  with {setup.hyper.ranks} ranks in place of {source.own['gpus']}: the same up to rounding, "
                "not bit for bit"
            )
        if source.own.get("precision", options["precision"]) != options["precision"]:
            echo(f"  in {options['precision']} in place of {source.own['precision']}: not bit for bit")
        newer = sorted(path.name for path in source.run.newer_than(source.state))
        if newer:
            echo(f"  {len(newer)} newer files will be removed, that part is trained again: {', '.join(newer[:6])}")
    elif options["finetune"]:
        echo(f"Fine-tuning: a new run that begins with the weights of {options['finetune']}")


def _told_labels(assembly: Assembly) -> str:
    data, size = assembly.canvases, assembly.setup.dataset.c_dim
    plain = data is None or [one.name for one in data.conditions.sets] in ([], [PRIMARY])
    return f"{size} classes" if plain else f"a condition of {size} numbers"
