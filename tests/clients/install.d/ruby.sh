# Ruby with the gem and Bundler of the system's release; those of the next release, which run on the same Ruby; and
# those of the one that is being made, with a Ruby and the libraries of their own, since they need a newer one.
attempt ruby debian ruby bundler

later_debs() { # folder, suite, package... (from the archive of another release, unpacked beside the system)
  local home=$tools/$1 suite=$2 root package
  shift 2
  root=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -v security | sort -u | head -1)
  mkdir -p "$home/lists/partial" "$home/cache/archives/partial" "$home/root" "$home/bin"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $root $suite main" >"$home/sources.list"
  local options=(
    -o "Dir::Etc::sourcelist=$home/sources.list" -o Dir::Etc::sourceparts=- -o "Dir::State::Lists=$home/lists"
    -o "Dir::Cache=$home/cache" -o Acquire::Retries=3 -o Acquire::Languages=none -o APT::Sandbox::User=root
  )
  apt-get "${options[@]}" update -q || return 1
  local wanted=()
  for package in "$@"; do
    # ruby and libruby lead to the version of the day
    case $package in
      ruby | libruby) wanted+=("$(apt-cache "${options[@]}" show "$package/$suite" | grep -oE 'Depends:.*' |
        grep -oE '(lib)?ruby3\.[0-9]+' | head -1)/$suite") ;;
      *) wanted+=("$package/$suite") ;;
    esac
  done
  (cd "$home/cache" && apt-get "${options[@]}" download -q "${wanted[@]}") &&
    for package in "$home"/cache/*.deb; do dpkg -x "$package" "$home/root" || return 1; done &&
    rm -rf "$home/lists" "$home/cache"
}

ruby_programs() { # folder, lines that come before `exec`, ruby...
  local home=$tools/$1 before=$2 program
  shift 2
  for program in usr/bin/gem usr/share/rubygems-integration/all/gems/bundler-*/exe/bundle; do
    program=$(cd "$home/root" && echo $program)
    {
      printf '#!/bin/sh\nroot=$(dirname "$(readlink -f "$0")")/../root\n%s\n' "$before"
      printf 'exec %s --disable-gems -I "$root/usr/lib/ruby/vendor_ruby" -r rubygems "$root/%s" "$@"\n' "$*" "$program"
    } >"$home/bin/$(basename "$program")"
    chmod +x "$home/bin/$(basename "$program")"
  done
}

next_rubygems() { # folder
  later_debs "$1" trixie ruby-rubygems ruby-bundler && ruby_programs "$1" '' ruby
}
attempt rubygems-next next_rubygems rubygems-next

current_rubygems() { # folder
  later_debs "$1" forky ruby-rubygems ruby-bundler ruby libruby \
    libc6 libcrypt1 libffi8 libgmp10 libssl3t64 libyaml-0-2 zlib1g libzstd1 libgcc-s1 || return 1
  local root=$tools/$1/root version lib arch
  version=$(cd "$root/usr/lib/ruby" && echo 3.*.0)
  lib=$(cd "$root" && echo usr/lib/*-linux-gnu)
  arch='$root/'$lib
  ruby_programs "$1" "export RUBYLIB=\"\$root/usr/lib/ruby/vendor_ruby:\$root/usr/lib/ruby/$version:$arch/ruby/$version\"" \
    "\"$arch\"/ld-linux*.so.* --library-path \"$arch\" \"\$root\"/usr/bin/ruby3.*"
}
attempt rubygems-current current_rubygems rubygems-current
