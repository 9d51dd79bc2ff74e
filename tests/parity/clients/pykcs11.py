"""PyKCS11: what the other clients leave out. Prints every result and return code."""
import os
import PyKCS11 as P

lib = P.PyKCS11Lib()
lib.load(os.environ["MODULE"])
slot = next(s for s in lib.getSlotList(tokenPresent=True) if lib.getTokenInfo(s).label.strip() == "root")


def show(name, call):
    try:
        got = call()
    except P.PyKCS11Error as e:
        print(name, "=", P.CKR.get(e.value, hex(e.value)))
        return None
    print(name, "= CKR_OK")
    return got


BOTH = [(P.CKA_TOKEN, False), (P.CKA_LABEL, "session"), (P.CKA_ID, (1,))]
P256 = (0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07)
MESSAGE = b"0123456789abcdef0123456789abcdef"


def generate(session, token, label):
    both = [(P.CKA_TOKEN, token), (P.CKA_LABEL, label), (P.CKA_ID, (1, 2))]
    return session.generateKeyPair(
        both + [(P.CKA_EC_PARAMS, P256), (P.CKA_VERIFY, True)],
        both + [(P.CKA_SIGN, True), (P.CKA_DERIVE, True), (P.CKA_PRIVATE, True), (P.CKA_EXTRACTABLE, True),
                (P.CKA_SENSITIVE, False)],
        mecha=P.Mechanism(P.CKM_EC_KEY_PAIR_GEN, None))


def attributes(session, o, types):
    for t in types:
        show("get " + str(P.CKA[t]), lambda: print(" ", t, session.getAttributeValue(o, [t])))


def keys(session, token):
    pair = show("generate", lambda: generate(session, token, "key-%d" % token))
    if not pair:
        return
    public, private = pair
    sign = P.Mechanism(P.CKM_ECDSA, None)
    sig = show("sign", lambda: session.sign(private, MESSAGE, sign))
    if sig:
        print("verify", session.verify(public, MESSAGE, sig, sign), session.verify(public, MESSAGE[1:], sig, sign))
    attributes(session, private, [P.CKA_CLASS, P.CKA_LABEL, P.CKA_ID, P.CKA_TOKEN, P.CKA_PRIVATE, P.CKA_SENSITIVE,
                                  P.CKA_EXTRACTABLE, P.CKA_LOCAL, P.CKA_NEVER_EXTRACTABLE, P.CKA_MODIFIABLE,
                                  P.CKA_KEY_GEN_MECHANISM])
    show("rename", lambda: session.setAttributeValue(private, [(P.CKA_LABEL, "renamed")]))
    show("id", lambda: session.setAttributeValue(private, [(P.CKA_ID, (7, 7))]))
    show("close", lambda: session.setAttributeValue(private, [(P.CKA_EXTRACTABLE, False)]))
    show("open", lambda: session.setAttributeValue(private, [(P.CKA_EXTRACTABLE, True)]))
    show("hide", lambda: session.setAttributeValue(private, [(P.CKA_SENSITIVE, True)]))
    show("token", lambda: session.setAttributeValue(private, [(P.CKA_TOKEN, not token)]))
    show("class", lambda: session.setAttributeValue(private, [(P.CKA_CLASS, P.CKO_DATA)]))
    attributes(session, private, [P.CKA_LABEL, P.CKA_ID, P.CKA_EXTRACTABLE, P.CKA_SENSITIVE, P.CKA_VALUE])
    show("sign again", lambda: session.sign(private, MESSAGE, sign))
    print("found", len(session.findObjects([(P.CKA_LABEL, "renamed")])), len(session.findObjects([(P.CKA_ID, (7, 7))])))
    show("destroy", lambda: session.destroyObject(private))
    show("destroyed", lambda: session.destroyObject(private))
    show("sign dead", lambda: session.sign(private, MESSAGE, sign))
    print("found", len(session.findObjects()))


def wrapping(session):
    aes = [(P.CKA_CLASS, P.CKO_SECRET_KEY), (P.CKA_KEY_TYPE, P.CKK_AES), (P.CKA_VALUE_LEN, 32), (P.CKA_WRAP, True),
           (P.CKA_UNWRAP, True), (P.CKA_TOKEN, False), (P.CKA_EXTRACTABLE, True)]
    kek = show("kek", lambda: session.generateKey(aes))
    for token in (False, True):
        public, private = generate(session, token, "wrapped")
        blob = show("wrap", lambda: session.wrapKey(kek, private, P.Mechanism(0x210A, None)))
        print("  length", blob and len(blob))
        back = blob and show("unwrap", lambda: session.unwrapKey(
            kek, blob, [(P.CKA_CLASS, P.CKO_PRIVATE_KEY), (P.CKA_KEY_TYPE, P.CKK_EC), (P.CKA_TOKEN, token),
                        (P.CKA_LABEL, "unwrapped"), (P.CKA_SIGN, True)], mecha=P.Mechanism(0x210A, None)))
        if back:
            sig = show("sign", lambda: session.sign(back, MESSAGE, P.Mechanism(P.CKM_ECDSA, None)))
            print("verify", session.verify(public, MESSAGE, sig, P.Mechanism(P.CKM_ECDSA, None)))
    show("wrap closed", lambda: session.wrapKey(kek, kek, P.Mechanism(P.CKM_ECDSA, None)))
    show("unwrap nothing", lambda: session.unwrapKey(kek, b"nothing", [], mecha=P.Mechanism(0x210A, None)))


