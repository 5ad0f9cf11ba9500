#!/usr/bin/env bash
# Removes the cluster of up.sh, or what is left of one: also when up.sh was killed, or failed half way. Needs no cluster.
set -euo pipefail
# shellcheck source=settings.sh
source "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

main() {
  end_box
  if ip link show "$device" >/dev/null 2>&1; then ip link delete "$device"; fi # and with it its routes
  remove_cgroups
  rmdir "${mount_points[@]}" 2>/dev/null || true
  rm -rf --one-file-system "$directory"
}

# With its unshare the kernel ends the box's process 1, and with that everything in the box.
end_box() {
  local pid box
  pid=$(cat "$directory/unshare.pid" 2>/dev/null) || return 0
  # The id may belong to something else by now.
  tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -q 'unshare .*/cluster/box\.sh' || return 0
  box=$(pgrep -P "$pid" || true)
  kill -KILL "$pid"
  for pid in $pid $box; do wait_for_end "$pid"; done
}

# Up to ten seconds; of a process that its parent has yet to notice there is nothing left but its id.
wait_for_end() {
  local attempt
  for ((attempt = 0; attempt < 200; attempt++)); do
    [[ -d /proc/$1 ]] && ! grep -q '^State:.*Z' "/proc/$1/status" 2>/dev/null || return 0
    sleep 0.05
  done
  echo "process $1 of the cluster does not end" >&2
  exit 1
}

remove_cgroups() {
  local hierarchy
  for hierarchy in /sys/fs/cgroup/*/; do
    if [[ -d $hierarchy$cgroup ]]; then find "$hierarchy$cgroup" -depth -type d -exec rmdir {} +; fi
  done
}

main
