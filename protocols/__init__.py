"""The wire protocols.  A new format adds one line here."""