def objects(session):
    for token in (False, True):
        for private in (False, True):
            made = show("data", lambda: session.createObject(
                [(P.CKA_CLASS, P.CKO_DATA), (P.CKA_TOKEN, token), (P.CKA_PRIVATE, private), (P.CKA_LABEL, "data"),
                 (P.CKA_APPLICATION, "parity"), (P.CKA_VALUE, MESSAGE)]))
            if made:
                attributes(session, made, [P.CKA_VALUE, P.CKA_LABEL, P.CKA_PRIVATE, P.CKA_ID, P.CKA_APPLICATION])
        show("secret", lambda: session.createObject(
            [(P.CKA_CLASS, P.CKO_SECRET_KEY), (P.CKA_KEY_TYPE, P.CKK_AES), (P.CKA_TOKEN, token), (P.CKA_LABEL, "made"),
             (P.CKA_ENCRYPT, True), (P.CKA_DECRYPT, True), (P.CKA_SENSITIVE, False), (P.CKA_EXTRACTABLE, True),
             (P.CKA_VALUE, MESSAGE)]))
    for key in session.findObjects([(P.CKA_LABEL, "made")]):
        attributes(session, key, [P.CKA_TOKEN, P.CKA_VALUE, P.CKA_VALUE_LEN, P.CKA_LOCAL])
        cbc = P.Mechanism(P.CKM_AES_CBC_PAD, bytes(16))
        out = show("encrypt", lambda: session.encrypt(key, MESSAGE, cbc))
        print(out and bytes(out).hex(), out and bytes(session.decrypt(key, out, cbc)))
    show("nothing", lambda: session.createObject([]))
    show("no class", lambda: session.createObject([(P.CKA_LABEL, "x")]))
    show("twice", lambda: session.createObject(
        [(P.CKA_CLASS, P.CKO_DATA), (P.CKA_APPLICATION, "x"), (P.CKA_APPLICATION, "y"), (P.CKA_VALUE, MESSAGE)]))
    show("nul", lambda: session.createObject(
        [(P.CKA_CLASS, P.CKO_DATA), (P.CKA_LABEL, "x\0y"), (P.CKA_VALUE, MESSAGE)]))
    print("found", len(session.findObjects()))


def twins(session):
    """Token keys that nothing tells apart, not even an id; and copies."""
    def found():
        print("twins", [len(session.findObjects([(P.CKA_LABEL, n), (P.CKA_CLASS, P.CKO_PRIVATE_KEY)]))
                        for n in ("twin", "other", "")])

    def twin(label, id=()):
        both = [(P.CKA_TOKEN, True)] + ([(P.CKA_LABEL, label)] if label else []) + ([(P.CKA_ID, id)] if id else [])
        return show("twin", lambda: session.generateKeyPair(
            both + [(P.CKA_EC_PARAMS, P256)], both + [(P.CKA_SIGN, True)], mecha=P.Mechanism(P.CKM_EC_KEY_PAIR_GEN, None)))

    pairs = [twin("twin"), twin("twin"), twin("twin"), twin(""), twin(""), twin("twin", (5,)), twin("twin", (5,))]
    found()
    show("destroy", lambda: session.destroyObject(pairs[0][1]))
    found()
    show("rename", lambda: session.setAttributeValue(pairs[1][1], [(P.CKA_LABEL, "other")]))
    found()
    show("rename", lambda: session.setAttributeValue(pairs[2][1], [(P.CKA_LABEL, "other")]))
    show("rename", lambda: session.setAttributeValue(pairs[3][1], [(P.CKA_LABEL, "other")]))
    show("id", lambda: session.setAttributeValue(pairs[5][1], [(P.CKA_ID, (6,))]))
    show("id", lambda: session.setAttributeValue(pairs[5][1], [(P.CKA_ID, (5,))]))
    found()
    for pair in pairs[1:]:
        show("sign", lambda: session.sign(pair[1], MESSAGE, P.Mechanism(P.CKM_ECDSA, None)))
        show("destroy", lambda: session.destroyObject(pair[1]))
        found()
    show("secret", lambda: session.generateKey([(P.CKA_CLASS, P.CKO_SECRET_KEY), (P.CKA_KEY_TYPE, P.CKK_AES),
                                                (P.CKA_VALUE_LEN, 16), (P.CKA_TOKEN, True)]))
    print("found", len(session.findObjects()))


def main():
    read_only = show("open", lambda: lib.openSession(slot))
    show("read-only generate", lambda: generate(read_only, True, "ro"))
    show("wrong", lambda: read_only.login("wrong-pin"))
    session = show("open", lambda: lib.openSession(slot, P.CKF_SERIAL_SESSION | P.CKF_RW_SESSION))
    show("logged out", lambda: generate(session, True, "out"))
    show("so", lambda: session.login(os.environ["SO_PIN"], P.CKU_SO))
    show("login", lambda: session.login(os.environ["PIN"]))
    show("login again", lambda: session.login(os.environ["PIN"]))
    show("other", lambda: session.login(os.environ["SO_PIN"], P.CKU_SO))
    show("read-only generate", lambda: generate(read_only, True, "ro"))
    show("read-only session key", lambda: generate(read_only, False, "ro"))
    for token in (False, True):
        keys(session, token)
    twins(session)
    wrapping(session)
    objects(session)
    print(session.getSessionInfo().state, read_only.getSessionInfo().state)
    digest = show("digest", lambda: session.digest(MESSAGE, P.Mechanism(P.CKM_SHA256, None)))
    print(bytes(digest).hex())
    show("random", lambda: session.generateRandom(16))
    show("seed", lambda: session.seedRandom(MESSAGE))
    show("logout", session.logout)
    show("logout again", session.logout)
    print("found", len(session.findObjects()))
    show("close", session.closeSession)
    show("close all", lambda: lib.closeAllSessions(slot))
    show("closed", lambda: read_only.findObjects())
    show("bad slot", lambda: lib.openSession(99999999))
    show("bad slot", lambda: lib.closeAllSessions(99999999))


main()
