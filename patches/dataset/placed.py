# SPDX-License-Identifier: Apache-2.0
"""--source, --dest and archives at addresses, for functions that know files: fetched before, sent afterwards."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from patches.data import fetched, has_address
from patches.errors import UserError
from patches.sent import on_the_way
from spect.dataset.parts import PARTS
from spect.dataset.sources import READ
from spect.storage.address import Address, is_address

ARCHIVES = ("info", "verify", "merge", "archives")
Echo = Callable[[Sequence[str]], None]


@contextlib.contextmanager
def placed(arguments: Mapping[str, Any], echo: Echo) -> Iterator[tuple[dict[str, Any], Echo]]:
    """Give arguments without addresses but for a folder of sounds; what is made for an address is sent in the end.

    Lines that are told name the address, not the place on the way.

    Raises:
        UserError, StorageError: an address that can't be read or written. What was made stays where the message says.
    """
    dest = arguments["dest"]
    if (dest is not None and has_address(dest) and not is_address(dest)) or ("," in str(dest) and has_address(dest)):
        raise UserError(f"--dest: got {dest}; the parts of a split go to one folder, such as s3://bucket/parts")
    if not is_address(dest):
        yield _sources_here(arguments), echo
        return
    address = Address(dest)
    is_file = address.name.lower().endswith(".zip")
    target = address.parent if is_file else address
    with on_the_way(target, "--dest", kept=PARTS if arguments["source"] else "") as folder:
        local = folder / address.name if is_file else folder
        yield (
            {**_sources_here(arguments), "dest": local},
            lambda lines: echo([line.replace(str(local), dest) for line in lines]),
        )
    echo([f"  sent to {address}"])


def _sources_here(arguments: Mapping[str, Any]) -> dict[str, Any]:
    here = dict(arguments)
    for name in ARCHIVES:
        here[name] = tuple(str(fetched(Address(one))) if is_address(one) else one for one in arguments[name])
    source = arguments["source"]
    if is_address(source):
        single = Address(source).name.lower().endswith((".zip", *READ))
        here["source"] = fetched(Address(source)) if single else Address(source)
    return here
