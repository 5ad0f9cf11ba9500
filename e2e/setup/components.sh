# The table of real components, and where each is. Sourced by install.sh and env.sh.
#
# A row: name, variable that env.sh prints, profile, version, program.
# - profile: `ci` is what CI installs: what is quick, SPIRE (some four minutes of building on two cores) and the
#   Kubernetes API server (some ten).
# - version: `system` is whatever the distribution has, and the program is looked up by name or absolute path;
#   any other version is pinned and the program, or folder, is a path below ${NEWLEAF_CACHE}/<name>-<version>.
# install.sh holds one function per row, `install_<name with _ for ->`.

setup_directory=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
peers_directory=$(cd "$setup_directory/../../bench/peers" && pwd)
cache=${NEWLEAF_CACHE:-$HOME/.cache/newleaf}

# Our own programs: a version that changes with their source.
source_digest() { (cd "$1" && cat go.mod go.sum ./*.go 2>/dev/null || true) | sha256sum | cut -c1-8; }

components() {
  cat <<TABLE
curl         NEWLEAF_CURL         ci   system   curl
openssl      NEWLEAF_OPENSSL      ci   system   openssl
nginx        NEWLEAF_NGINX        ci   system   nginx
postgresql   NEWLEAF_POSTGRES     ci   system   /usr/lib/postgresql/15/bin/postgres
requests     NEWLEAF_PYTHON       ci   2.34.2   bin/python
envoy        NEWLEAF_ENVOY        ci   1.40.0   envoy/_bin/envoy
node-lts     NEWLEAF_NODE_LTS     ci   24.21.0  bin/node
helm         NEWLEAF_HELM         ci   2.2.2    helm/helm
charts       NEWLEAF_CHARTS       ci   $(sha256sum <"$setup_directory/charts/modules" | cut -c1-8)  charts
kubectl      NEWLEAF_KUBECTL      ci   2.2.2    kubectl/kubectl
etcd         NEWLEAF_ETCD         ci   3.6.16   etcd
kubernetes   NEWLEAF_KUBERNETES   ci   1.35.4   kube-apiserver
kubernetes-node  NEWLEAF_KUBERNETES_NODE  all  1.35.4  kubelet
containerd   NEWLEAF_CONTAINERD   all  system   containerd
cni          NEWLEAF_CNI          all  system   /usr/lib/cni/bridge
buildah      NEWLEAF_BUILDAH      all  system   buildah
node-images  NEWLEAF_NODE_IMAGES  all  24.21.0-bookworm  node.tar
go-mtls      NEWLEAF_GO_MTLS      all  $(source_digest "$peers_directory/go-mtls")         go-mtls
client-go    NEWLEAF_CLIENT_GO    all  0.35.4-$(source_digest "$peers_directory/client-go")  client-go
client-node  NEWLEAF_CLIENT_NODE  all  1.4.0    node_modules/@kubernetes/client-node
go-spiffe    NEWLEAF_GO_SPIFFE    all  2.9.0-$(source_digest "$peers_directory/go-spiffe")  go-spiffe
ghostunnel   NEWLEAF_GHOSTUNNEL   all  1.8.4    ghostunnel
spiffe-helper  NEWLEAF_SPIFFE_HELPER  ci   0.11.0  spiffe-helper
spire        NEWLEAF_SPIRE        ci   1.10.4   spire-server
certwatcher  NEWLEAF_CERTWATCHER  all  0.25.2-$(source_digest "$peers_directory/certwatcher")  certwatcher
TABLE
}

# component_path NAME VERSION PROGRAM: prints the program's absolute path; fails where it is absent.
component_path() {
  if [[ $2 == system ]]; then
    PATH=$PATH:/usr/sbin:/sbin command -v "$3"
  elif [[ -e $cache/$1-$2/$3 ]]; then
    printf '%s\n' "$cache/$1-$2/$3"
  else
    return 1
  fi
}
