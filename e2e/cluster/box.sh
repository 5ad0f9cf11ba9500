#!/usr/bin/env bash
# Process 1 of the box, started by up.sh: mounts, then the programs. When it is killed, all of them, their containers,
# mounts, devices and iptables rules are gone with the namespaces.
# ETCD is a program; CONTROL_PLANE and NODE are folders of programs.
set -euo pipefail
# shellcheck source=settings.sh
source "$(dirname "${BASH_SOURCE[0]}")/settings.sh"
pki=$directory/pki

main() {
  mount_folders
  shield_sysctls
  make_cgroups
  ip link set lo up
  touch "$directory/box.ready"
  until_there network.ready
  echo 1 >/proc/sys/net/ipv4/ip_forward
  start_etcd
  start containerd containerd --config "$directory/containerd.toml"
  start_apiserver
  until_there api.ready
  start_controllers
  start kubelet "$NODE/kubelet" --config="$directory/kubelet.yaml" --kubeconfig="$directory/kubelet.kubeconfig" \
    --hostname-override="$node_name" --node-ip="$node_ip" --root-dir=/var/lib/kubelet --v=2
  start kube-proxy "$NODE/kube-proxy" --config="$directory/kube-proxy.yaml"
  reap
}

mount_folders() {
  mount --make-rshared /
  mount -t tmpfs -o mode=755 tmpfs /run
  mkdir /run/lock
  local folder folders=(kubelet pods containers cni)
  for folder in "${!folders[@]}"; do mount --bind "$directory/${folders[$folder]}" "${mount_points[$folder]}"; done
  mount --make-shared /var/lib/kubelet
}

# kubelet writes these, and they are the whole machine's: it gets files of its own instead.
shield_sysctls() {
  local setting file
  for setting in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1 \
    kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000; do
    file=$directory/sysctl/$(tr / _ <<<"${setting%=*}")
    echo "${setting#*=}" >"$file"
    mount --bind "$file" "/proc/sys/${setting%=*}"
  done
}

# kubelet wants its root in every hierarchy; cpuset begins empty there, and then takes no process.
make_cgroups() {
  local hierarchy file
  for hierarchy in /sys/fs/cgroup/*/; do
    [[ $hierarchy == */unified/ ]] || mkdir -p "$hierarchy$cgroup"
  done
  for file in cpus mems; do
    cat "/sys/fs/cgroup/cpuset/cpuset.$file" >"/sys/fs/cgroup/cpuset/$cgroup/cpuset.$file"
  done
}

until_there() { until [[ -e $directory/$1 ]]; do sleep 0.05; done; }

# start NAME COMMAND...
start() {
  local name=$1
  shift
  "$@" >>"$directory/logs/$name.log" 2>&1 &
}

start_etcd() {
  start etcd "$ETCD" --name n1 --data-dir "$directory/etcd" --log-level warn --unsafe-no-fsync \
    --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
    --listen-peer-urls http://127.0.0.1:2380 --initial-advertise-peer-urls http://127.0.0.1:2380 \
    --initial-cluster n1=http://127.0.0.1:2380
}

start_apiserver() {
  start kube-apiserver "$CONTROL_PLANE/kube-apiserver" --etcd-servers=http://127.0.0.1:2379 \
    --bind-address=0.0.0.0 --secure-port=6443 --advertise-address="$node_ip" --service-cluster-ip-range="$service_range" \
    --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction --allow-privileged=true \
    --cert-dir="$pki" --client-ca-file="$pki/ca.crt" --tls-cert-file="$pki/apiserver.crt" --tls-private-key-file="$pki/apiserver.key" \
    --requestheader-client-ca-file="$pki/ca.crt" --requestheader-allowed-names=front-proxy-client \
    --kubelet-client-certificate="$pki/admin.crt" --kubelet-client-key="$pki/admin.key" \
    --kubelet-certificate-authority="$pki/ca.crt" --kubelet-preferred-address-types=InternalIP \
    --service-account-issuer=https://kubernetes.default.svc --api-audiences=https://kubernetes.default.svc \
    --service-account-key-file="$pki/sa.pub" --service-account-signing-key-file="$pki/sa.key"
}

start_controllers() {
  start_controller controller-manager "$CONTROL_PLANE/kube-controller-manager" \
    --use-service-account-credentials=true --root-ca-file="$pki/ca.crt" --service-account-private-key-file="$pki/sa.key" \
    --cluster-signing-cert-file="$pki/ca.crt" --cluster-signing-key-file="$pki/ca.key" \
    --controllers='*,-node-ipam-controller,-node-route-controller,-service-lb-controller,-cloud-node-lifecycle-controller'
  start_controller scheduler "$NODE/kube-scheduler"
}

# start_controller USER PROGRAM ARGUMENT...
start_controller() {
  local user=$1 program=$2 file=$directory/$1.kubeconfig
  shift 2
  start "$user" "$program" --kubeconfig="$file" --authentication-kubeconfig="$file" --authorization-kubeconfig="$file" \
    --bind-address=127.0.0.1 --cert-dir="$pki" --leader-elect=false "$@"
}

# Process 1 is the parent of every shim whose own parent ended.
reap() {
  while :; do
    wait -n || true
    sleep 1
  done
}

main
