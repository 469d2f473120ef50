# The Python clients, each in an environment of its own.
attempt py venv py 'pip>=26' uv twine build setuptools wheel hatchling flit
attempt poetry venv poetry poetry
attempt hatch venv hatch hatch
attempt pdm venv pdm 'pdm[locked]'
