# A toolchain where there is none, and an older cargo from Debian's archive, unpacked beside its libraries.
cargo_debian() {
  local home=$tools/cargo185 work
  work=$(mktemp -d) || return
  apt-get -o Acquire::Retries=3 update -q && (
    cd "$work" && apt-get -o APT::Sandbox::User=root download -q 'cargo-web=1.85.0*' libgit2-1.5 libpcre3 libhttp-parser2.9 libmbedtls14 \
      libmbedcrypto7 libmbedx509-1 libssh2-1 libcurl4 || exit
    for package in *.deb; do dpkg -x "$package" "$home/root" || exit; done
  ) || return
  rm -rf "$work"
  printf '#!/bin/sh\nexport LD_LIBRARY_PATH="%s"\nexec "%s" "$@"\n' \
    "$home/root/usr/lib/x86_64-linux-gnu:$home/root/lib/x86_64-linux-gnu" "$home/root/usr/bin/cargo" >"$home/cargo" &&
    chmod +x "$home/cargo" && "$home/cargo" --version
}

command -v cargo >/dev/null || attempt rust debian cargo-web rustc-web gcc libc6-dev
attempt cargo185 cargo_debian
