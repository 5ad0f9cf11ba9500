#!/usr/bin/env bash
# Where the installed components are: prints `NAME=path` for each that is present. Sourced, it exports them.
if [[ ${BASH_SOURCE[0]} != "$0" ]]; then
  while IFS= read -r line; do export "${line?}"; done < <(bash "${BASH_SOURCE[0]}")
  unset line
  return
fi
set -euo pipefail
# shellcheck source=components.sh
source "$(dirname "${BASH_SOURCE[0]}")/components.sh"

while read -r name variable _ version program; do
  if path=$(component_path "$name" "$version" "$program"); then printf '%s=%s\n' "$variable" "$path"; fi
done < <(components)
