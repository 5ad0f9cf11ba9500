#!/bin/sh
# openssl.sh DIRECTORY HOST:PORT PAUSE : a new openssl s_client for each request; the server must verify and answer 200.
while true; do
  for try in 1 2 3; do
    now=$(readlink -f "$1/..data")
    out=$(printf 'GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' |
      timeout 10 openssl s_client -quiet -ign_eof -no_ticket -connect "$2" -servername localhost -verify_return_error -verify_hostname localhost \
        -cert "$now/tls.crt" -key "$now/tls.key" -CAfile "$now/ca.crt" 2>&1)
    case $out in
      *"HTTP/1.1 200"*) break ;;
      *"No such file"*) [ "$now" = "$(readlink -f "$1/..data")" ] || continue ;;
    esac
    break
  done
  case $out in *"HTTP/1.1 200"*) echo ok ;; *) echo "failed: $(echo "$out" | tail -n 2 | tr '\n' ' ')" ;; esac
  sleep "$3"
done
