"""Upstream repositories and external registries: where a version may come from, and how it gets here."""
