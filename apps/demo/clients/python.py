"""python.py DIRECTORY URL PAUSE : the seed's frontend. Reads the files afresh for each request.

With `requests` where it is installed, as the seed does, else with the standard library.
"""
import os
import sys
import time
import urllib.request

try:
    import requests
except ImportError:
    requests = None
import ssl


def get(directory, url):
    certificate, key, ca = (f"{directory}/{name}" for name in ("tls.crt", "tls.key", "ca.crt"))
    if requests is not None:
        return requests.get(url, cert=(certificate, key), verify=ca, timeout=10).status_code
    context = ssl.create_default_context(cafile=ca)
    context.load_cert_chain(certificate, key)
    with urllib.request.urlopen(url, context=context, timeout=10) as response:
        return response.status


def attempt(volume, url):
    """A volume that moved while its files were being opened is read again."""
    for _ in range(3):
        directory = os.path.realpath(f"{volume}/..data")
        try:
            return get(directory, url)
        except OSError as error:
            if directory == os.path.realpath(f"{volume}/..data") or os.path.exists(directory):
                return error
            last = error
    return last


volume, url, pause = sys.argv[1], sys.argv[2], float(sys.argv[3])
while True:
    result = attempt(volume, url)
    print("ok" if result == 200 else f"failed: {result}", flush=True)
    time.sleep(pause)
