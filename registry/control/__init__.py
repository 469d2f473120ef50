"""The control plane: the AWS CodeArtifact API, driven by botocore's service model.

Knows the wire (`restjson`), the model (`model`, `validate`) and, one small function per operation, the core.
It knows no driver, no format and no upstream registry.
"""
