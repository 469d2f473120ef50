"""The store suites on every engine."""

from tests.contracts.groups import *  # noqa: F403
from tests.contracts.store import *  # noqa: F403
from tests.contracts.tables import *  # noqa: F403
