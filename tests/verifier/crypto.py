"""Signatures, by the openssl command. Answers are kept: the same question has the same answer."""

import base64
import functools
import os
import shutil
import subprocess
import tempfile

from . import der
from .strict import Refused, need, sha256_hex

EC_ORDERS = {  # curve -> length of a coordinate
    "1.2.840.10045.3.1.7": ("EC:P-256", 32), "1.3.132.0.34": ("EC:P-384", 48), "1.3.132.0.35": ("EC:P-521", 66)}
CMS_DIGESTS = {"2.16.840.1.101.3.4.2.1", "2.16.840.1.101.3.4.2.2", "2.16.840.1.101.3.4.2.3",
               "2.16.840.1.101.3.4.2.8", "2.16.840.1.101.3.4.2.9", "2.16.840.1.101.3.4.2.10"}
ID_SIGNED_DATA, ID_DATA = "1.2.840.113549.1.7.2", "1.2.840.113549.1.7.1"

_folder = None  # where files lie while openssl reads them


def set_folder(path):
    global _folder
    _folder = path


def clean():
    global _folder
    if _folder is not None:
        shutil.rmtree(_folder, ignore_errors=True)
        _folder = None


def _openssl(arguments, **files):
    """True where it ends well."""
    return _said(arguments, **files) is not None


