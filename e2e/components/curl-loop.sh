#!/usr/bin/env bash
# curl-loop.sh DIRECTORY URL... : one new curl a request, files read through one resolved directory. Prints ok or the failure.
directory=$1; shift
while true; do
  for url in "$@"; do
    release=$(readlink -f "$directory")
    if out=$(curl -sS --max-time 10 -o /dev/null -w '%{http_code}' --cert "$release/tls.crt" --key "$release/tls.key" --cacert "$release/ca.crt" "$url" 2>&1) && [ "$out" = 200 ]; then
      echo "ok"
    else
      echo "failed $url: $out"
    fi
  done
  sleep 0.05
done
