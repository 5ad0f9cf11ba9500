#!/usr/bin/env bash
# Packs the published packages, and is their first user: what is in the tarballs, publint and attw, an installation
# into an empty project, types, a program on every entry point, and what `import` costs. On this Node and on the LTS
# one, where there is one.
set -euo pipefail
cd "$(dirname "$0")/.."
repository=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
readonly packages=(x509 rotation proto spiffe kube webhook)
readonly import_limit_ms=50

say() { echo "packages: $*"; }
fail() { echo "packages: $*" >&2; exit 1; }
quietly() { # its output only where it fails
  local output
  output=$("$@" 2>&1) || fail "$*: $output"
}

say "packing"
# The prepack scripts bundle; .npmrc switches scripts off.
quietly npm pack --ignore-scripts=false "${packages[@]/#/--workspace=packages/}" --pack-destination "$work"

for package in "${packages[@]}"; do
  tarball=("$work/newleaf-$package"-*.tgz)
  say "$(basename "${tarball[0]}"), $(($(stat -c %s "${tarball[0]}") / 1024)) KB"
  others=$(tar -tzf "${tarball[0]}" | grep -vE '^package/(package\.json|README\.md|LICENSE|dist/.+\.(js|js\.map|d\.ts))$' || true)
  [[ -z $others ]] || fail "$package carries what it should not: $others"
  tests=$(tar -tzf "${tarball[0]}" | grep -E '\.test\.' || true)
  [[ -z $tests ]] || fail "$package carries tests: $tests"
  for file in README.md LICENSE; do
    tar -tzf "${tarball[0]}" "package/$file" >/dev/null || fail "$package has no $file"
  done
  quietly npx publint "${tarball[0]}" --strict
  quietly npx attw "${tarball[0]}" --profile esm-only --no-color --no-emoji --format ascii
done

say "installing into an empty project"
project=$work/project
cp -R test/consumer "$project"
# undici is an optional peer: from what is installed here, since nothing is downloaded.
quietly npm pack --ignore-scripts ./node_modules/undici --pack-destination "$work"
cd "$project"
install() { quietly npm install --offline --ignore-scripts --no-audit --no-fund --no-save "$@"; }
install "$work"/newleaf-{x509,rotation}-*.tgz
node --input-type=module -e 'await Promise.all(["x509", "x509/asn1", "rotation"].map((name) => import(`@newleaf/${name}`)))'
[[ ! -e node_modules/undici ]] || fail "the packages brought undici along"
install "$work"/newleaf-{x509,rotation}-*.tgz "$work"/undici-*.tgz
# So is pg, which has many dependencies of its own: they are found where it really is.
[[ ! -e node_modules/pg ]] || fail "the packages brought pg along"
ln -s "$repository/node_modules/pg" node_modules/pg
node --input-type=module -e 'const { createRotatingPool } = await import("@newleaf/rotation/pg"); createRotatingPool.call'

# And what SPIFFE and Kubernetes need: the packages as they were packed, beside the libraries that they name.
for package in proto spiffe kube webhook; do
  mkdir "node_modules/@newleaf/$package"
  tar -xzf "$work/newleaf-$package"-*.tgz -C "node_modules/@newleaf/$package" --strip-components=1
done
for library in @grpc @bufbuild jose kubernetes-types https-proxy-agent socks-proxy-agent yaml rfc6902; do ln -s "$repository/node_modules/$library" "node_modules/$library"; done

say "types"
types=("$repository/node_modules/.bin/tsc" -p . --typeRoots "$repository/node_modules/@types")
quietly "${types[@]}"
# Declarations of @types/node themselves do not hold under this one.
quietly "${types[@]}" --exactOptionalPropertyTypes --skipLibCheck --noEmit

nodes=("$(command -v node)")
lts=$(bash "$repository/e2e/setup/env.sh" | sed -n 's/^NEWLEAF_NODE_LTS=//p')
if [[ -n $lts ]]; then nodes+=("$lts"); else say "no LTS Node installed (make e2e-setup); this one only"; fi
for node in "${nodes[@]}"; do
  say "consumer and import cost on Node $("$node" --version)"
  timeout 30 "$node" spiffe-consumer.js || fail "the SPIFFE consumer failed on $("$node" --version)"
  timeout 30 "$node" kube-consumer.js || fail "the Kubernetes consumer failed on $("$node" --version)"
  timeout 30 "$node" consumer.js || fail "the consumer failed on $("$node" --version)"
  "$node" "$repository/test/import-cost.mjs" "$import_limit_ms" \
    @newleaf/x509 @newleaf/x509/asn1 @newleaf/rotation || fail "an import costs more than $import_limit_ms ms"
done
say "good"