def _said(arguments, **files):
    """Runs openssl; `@name` in the arguments is the path of a file with these bytes. What it prints, None where it fails."""
    if _folder is None:
        set_folder(tempfile.mkdtemp(prefix="verify-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None))
    words = []
    for word in arguments.split():
        if word.startswith("@"):
            path = os.path.join(_folder, word[1:])
            with open(path, "wb") as stream:
                stream.write(files[word[1:]])
            word = path
        words.append(word)
    environment = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "OPENSSL_CONF": "/dev/null", "LC_ALL": "C"}
    done = subprocess.run(["openssl"] + words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, env=environment, check=False)
    return done.stdout if done.returncode == 0 else None


@functools.lru_cache(maxsize=None)
def ed25519(public, message, signature):
    spki = bytes.fromhex("302a300506032b6570032100") + public
    return len(signature) == 64 and _openssl(
        "pkeyutl -verify -pubin -keyform DER -inkey @key -rawin -in @message -sigfile @signature",
        key=spki, message=message, signature=signature)


@functools.lru_cache(maxsize=None)
def key_type(spki):
    """"EC:P-384" or "RSA:3072", and the length of an EC coordinate."""
    algorithm, bits = der.parse(spki, "a public key").sequence("a public key")
    parts = algorithm.sequence("a public key's algorithm")
    kind = parts[0].oid("a public key's algorithm")
    point, unused = bits.bits("a public key")
    if kind == "1.3.101.112":
        need(unused == 0 and len(parts) == 1 and len(point) == 32, "a public key is not well formed")
        return "EC:Ed25519", 0
    need(unused == 0 and len(parts) == 2, "a public key is not well formed")
    if kind == "1.2.840.10045.2.1":
        curve, size = EC_ORDERS.get(parts[1].oid("a curve"), (None, 0))
        need(curve and len(point) == 1 + 2 * size and point[0] == 4, "a public key is no uncompressed point of a known curve")
        return curve, size
    need(kind == "1.2.840.113549.1.1.1" and parts[1].whole == b"\x05\x00", "a public key is neither EC nor RSA")
    numbers = der.parse(point, "an RSA key").sequence("an RSA key")
    need(len(numbers) == 2, "an RSA key is not well formed")
    need(numbers[1].integer("an RSA exponent") >= 3, "an RSA exponent is too small")
    return "RSA:%d" % numbers[0].integer("an RSA modulus").bit_length(), 0


def transports(spki):
    """An RSA key of at least 3072 bits, its exponent odd and above 65536."""
    if not key_type(spki)[0].startswith("RSA:"):
        return False
    numbers = der.parse(der.parse(spki, "a key").sequence("a key")[1].bits("a key")[0], "an RSA key").sequence("an RSA key")
    modulus, exponent = (number.integer("an RSA key") for number in numbers)
    return modulus.bit_length() >= 3072 and exponent % 2 == 1 and exponent > 65536


@functools.lru_cache(maxsize=None)
def ecdsa(spki, digest, signature):
    """A DER signature over a digest."""
    pair = der.parse(signature, "a signature").sequence("a signature")
    need(len(pair) == 2 and all(part.integer("a signature") > 0 for part in pair), "a signature is not well formed")
    return _openssl("pkeyutl -verify -pubin -keyform DER -inkey @key -in @digest -sigfile @signature",
                    key=spki, digest=digest, signature=signature)


@functools.lru_cache(maxsize=None)
def rsa(spki, digest, signature, hash_name):
    return _openssl("pkeyutl -verify -pubin -keyform DER -inkey @key -in @digest -sigfile @signature "
                    "-pkeyopt rsa_padding_mode:pkcs1 -pkeyopt digest:" + hash_name,
                    key=spki, digest=digest, signature=signature)


def digest_signature(spki, digest, signature):
    """EC as r||s, Ed25519 of the digest's bytes, RSA as PKCS#1 v1.5, over a SHA-256 digest."""
    kind, size = key_type(spki)
    if kind == "EC:Ed25519":
        return ed25519(spki[-32:], digest, signature)
    if not kind.startswith("EC:"):
        return rsa(spki, digest, signature, "sha256")
    if len(signature) != 2 * size:
        return False
    r, s = (int.from_bytes(half, "big") for half in (signature[:size], signature[size:]))
    return r > 0 and s > 0 and ecdsa(
        spki, digest, der.encode(der.SEQUENCE, der.encode_integer(r) + der.encode_integer(s)))


@functools.lru_cache(maxsize=None)
def certificate_key(certificate):
    """SubjectPublicKeyInfo of a certificate."""
    parts = der.parse(certificate, "a certificate").sequence("a certificate")
    need(len(parts) == 3, "a certificate is not well formed")
    fields = parts[0].sequence("a certificate")
    if fields and fields[0].tag == 0xA0:
        fields = fields[1:]
    need(len(fields) >= 6, "a certificate is not well formed")
    fields[5].expect(der.SEQUENCE, "a certificate's key")
    return fields[5].whole


def _one_signer(signature):
    outer = der.parse(signature, "a CMS file").sequence("a CMS file")
    need(len(outer) == 2 and outer[0].oid("a CMS file") == ID_SIGNED_DATA, "not CMS SignedData")
    inner = outer[1].children(0xA0, "a CMS file")
    need(len(inner) == 1, "a CMS file is not well formed")
    parts = inner[0].sequence("SignedData")
    need(len(parts) >= 4, "SignedData is not well formed")
    content = parts[2].sequence("SignedData")
    need(len(content) == 1 and content[0].oid("SignedData") == ID_DATA, "SignedData is not detached, or not over data")
    need(all(part.tag in (0xA0, 0xA1) for part in parts[3:-1]), "SignedData has unknown parts")
    signers = parts[-1].children(der.SET, "SignedData")
    need(len(signers) == 1, "a CMS file has %d signers instead of one", len(signers))
    info = signers[0].sequence("a SignerInfo")
    need(len(info) >= 5, "a SignerInfo is not well formed")
    hashing = info[2].sequence("a SignerInfo")
    need(hashing and hashing[0].oid("a digest algorithm") in CMS_DIGESTS, "a signature's digest is weaker than SHA-256")


def _pem(certificate):
    return b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(certificate) + b"-----END CERTIFICATE-----\n"


@functools.lru_cache(maxsize=None)
def cms(signature, document, certificate):
    """Refuses where `signature` is not one signature by exactly this certificate's holder over the document."""
    _one_signer(signature)
    # -nointern: the signer's certificate is the pinned one, never one that the file brings.
    if not _openssl("cms -verify -binary -inform DER -in @signature -content @document -certfile @certificate "
                    "-nointern -noverify", signature=signature, document=document, certificate=_pem(certificate)):
        raise Refused("the signature is not by the holder of certificate %s… over this document"
                      % sha256_hex(certificate)[:16])


@functools.lru_cache(maxsize=None)
def chain_holds(chain, at):
    """Each certificate (DER) signed by the next, the last one trusted, all valid at that time, none left over."""
    between = b"".join(_pem(one) for one in chain[1:-1])
    said = _said("verify -partial_chain -no-CApath -no-CAstore -auth_level 2 -attime %d -CAfile @root %s -show_chain @leaf"
                 % (at, "-untrusted @between" if between else ""), root=_pem(chain[-1]), between=between, leaf=_pem(chain[0]))
    return said is not None and said.count(b"\ndepth=") == len(chain)


@functools.lru_cache(maxsize=None)
def stamp(response):
    """What a time stamp says of itself."""
    said = _said("ts -reply -in @response -text", response=response)
    need(said is not None, "a time stamp cannot be read")
    return said.decode("utf-8", "replace")


@functools.lru_cache(maxsize=None)
def stamp_holds(response, digest, authorities, at):
    return _openssl("ts -verify -digest %s -in @response -CAfile @authorities -partial_chain -attime %d" % (digest, at),
                    response=response, authorities=authorities)
