"""The sinks that the settings name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from registry.config import Config, ConfigError
from registry.core.ports import EventSink
from registry.sinks.file import FileSink
from registry.sinks.lines import RotatingLines
from registry.sinks.trail import Trail
from registry.sinks.webhook import WebhookSink, key_of

FILE = "file"
"""The file's name among the sinks; a webhook's is `webhook:` and its own."""


def sinks_of(config: Config, environ: Mapping[str, str]) -> dict[str, EventSink]:
    """By the name under which the database knows how far they came.  Raises ConfigError."""
    sinks: dict[str, EventSink] = {}
    events = config.events
    if events.file:
        lines = RotatingLines(config.data / Path(events.file), limit=events.file_bytes, keep=events.files)
        sinks[FILE] = FileSink(lines)
    for webhook in config.webhooks:
        try:
            key = key_of(environ.get(webhook.secret_env, ""))
        except ValueError as err:
            raise ConfigError(f"webhooks: {webhook.name}: {webhook.secret_env}: {err}") from None
        sinks[f"webhook:{webhook.name}"] = WebhookSink(webhook.name, webhook.url, key, account=webhook.account)
    return sinks


def trail_of(config: Config) -> Trail | None:
    """The audit trail, if one is wanted; `close` it at the end."""
    audit = config.audit
    if not audit.file:
        return None
    return Trail(RotatingLines(config.data / Path(audit.file), limit=audit.file_bytes, keep=audit.files))
