"""The domain core, the control plane and the front door of Packyard."""

__version__ = "0.1.0"
