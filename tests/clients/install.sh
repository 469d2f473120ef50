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
  mkdir -p "$tools/$name"
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

debian() { # package... (from the system's archive; needs root)
  dpkg -s "$@" >/dev/null 2>&1 && return
  apt-get -o Acquire::Retries=3 update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@"
}

# One file for each family of clients; they use the functions above.
for part in tests/clients/install.d/*.sh; do
  # shellcheck source=/dev/null
  . "$part"
done

if [ ${#failed[@]} -gt 0 ] && [ -n "${CI:-}" ]; then
  exit 1
fi
exit 0
