"""What goes wrong with a database or a bus."""

import re
from typing import Literal

Code = Literal["database_url", "database_unreachable", "database_newer", "bus_url", "bus_unreachable"]


class StorageError(Exception):
    """Storage that cannot be used. `code` is stable; `url` is fit to be shown; `reason` is for the log.

    `…_url`: the address makes no sense; `…_unreachable`: nobody answers there, or not as they should;
    `database_newer`: a newer Parvis has changed the tables.
    """

    def __init__(self, code: Code, url: str, reason: object) -> None:
        self.code = code
        self.url = shown(url)
        self.reason = " ".join(str(reason).replace(url, self.url).split()) or type(reason).__name__
        super().__init__(f"{code}: {self.url}: {self.reason}")


def shown(url: str) -> str:
    """Return an address without what is secret in it: user, password, parameters."""
    return re.sub(r"(?<=://).*@", "…@", url.partition("?")[0])
