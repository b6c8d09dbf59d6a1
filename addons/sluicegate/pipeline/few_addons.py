"""mitmproxy's folder of addons, without all of the addons that are in it.

Its `__init__` imports every one, to list those of a mitmdump, and with them Flask, Werkzeug, ldap3 and pyparsing: a
quarter of a second at each start. The embedded gateway stands on four of them.
"""

from __future__ import annotations

import importlib.util
import sys
from typing import Any

_FOLDER = "mitmproxy.addons"


def leave_out_the_rest() -> None:
    """From now on an addon is imported alone. The list of them all is still there for whoever asks for it.

    Without effect when the folder has been imported as a whole before.
    """
    if _FOLDER in sys.modules:
        return
    spec = importlib.util.find_spec(_FOLDER)
    if spec is None or spec.loader is None:
        return  # whoever imports it will say so
    loader = spec.loader
    folder = importlib.util.module_from_spec(spec)

    def whole(name: str) -> Any:
        if name != "default_addons":
            raise AttributeError(f"module {_FOLDER!r} has no attribute {name!r}")
        loader.exec_module(folder)
        return folder.default_addons

    folder.__getattr__ = whole  # type: ignore[method-assign]
    sys.modules[_FOLDER] = folder
