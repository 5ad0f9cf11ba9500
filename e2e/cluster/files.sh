# shellcheck shell=bash disable=SC2154
# Keys, kubeconfigs and configuration of the cluster's programs. Sourced by up.sh, whose settings it uses.

# write_files: into a new folder that only root reads.
write_files() {
  (umask 077 && mkdir -p "$directory")
  (cd "$directory" && mkdir pki logs etcd containerd kubelet pods containers cni cni.d sysctl)
  write_keys
  write_containerd
  write_kubelet
  write_kube_proxy
}

write_keys() (
  cd "$directory/pki" || exit
  openssl ecparam -name prime256v1 -genkey -noout -out ca.key
  openssl req -x509 -new -key ca.key -subj /CN=newleaf-cluster -days 30 -out ca.crt
  openssl genrsa -out sa.key 2048 2>/dev/null
  openssl rsa -in sa.key -pubout -out sa.pub 2>/dev/null
  certificate apiserver /CN=kube-apiserver
  certificate kubelet-server "/CN=$node_name"
  certificate admin /O=system:masters/CN=admin
  certificate controller-manager /CN=system:kube-controller-manager
  certificate scheduler /CN=system:kube-scheduler
  certificate kube-proxy /CN=system:kube-proxy
  certificate kubelet "/O=system:nodes/CN=system:node:$node_name"
  for user in admin controller-manager scheduler kube-proxy kubelet; do kubeconfig "$user"; done
)

# certificate NAME SUBJECT: for both sides of a connection.
certificate() {
  openssl ecparam -name prime256v1 -genkey -noout -out "$1.key"
  openssl req -new -key "$1.key" -subj "$2" |
    openssl x509 -req -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -out "$1.crt" -extfile <(
      echo "extendedKeyUsage=serverAuth,clientAuth"
      echo "subjectAltName=DNS:localhost,DNS:$node_name,DNS:kubernetes.default,DNS:kubernetes.default.svc,IP:127.0.0.1,IP:$service_ip,IP:$node_ip"
    ) 2>/dev/null
}

kubeconfig() {
  cat >"$directory/$1.kubeconfig" <<YAML
apiVersion: v1
kind: Config
clusters:
  - name: newleaf
    cluster: { server: "$url", certificate-authority-data: $(base64 -w0 ca.crt) }
users:
  - name: $1
    user: { client-certificate-data: $(base64 -w0 "$1.crt"), client-key-data: $(base64 -w0 "$1.key") }
contexts:
  - name: $1
    context: { cluster: newleaf, user: $1 }
current-context: $1
YAML
}

# restrict_oom_score_adj: without CAP_SYS_RESOURCE runc could not lower it and fails.
# opt: its default place would be outside of the box.
write_containerd() {
  cat >"$directory/containerd.toml" <<TOML
version = 2
root = "$directory/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.devmapper"]
[grpc]
  address = "/run/containerd/containerd.sock"
[plugins."io.containerd.internal.v1.opt"]
  path = "$directory/containerd/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:1"
  disable_apparmor = true
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "$(dirname "$NEWLEAF_CNI")"
    conf_dir = "$directory/cni.d"
TOML
  cat >"$directory/cni.d/10-bridge.conflist" <<JSON
{
  "cniVersion": "1.0.0",
  "name": "newleaf",
  "plugins": [
    {
      "type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": false, "hairpinMode": true,
      "ipam": {
        "type": "host-local", "dataDir": "/run/cni/ipam",
        "ranges": [[{ "subnet": "$pod_range" }]], "routes": [{ "dst": "0.0.0.0/0" }]
      }
    },
    { "type": "portmap", "capabilities": { "portMappings": true } }
  ]
}
JSON
}

# No name server runs, but without the address of one kubelet writes an event for each Pod.
write_kubelet() {
  echo "nameserver $node_ip" >"$directory/resolv.conf"
  cat >"$directory/kubelet.yaml" <<YAML
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: $node_ip
healthzBindAddress: 127.0.0.1
failCgroupV1: false
cgroupDriver: cgroupfs
cgroupRoot: /$cgroup
failSwapOn: false
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
imageMinimumGCAge: 24h
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
evictionHard: { memory.available: "50Mi", nodefs.available: "1%", nodefs.inodesFree: "1%", imagefs.available: "1%" }
authentication:
  anonymous: { enabled: false }
  webhook: { enabled: true }
  x509: { clientCAFile: $directory/pki/ca.crt }
authorization: { mode: Webhook }
tlsCertFile: $directory/pki/kubelet-server.crt
tlsPrivateKeyFile: $directory/pki/kubelet-server.key
clusterDomain: cluster.local
clusterDNS: ["$dns_ip"]
resolvConf: $directory/resolv.conf
podLogsDir: /var/log/pods
syncFrequency: $sync_frequency
configMapAndSecretChangeDetectionStrategy: $secrets
YAML
}

# The conntrack settings are the kernel's, not the box's: they stay as they are.
write_kube_proxy() {
  cat >"$directory/kube-proxy.yaml" <<YAML
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: iptables
hostnameOverride: $node_name
bindAddress: $node_ip
healthzBindAddress: 127.0.0.1:10256
metricsBindAddress: 127.0.0.1:10249
clientConnection: { kubeconfig: $directory/kube-proxy.kubeconfig }
clusterCIDR: $pod_range
conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s }
iptables: { minSyncPeriod: 0s, syncPeriod: 30s }
YAML
}
