"""Seals and opens with a Python library, named by the first argument: "jose"
(python-jose) or "jwcrypto". One JSON job a line on standard input, one JSON
answer a line on standard output:

    {"op":"seal","kid":…,"key":…,"claims":…}  ->  {"token":…}
    {"op":"open","kid":…,"key":…,"token":…}   ->  {"claims":…}

"claims" is JSON text. What fails is answered with {"error":…}.
"""

import base64
import json
import sys


def with_jose():
    from jose import jwe

    def seal(kid, key, plaintext):
        token = jwe.encrypt(plaintext, key, algorithm="dir", encryption="A256GCM", kid=kid)
        return token.decode("ascii")

    def opened(kid, key, token):
        if jwe.get_unverified_header(token)["kid"] != kid:
            raise ValueError("another kid in the header")
        return jwe.decrypt(token, key)

    return seal, opened


def with_jwcrypto():
    from jwcrypto import jwe, jwk

    def load(kid, key):
        k = base64.urlsafe_b64encode(key.encode("utf-8")).rstrip(b"=").decode("ascii")
        return jwk.JWK(kty="oct", k=k, kid=kid)

    def seal(kid, key, plaintext):
        header = json.dumps({"alg": "dir", "enc": "A256GCM", "kid": kid})
        token = jwe.JWE(plaintext, protected=header, algs=["dir", "A256GCM"])
        token.add_recipient(load(kid, key))
        return token.serialize(compact=True)

    def opened(kid, key, text):
        token = jwe.JWE(algs=["dir", "A256GCM"])
        token.deserialize(text, load(kid, key))
        if token.jose_header["kid"] != kid:
            raise ValueError("another kid in the header")
        return token.payload

    return seal, opened


def main():
    seal, opened = {"jose": with_jose, "jwcrypto": with_jwcrypto}[sys.argv[1]]()
    for line in sys.stdin:
        try:
            job = json.loads(line)
            if job["op"] == "seal":
                # Through the library's own reading and writing, as a program does it.
                plaintext = json.dumps(json.loads(job["claims"])).encode("utf-8")
                out = {"token": seal(job["kid"], job["key"], plaintext)}
            else:
                out = {"claims": opened(job["kid"], job["key"], job["token"]).decode("utf-8")}
        except Exception as e:
            out = {"error": f"{type(e).__name__}: {e}"}
        print(json.dumps(out), flush=True)


main()
