# Ruby with the gem and Bundler of the system's release, and those of the next one, which run on the same Ruby.
attempt ruby debian ruby bundler

newer_rubygems() { # folder
  local home=$tools/$1 root suite=trixie
  root=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -v security | sort -u | head -1)
  mkdir -p "$home/lists/partial" "$home/cache/archives/partial" "$home/root" "$home/bin"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $root $suite main" >"$home/sources.list"
  local options=(
    -o "Dir::Etc::sourcelist=$home/sources.list" -o Dir::Etc::sourceparts=- -o "Dir::State::Lists=$home/lists"
    -o "Dir::Cache=$home/cache" -o Acquire::Retries=3 -o APT::Sandbox::User=root
  )
  apt-get "${options[@]}" update -q &&
    (cd "$home/cache" && apt-get "${options[@]}" download -q "ruby-rubygems/$suite" "ruby-bundler/$suite") &&
    for package in "$home"/cache/*.deb; do dpkg -x "$package" "$home/root" || return 1; done &&
    rm -rf "$home/lists" "$home/cache" || return 1
  local program
  for program in usr/bin/gem usr/share/rubygems-integration/all/gems/bundler-*/exe/bundle; do
    program=$(cd "$home/root" && echo $program)
    printf '#!/bin/sh\nhome=$(dirname "$(readlink -f "$0")")/..\nexec ruby --disable-gems -I "$home/root/usr/lib/ruby/vendor_ruby" -r rubygems "$home/root/%s" "$@"\n' \
      "$program" >"$home/bin/$(basename "$program")"
    chmod +x "$home/bin/$(basename "$program")"
  done
}
attempt rubygems-next newer_rubygems rubygems-next
