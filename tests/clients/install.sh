#!/usr/bin/env bash
# Installs the real package managers of the suite under .tools, each in a folder of its own; run again it does
# only what is missing.  A tool that cannot be had is named and left out, unless CI is set: then it is an error.
set -uo pipefail
cd "$(dirname "$0")/../.."
tools=$PWD/.tools
mkdir -p "$tools"
failed=()

attempt() { # name, command...
  local name=$1
  shift
  [ -e "$tools/$name/.done" ] && return
  for try in 1 2 3; do
    if "$@" >"$tools/$name.log" 2>&1; then
      touch "$tools/$name/.done"
      return
    fi
    sleep $((try * 2))
  done
  echo "not installed: $name (see .tools/$name.log)" >&2
  failed+=("$name")
}

venv() { # name, requirement...
  local name=$1
  shift
  python3 -m venv "$tools/$name" && "$tools/$name/bin/python" -m pip install -q --disable-pip-version-check "$@"
}

node() { # name, package
  mkdir -p "$tools/$1"
  npm install --no-audit --no-fund --loglevel=error --prefix "$tools/$1" "$2"
}

attempt py venv py 'pip>=26' uv twine build setuptools wheel hatchling flit
attempt poetry venv poetry poetry
attempt hatch venv hatch hatch
attempt pdm venv pdm 'pdm[locked]'
if command -v npm >/dev/null; then
  attempt npm6 node npm6 npm@6
  attempt npm8 node npm8 npm@8
  attempt npm10 node npm10 npm@10
  attempt npm11 node npm11 npm@11
  attempt yarn1 node yarn1 yarn@1
  attempt yarn4 node yarn4 @yarnpkg/cli-dist
  attempt pnpm-cli node pnpm-cli pnpm
  attempt bun-cli node bun-cli bun
else
  echo "not installed: the JavaScript clients (no npm here)" >&2
  failed+=(npm)
fi

if [ ${#failed[@]} -gt 0 ] && [ -n "${CI:-}" ]; then
  exit 1
fi
exit 0
