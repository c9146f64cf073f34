# SPDX-License-Identifier: Apache-2.0
"""What was measured of a dataset, kept beside it by hash: `ARCHIVE.scores-KEY.safetensors`.

In a folder that can't be written it is measured anew each time. A file holds one probe's numbers of one set; its key
is the hash of the archive's summary, the view, the set and the probe's version, so that none is taken for another's.
"""

import contextlib
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from patches.errors import UserError
from patches.runs import tensorfile
from patches.views import View
from spect.archives.opening import AnyArchive

VERSION = 1  # of what a file holds


@dataclass(frozen=True)
class Cache:
    """The files beside an archive, for one view of it."""

    archive: AnyArchive
    view: View

    def path(self, what: Mapping[str, Any]) -> Path:
        """Name the file that holds something."""
        known = [VERSION, self.archive.digest, self.view.to_dict(), dict(what)]
        key = hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:16]
        return self.archive.path.with_name(f"{self.archive.path.name}.scores-{key}.safetensors")

    def read(self, what: Mapping[str, Any]) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """Read tensors and header; None where there is no whole file."""
        path = self.path(what)
        with contextlib.suppress(OSError, ValueError, UserError):
            if path.exists():
                return tensorfile.load(path)
        return None

    def write(self, what: Mapping[str, Any], tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> None:
        """Keep tensors and a header, where the folder can be written."""
        with contextlib.suppress(UserError):
            tensorfile.save(self.path(what), tensors, {"kind": "scores", **header})
