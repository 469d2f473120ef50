# A Swift toolchain: Debian 13 has one, in a folder of its own since it wants newer libraries.  About 2.9 GB, so only
# when asked for: make clients SWIFT=1 (needs root).
swift() {
  local root=$tools/swift/root
  debian debootstrap ca-certificates || return
  local archive
  archive=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -v security | sort -u | head -1)
  if [ ! -e "$root/etc/debian_version" ]; then
    rm -rf "$root"
    debootstrap --variant=minbase trixie "$root" "$archive" || return
  fi
  cp /etc/resolv.conf /etc/hosts "$root/etc/"
  chroot "$root" apt-get update -q || return
  chroot "$root" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
    swiftlang ca-certificates libc6-dev libstdc++-14-dev binutils git zip unzip libncurses-dev zlib1g-dev || return
  chroot "$root" apt-get clean
  cat >"$tools/swift/swift" <<'RUN'
#!/bin/sh
# Runs swift below the folder beside this file; SWIFT_CWD is the working folder in there.
root=$(dirname "$(readlink -f "$0")")/root
exec unshare -m sh -c 'mount -t proc proc "$0/proc" && exec chroot "$0" sh -c "cd \"\$SWIFT_CWD\" && exec swift \"\$@\"" swift "$@"' "$root" "$@"
RUN
  chmod +x "$tools/swift/swift"
}

if [ -n "${SWIFT:-}" ]; then
  attempt swift swift
fi
