"""Where events and audit records go: files and webhooks."""
