#!/usr/bin/env bash
# A real Kubernetes of one node, for scenarios: etcd, API server, controllers, scheduler, kubelet, kube-proxy and containerd
# as plain processes in mount, network and pid namespaces of their own (the box), without a registry.
#
#   up.sh [--sync-frequency DURATION] [--secrets Watch|Cache|Get] [ARCHIVE...]
#   up.sh --check
#
# Once the node is ready with the images of the archives it prints `URL=...`, `CA=file`, `HOST=the host's address as the
# cluster sees it`, `BOX=id of its process 1`, and last `KUBECONFIG=file` (an administrator's), and stays. The cluster lives
# until standard input ends or a signal comes; then nothing of it is left (down.sh). A second one is refused while the
# first runs; what an earlier one left behind is removed first. The host reaches Pod and Service addresses.
#
# `--check` prints in one line why it cannot run here, if it cannot. Status 3: absent; 4: another one runs.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=settings.sh
source "$here/settings.sh"
# shellcheck source=../setup/env.sh
source "$here/../setup/env.sh"
# shellcheck source=files.sh
source "$here/files.sh"
# A proxy for the internet is none for the cluster.
unset HTTPS_PROXY https_proxy

main() {
  local sync_frequency=1m secrets=Watch archives=() check=false
  arguments "$@"
  local reason
  if reason=$(absence); then
    echo "no cluster: $reason" >&2
    exit 3
  fi
  if $check; then exit 0; fi
  lock
  bash "$here/down.sh"
  trap 'disown -a && bash "$here/down.sh"' EXIT # disowned, its end is no news
  trap 'exit 143' TERM INT HUP
  started=$EPOCHREALTIME
  write_files
  start_box
  connect_box
  import_images &
  local importing=$!
  wait_for "the API server" 60 api_ready
  touch "$directory/api.ready"
  wait "$importing" || failed "an image was not imported"
  wait_for "the node" 60 node_ready
  wait_for "the default service account" 30 kubectl get serviceaccount default
  step "ready"
  echo "URL=$url"
  echo "CA=$directory/pki/ca.crt"
  echo "HOST=$host_ip"
  echo "BOX=$box_pid"
  echo "KUBECONFIG=$directory/admin.kubeconfig"
  stay
}

arguments() {
  while (($#)); do
    case $1 in
      --check) check=true ;;
      --sync-frequency)
        sync_frequency=${2:?}
        shift
        ;;
      --secrets)
        secrets=${2:?}
        shift
        ;;
      -*)
        echo "usage: up.sh [--check] [--sync-frequency DURATION] [--secrets Watch|Cache|Get] [ARCHIVE...]" >&2
        exit 2
        ;;
      *) archives+=("$1") ;;
    esac
    shift
  done
}

