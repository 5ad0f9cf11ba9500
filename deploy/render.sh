#!/usr/bin/env bash
# Renders the charts into deploy/manifests, for those who apply without Helm. `render.sh --check` compares instead.
# helm is $HELM, the one that e2e-setup installed, or the one on PATH.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
helm=${HELM:-$(bash ../e2e/setup/env.sh | sed -n 's/^NEWLEAF_HELM=//p')}
helm=${helm:-$(command -v helm)} || { echo "helm is not installed (make e2e-setup brings it)" >&2; exit 1; }
output=manifests
if [[ ${1:-} == --check ]]; then
  output=$(mktemp -d)
  trap 'rm -rf "$output"' EXIT
fi
for chart in charts/*/; do
  name=$(basename "$chart")
  "$helm" lint --quiet "$chart"
  {
    echo "# Rendered from deploy/charts/$name by deploy/render.sh; do not edit."
    "$helm" template "$name" "$chart" --namespace "$name" | sed '/^ *helm.sh\/chart:/d; s/managed-by: Helm/managed-by: kubectl/'
  } >"$output/$name.yaml"
done
[[ ${1:-} != --check ]] || diff -ru manifests "$output"
