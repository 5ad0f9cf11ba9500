# shellcheck shell=bash
# What up.sh, box.sh and down.sh agree on. Sourced.
#
# There is one cluster on a machine: its folder, its device and its addresses are fixed. The addresses are of 198.18.0.0/15,
# which is set aside for measuring (RFC 2544), so that no network has them.
# shellcheck disable=SC2034 # used by those that source it
directory=/var/lib/newleaf-cluster
lock_file=/run/newleaf-cluster.lock
device=newleaf0
cgroup=newleaf-cluster
host_ip=198.18.0.1
node_ip=198.18.0.2
pod_range=198.18.1.0/24
service_range=198.19.0.0/16
service_ip=198.19.0.1
dns_ip=198.19.0.10
node_name=node1
url=https://$node_ip:6443

# Where the box puts the host's own folders aside; empty mount points, made and removed by us.
mount_points=(/var/lib/kubelet /var/log/pods /var/log/containers /var/lib/cni)