# absence: prints why there can be no cluster here; fails where there can.
absence() {
  local missing=() component program
  [[ $EUID == 0 ]] || { echo "it needs root" && return; }
  for component in ETCD KUBERNETES KUBERNETES_NODE KUBECTL CONTAINERD CNI NODE_IMAGES; do
    program=NEWLEAF_$component
    [[ -n ${!program:-} ]] || missing+=("${component,,}")
  done
  ((${#missing[@]} == 0)) || { echo "absent: ${missing[*]//_/-} (make e2e-setup)" && return; }
  for program in runc iptables ip nsenter unshare pgrep flock openssl curl; do
    PATH=$PATH:/usr/sbin:/sbin command -v "$program" >/dev/null || missing+=("$program")
  done
  ((${#missing[@]} == 0)) || { echo "not installed: ${missing[*]}" && return; }
  [[ -d /sys/fs/cgroup/memory && -d /sys/fs/cgroup/cpuset ]] || { echo "it needs the hierarchies of cgroup v1" && return; }
  # What the kernel and our privileges give is known by doing it.
  unshare --mount --net sh -e -c '
    mount -t tmpfs tmpfs /mnt && cd /mnt && mkdir lower upper work merged
    mount -t overlay -o lowerdir=lower,upperdir=upper,workdir=work overlay merged
    ip link add probe0 type veth peer name probe1
    ip link add probe2 type bridge
    iptables -t nat -A OUTPUT -m comment --comment probe -j ACCEPT' >/dev/null 2>&1 ||
    { echo "the kernel or a container refuses overlay, veth, bridge or iptables" && return; }
  return 1
}

# The lock is ours for as long as this process lives; a box that outlived its up.sh does not hold it.
lock() {
  exec 9>"$lock_file"
  flock --nonblock 9 || {
    echo "no cluster: another one is running on this machine (e2e/cluster/up.sh)" >&2
    exit 4
  }
}

start_box() {
  mkdir -p "${mount_points[@]}"
  # With nothing of this process's environment.
  setsid env -i PATH="$PATH:/usr/sbin:/sbin" \
    ETCD="$NEWLEAF_ETCD" CONTROL_PLANE="$(dirname "$NEWLEAF_KUBERNETES")" NODE="$(dirname "$NEWLEAF_KUBERNETES_NODE")" \
    unshare --mount --net --pid --fork --kill-child --mount-proc --propagation private \
    bash "$here/box.sh" </dev/null >"$directory/logs/box.log" 2>&1 9>&- &
  unshare_pid=$!
  echo "$unshare_pid" >"$directory/unshare.pid"
  wait_for "the box" 10 test -e "$directory/box.ready"
  box_pid=$(pgrep -P "$unshare_pid")
}

# One pair of devices between the host and the box.
connect_box() {
  ip link add "$device" type veth peer name up0 netns "$box_pid"
  ip address add "$host_ip/30" dev "$device"
  ip link set "$device" up
  nsenter -t "$box_pid" -n sh -e -c "ip address add $node_ip/30 dev up0; ip link set up0 up; ip route add default via $host_ip"
  ip route add "$pod_range" via "$node_ip"
  ip route add "$service_range" via "$node_ip"
  touch "$directory/network.ready"
}

import_images() {
  local archive
  wait_for "containerd" 20 ctr version
  for archive in "$(dirname "$NEWLEAF_NODE_IMAGES")/pause.tar" "$NEWLEAF_NODE_IMAGES" "${archives[@]}"; do
    ctr images import "$archive" >/dev/null
  done
  step "images imported"
}

ctr() {
  nsenter -t "$box_pid" -m -n -p ctr --address /run/containerd/containerd.sock --namespace k8s.io "$@"
}

kubectl() { "$NEWLEAF_KUBECTL" --kubeconfig "$directory/admin.kubeconfig" "$@"; }

api_ready() {
  curl --silent --fail --noproxy '*' --max-time 5 --cacert "$directory/pki/ca.crt" \
    --cert "$directory/pki/admin.crt" --key "$directory/pki/admin.key" "$url/readyz"
}

node_ready() { kubectl wait "node/$node_name" --for=condition=Ready --timeout=10s; }

# wait_for WHAT SECONDS COMMAND...: until the command succeeds.
wait_for() {
  local what=$1 deadline=$((SECONDS + $2))
  shift 2
  until "$@" >/dev/null 2>&1; do
    kill -0 "$unshare_pid" 2>/dev/null || failed "the box ended while it waited for $what"
    ((SECONDS < deadline)) || failed "$what is not there"
    sleep 0.1
  done
  step "$what is there"
}

# After what the programs said last; the EXIT trap takes everything down.
failed() {
  tail -n 5 "$directory"/logs/*.log >&2 || true
  echo "no cluster: $1" >&2
  exit 1
}

step() { awk -v from="$started" -v to="$EPOCHREALTIME" -v what="$1" 'BEGIN { printf "%6.1f s %s\n", to - from, what }'; }

# Until standard input ends, a signal comes, or the box ends by itself or by down.sh.
stay() {
  exec 3<&0
  cat <&3 >/dev/null 9>&- &
  wait -n $! "$unshare_pid" 2>/dev/null || true
}

main "$@"
