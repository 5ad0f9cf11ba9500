"""requests-loop.py DIRECTORY URL... : the seed's frontend. Paths are given on each request, so requests re-reads the files."""
import os
import sys
import time

import requests

directory, urls = sys.argv[1], sys.argv[2:]
while True:
    for url in urls:
        release = os.path.realpath(directory)
        try:
            response = requests.get(
                url, cert=(f"{release}/tls.crt", f"{release}/tls.key"), verify=f"{release}/ca.crt", timeout=10
            )
            print("ok" if response.status_code == 200 else f"failed {url}: {response.status_code}", flush=True)
        except requests.RequestException as error:
            print(f"failed {url}: {error}", flush=True)
    time.sleep(0.05)
