# Generations of the JavaScript clients.
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
