"""The blob suite on every driver."""

from tests.contracts.blobs import *  # noqa: F403
