#!/bin/bash
# HSMs whose vendor attests the keys that they made: certificates up to roots that the policy lists. What does not hold is refused
# by name where a site is enrolled, at the far end too, and by both verifiers.
# shellcheck source=tests/integration/lib.sh
. tests/integration/lib.sh
# shellcheck source=tests/integration/ceremony.sh
. tests/integration/ceremony.sh
# shellcheck source=tests/integration/far.sh
. tests/integration/far.sh
# shellcheck source=tests/integration/vendor.sh
. tests/integration/vendor.sh

FROM=bare

by_vendor() {
    sed -i '/^  - id: birth of an application key pair$/,/extractable/ s/at-least: 2, prove: signature/at-least: 1, prove: signature, hardware: attested-by-vendor/' \
        "$D/policy.yaml"
}

adopted() {
    must "$Q" init --environment test
    policy_adopted
}

forged() { # name
    local who=$1 key=$V/$1-identity.pub
    certified bare root "$key" 3650 "$MADE"
    certified of-another device - 3650 "$MADE"
    certified by-stranger stranger "$key" 3650 "$MADE"
    certified by-none no-authority "$key" 3650 "$MADE"
    certified by-no-signer no-signer "$key" 3650 "$MADE"
    certified by-past past "$key" 3650 "$MADE"
    certified over device "$key" -1 "$MADE"
    certified critical device "$key" 3650 "$MADE"$'\n1.2.3.4.5=critical,ASN1:NULL'
    certified imported device "$key" 3650 "${MADE%1}2"
    certified silent device "$key" 3650 ''
    certified weak device "$key" 3650 "$MADE" -sha1
    bundle another-key of-another device root
    bundle another-root by-stranger stranger
    bundle unlisted by-stranger stranger root
    bundle no-ca by-none no-authority root
    bundle no-key-usage by-no-signer no-signer root
    bundle past-device by-past past root
    bundle expired over device root
    bundle unknown-critical critical device root
    bundle sha1 weak device root
    bundle brought-there imported device root
    bundle nothing-said silent device root
    bundle gap "$who" root
    bundle offers-alone "$who-offers" device root
    bundle alone root
}

refused() { # bundle, then what is said
    local name=$1
    shift
    ends 1 "$Q" enrol cardiff --attestation "$V/$name.bundle"
    says "$@"
}

refusals() {
    local before
    before=$(wc -l <"$D/estate/log/entries")
    refused another-key 'root at cardiff: none of its certificates is of the identity key'
    refused another-root 'none of its certificates is a root that the policy lists for cardiff'
    refused unlisted 'identity key: the certificate of "CN=stranger,O=Maker": self-signed certificate in certificate chain'
    refused no-ca 'the certificate of "CN=no-authority,O=Maker": invalid CA certificate'
    refused no-key-usage 'the certificate of "CN=no-signer,O=Maker": invalid CA certificate'
    refused past-device 'the certificate of "CN=past,O=Maker": certificate has expired'
    refused expired 'the certificate of "CN=over,O=Maker": certificate has expired'
    refused unknown-critical 'the certificate of "CN=critical,O=Maker": unhandled critical extension'
    refused sha1 'the certificate of "CN=weak,O=Maker": CA signature digest algorithm too weak'
    refused brought-there 'the certificate of "CN=imported,O=Maker": its extension 1.3.6.1.4.1.32473.1.3 is not 03020001, as the policy wants'
    refused nothing-said 'the certificate of "CN=silent,O=Maker": its extension 1.3.6.1.4.1.32473.1.3 is not 03020001'
    refused gap 'the certificate of "CN=cardiff,O=Maker": unable to get local issuer certificate'
    refused offers-alone 'none of its certificates is of the identity key'
    refused alone 'none of its certificates is of the identity key'
    ends 2 "$Q" enrol cardiff --attestation "$D/people/custodian-4.key"
    says 'certificates are expected and nothing else'
    ends 2 "$Q" enrol cardiff --attestation "$V/nowhere"
    [ "$(grep -c '"type":"request"' <(tail -n "+$((before + 1))" "$D/estate/log/entries"))" = 0 ] ||
        fail 'what does not hold left a request'
}

# $1: the site, and what its approvers see.
enrolled() {
    local site=$1
    asks "$Q" enrol "$site" --attestation "$V/$site.bundle"
    ! says_hint || fail 'a hint where the vendor attests'
    ends 1 "$Q" request show "$ID"
    matches "hardware +attested-by-vendor"
    matches "vendor's identity +CN=$site,O=Maker, under CN=root,O=Maker, sha256:$(openssl x509 -in "$V/root.pem" -outform DER |
        sha256sum | cut -d' ' -f1)"
    matches "vendor's transport +CN=$site-offers,O=Maker, under CN=root"
    approve "$ID" authority-1 authority-2
    # Without the file it is another question: people's word.
    ends 1 "$Q" enrol "$site"
    says 'have the HSM attest the identity key (CKA_ID '
    must "$Q" enrol "$site" --attestation "$V/$site.bundle"
    says enrolled
}

