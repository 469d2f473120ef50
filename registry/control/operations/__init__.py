"""One small function per operation of the model, over the core.

Importing a module declares its operations; `load` imports them all.
"""

from __future__ import annotations


def load() -> None:
    """Declare every operation that is built."""
    from registry.control.operations import (  # noqa: F401
        assets,
        connections,
        domains,
        groups,
        packages,
        policies,
        repositories,
        tags,
        tokens,
        versions,
    )
