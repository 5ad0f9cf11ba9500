#!/usr/bin/env bash
# The image of deploy/Dockerfile as it is built of this checkout, as an archive that up.sh imports: localhost/newleaf:1.
# On the stand-in of the `node-images` component, because no registry is there to pull a base from.
#
#   build-image.sh
#
# Prints the archive's path: ${NEWLEAF_CACHE:-~/.cache/newleaf}/newleaf-image-<digest of the sources>.tar. The last one
# is kept, so that it is built again only when a source changed.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repository=$(cd "$here/../.." && pwd)
# shellcheck source=../setup/env.sh
source "$here/../setup/env.sh"
cache=${NEWLEAF_CACHE:-$HOME/.cache/newleaf}

main() {
  : "${NEWLEAF_BUILDAH:?buildah is absent (make e2e-setup)}" "${NEWLEAF_NODE_IMAGES:?node-images is absent (make e2e-setup)}"
  local archive
  archive=$cache/newleaf-image-$(digest).tar
  if [[ ! -e $archive ]]; then build "$archive" >&2; fi
  echo "$archive"
}

# Of what .dockerignore lets through and is not a test, the Dockerfile, and the base.
digest() {
  cd "$repository"
  {
    echo "$NEWLEAF_NODE_IMAGES"
    git ls-files -z --cached --others --exclude-standard -- \
      deploy/Dockerfile .dockerignore .npmrc package.json package-lock.json tsconfig.base.json '*/package.json' packages apps ':!*.test.ts' ':!*/test/*' |
      xargs -0 sha256sum 2>/dev/null || true # a file that was deleted and not yet committed
  } | sha256sum | cut -c1-12
}

build() {
  local npm_cache
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  npm_configuration "$work/npm"
  npm_cache=$(npm config get cache)
  mkdir -p "$npm_cache"
  # Of the storage driver's two, overlay copies no base; up.sh needs it as well.
  local image=localhost/newleaf:1 buildah=("$NEWLEAF_BUILDAH" --root "$work/root" --runroot "$work/run" --storage-driver overlay)
  "${buildah[@]}" build --isolation chroot --pull-never --file "$repository/deploy/Dockerfile" --tag "$image" \
    --build-arg NODE_IMAGE="docker-archive:$NEWLEAF_NODE_IMAGES" \
    --volume "$work/npm:/usr/local/etc:ro" --volume "$npm_cache:/mnt" "$repository"
  "${buildah[@]}" push --quiet "$image" "docker-archive:$work/image.tar:$image"
  rm -f "$cache"/newleaf-image-*.tar
  mv "$work/image.tar" "$1"
}

# npm_configuration FOLDER: this machine's npm configuration as the build's global one, with its cache on /mnt. Both are
# mounted while the Dockerfile's commands run, and no part of the image.
npm_configuration() {
  local file authorities
  mkdir -m 700 "$1"
  for file in "$(npm config get globalconfig)" "$(npm config get userconfig)"; do
    if [[ -r $file ]]; then cat "$file" && echo; fi
  done >"$1/npmrc"
  authorities=$(npm config get cafile)
  if [[ -r $authorities ]]; then
    cp "$authorities" "$1/authorities.pem"
  else
    node -e 'console.log(tls.rootCertificates.join("\n"))' >"$1/authorities.pem"
    if [[ -n ${NODE_EXTRA_CA_CERTS:-} ]]; then cat "$NODE_EXTRA_CA_CERTS" >>"$1/authorities.pem"; fi
  fi
  printf '%s\n' "registry=$(npm config get registry)" cafile=/usr/local/etc/authorities.pem cache=/mnt >>"$1/npmrc"
}

main "$@"