case_vendor() {
    authorities
    by_vendor
    ends 1 "$Q" policy check "$D/policy.yaml"
    says 'needs 1 replicas of token root; 0 of its declared sites lie as the rule asks and list a vendor'
    listed cardiff glasgow
    must "$Q" policy check "$D/policy.yaml"
    adopted
    asks "$Q" enrol slough
    ! says_hint || fail 'a hint where no vendor is listed'
    ends 1 "$Q" enrol slough --attestation "$V/root.pem"
    says 'lists no roots for slough'
    approve "$ID" authority-1 authority-2
    must "$Q" enrol slough
    asks "$Q" enrol cardiff
    says_hint
    attested "$D/estate/requests/$ID/request.json" cardiff
    ends 1 "$Q" enrol cardiff --json
    matches '"identity-id":"[0-9a-f]+",.*"transport-id":"[0-9a-f]+"'
    forged cardiff
    refusals
    # People's word is not the vendor's.
    asks "$Q" enrol glasgow
    approve "$ID" authority-1 authority-2
    must "$Q" enrol glasgow
    ends 1 "$Q" policy explain generate --type EC:P-384 --token root --label app-1
    says 'replica site glasgow of root has hardware that is not attested as the rule asks' '0 of 1 replica sites qualify'
    enrolled cardiff
    must "$Q" status --offline
    matches 'root +cardiff .*, attested by its vendor$'
    ! grep -qE 'root +glasgow .*attested' <<<"$OUT" || fail 'people are taken for the vendor'
    must "$Q" status --offline --json
    says '"hardware":"attested-by-vendor"' '"hardware":"attested-by-people"'
    born EC:secp384r1 app-1
    grep '"type":"born"' "$D/estate/log/entries" | grep -q '"sites":\["slough","cardiff"\]' || fail 'not at the attested site alone'
    kept cardiff
}

# What the vendor says travels in the introduction, or in the answer that a courier brings, and is judged at both ends.
case_elsewhere() {
    authorities
    far_hsm
    far_bound '{carried: true}'
    listed glasgow
    adopted
    far_introduce
    says_hint
    attested "$D/introduction.json" glasgow
    forged glasgow
    ends 1 far "$Q" introduce "$D/policy.message" --out "$D/introduction.json" --attestation "$V/gap.bundle"
    says 'unable to get local issuer certificate'
    [ ! -e "$FAR/home/attestation.json" ] || fail 'what does not hold was kept'
    must far "$Q" introduce "$D/policy.message" --out "$D/introduction.json" --attestation "$V/glasgow.bundle"
    matches "vendor's identity +CN=glasgow,O=Maker, under CN=root"
    carried_wrongly 2 '["identity"][:1]' 'a list of 2 to 8 certificates is expected'
    carried_wrongly 1 '["identity"][::2]' 'unable to get local issuer certificate'
    carried_wrongly 1 '["transport"]' 'it is of another key than the HSM'
    asks "$Q" enrol glasgow --carried "$D/introduction.json"
    ! says_hint || fail 'a hint where the vendor attests'
    local asked=$ID
    far_bound "{courier: [$PWD/$D/courier]}"
    ends 1 "$Q" enrol glasgow
    says "$asked"
    # An introduction without certificates: none travel any more.
    must far "$Q" introduce "$D/policy.message" --out "$D/bare.json"
    ! grep -q attestation "$D/bare.json" || fail 'the certificates travel still'
    asks "$Q" enrol glasgow
    must far "$Q" introduce "$D/policy.message" --out "$D/introduction.json" --attestation "$V/glasgow.bundle"
    approve "$asked" authority-1 authority-2
    must "$Q" enrol glasgow
    says enrolled
    # The site follows the log that says so.
    must "$Q" policy export glasgow "$D/policy.message"
    must far "$Q" accept "$D/policy.message"
    short_ceremony root-oca-key-generation '{}'
    opening_approved "$D/short.yaml"
    must short_holds
    transcript_holds $CEREMONY
    says 'its vendor certified the identity key of the HSM of root/glasgow'
}

# $1: how it ends; $2: the part of the introduction's attestation that is the identity key's now; $3: what the host says.
carried_wrongly() {
    python3 - "$D/introduction.json" "$2" >"$D/wrong.json" <<'PYTHON'
import json, sys
said = json.load(open(sys.argv[1]))
said["attestation"] = {"identity": eval("said['attestation']" + sys.argv[2])}
sys.stdout.write(json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False))
PYTHON
    ends "$1" "$Q" enrol glasgow --carried "$D/wrong.json"
    says "$3"
}

says_hint() {
    grep -qF 'The policy lists roots of its vendor' <<<"$OUT"
}

# A record that both verifiers hold, and no forgery of its attestation. $1: the site; $2: what the second one says is proven.
kept() {
    short_ceremony root-oca-key-generation '{}'
    opening_approved "$D/short.yaml"
    must short_holds
    estate_trust
    must "$Q" transcript $CEREMONY "$D/transcript"
    must "$Q" verify "$D/transcript" --trust "$D/trust.yaml"
    matches "^proven +vendors .*root at $1: CN=$1,O=Maker, under CN=root,O=Maker"
    must tests/verify.py "$D/transcript" --trust "$D/trust.yaml"
    matches "^proven +its vendor certified the identity key of the HSM of root/$1, under the policy's root"
    must tests/tamper.py "$D/transcript" --trust "$D/trust.yaml" --log-key "$D/estate/log/key" --quorate "$Q" --estate "$D" \
        --kinds vendors
    printf '%s\n' "$OUT"
}

cases
