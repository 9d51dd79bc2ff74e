#!/bin/bash
# An authority with a key of Ed25519 (RFC 8410): its certificate and its request for one, made in a ceremony.
# shellcheck source=tests/integration/lib.sh
. tests/integration/lib.sh
# shellcheck source=tests/integration/ceremony.sh
. tests/integration/ceremony.sh
FROM=bare

case_certificate_and_request() {
    # SoftHSM wraps no such key: it has no replicas.
    policy_first '  - {id: birth of such a key, when: {operation: generate, token: root, label: "^ed-"}, require: {quorum: {of: key-custodian, at-least: 2}, key: {types: "EC:Ed25519"}}}
  - {id: its use, when: {operation: use, token: root, label: "^ed-"}, require: {ceremony: root-oca-key-generation, quorum: {of: key-custodian, at-least: 2}}}'
    prepare_ready
    cp -r ceremonies/profiles "$D/profiles"
    sed -i 's/^key: .*/key: EC:Ed25519/; s/^signature: SHA256/signature: Ed25519/' "$D"/profiles/*.yaml
    cat >"$D/edwards.yaml" <<'END'
ceremony: An authority of another curve
id: root-oca-key-generation
roles:
  administrator: {of: ceremony-administrator}
  custodian: {of: key-custodian, at-least: 2}
acts:
  - act: All of it
    steps:
      - {step: Enter, by: administrator, do: enter}
      - {step: Enter, by: each custodian, do: enter}
      - {step: Approve, by: 2 custodian, do: approve, for: key}
      - {step: Generate, by: administrator, do: generate-key-pair, saves: key, with: {token: root, label: ed-1, type: "EC:Ed25519"}}
      - {step: Approve, by: 2 custodian, do: approve, for: signed}
      - {step: Sign, by: administrator, do: issue-certificate, saves: signed, with: {token: root, label: ed-1, profile: root-oca}}
      - {step: Approve, by: 2 custodian, do: approve, for: asked}
      - {step: Ask, by: administrator, do: make-csr, saves: asked, with: {token: root, label: ed-1, profile: issuing-oca}}
      - {step: Attest, by: each custodian, do: attest, with: {statement: I was here.}}
      - {step: Close, by: administrator, do: close}
END
    printf '%s\n' 'people: {administrator: administrator, custodian: [custodian-1, custodian-2]}' \
        'keys: {administrator: people/administrator.uri, custodian-1: people/custodian-1.uri, custodian-2: people/custodian-2.uri}' \
        'answers: {}' >"$D/ceremony.answers.yaml"
    opening_approved "$D/edwards.yaml"
    must holds "$D/edwards.yaml"
    transcript_holds $CEREMONY
    says 'fits profile root-oca in every field' 'fits profile issuing-oca in every field'
    # To others it is what it should be.
    local certificate request
    certificate=$D/transcript/artifacts/$(grep '"kind":"certificate"' "$D/transcript/entries" | grep -o '"digest":"[0-9a-f]*"' | cut -d'"' -f4)
    request=$D/transcript/artifacts/$(grep '"kind":"csr"' "$D/transcript/entries" | grep -o '"digest":"[0-9a-f]*"' | cut -d'"' -f4)
    openssl x509 -in "$certificate" -inform DER -out "$D/ed.pem"
    must openssl verify -check_ss_sig -CAfile "$D/ed.pem" "$D/ed.pem"
    must openssl x509 -in "$D/ed.pem" -noout -text
    [ "$(grep -c 'Signature Algorithm: ED25519' <<<"$OUT")" = 2 ] || fail 'not the algorithm of RFC 8410, twice'
    must openssl req -in "$request" -inform DER -noout -verify
    must tests/tamper.py "$D/transcript" --trust "$D/trust.yaml" --log-key "$D/estate/log/key" --quorate "$Q" --kinds uses
    must tests/tamper.py "$D/transcript" --trust "$D/trust.yaml" --log-key "$D/estate/log/key" --quorate "$Q" --kinds documents \
        --only 'another certificate'
    says '1 changes in all'
}

case_profiles() {
    local script=$D/scripts
    mkdir -p "$script"
    cp -r ceremonies/profiles ceremonies/root-oca-key-generation.yaml "$script/"
    must "$Q" script check "$script/root-oca-key-generation.yaml"
    sed -i 's/^signature: SHA256/signature: Ed25519/' "$script"/profiles/root-oca.yaml
    ends 2 "$Q" script check "$script/root-oca-key-generation.yaml"
    matches 'root-oca.yaml:[0-9]+:[0-9]+: Ed25519 was expected with a key of type EC:Ed25519, and with no other'
    sed -i 's/^key: .*/key: EC:Ed25519/; s/^signature: Ed25519/signature: SHA512/' "$script"/profiles/root-oca.yaml
    ends 2 "$Q" script check "$script/root-oca-key-generation.yaml"
    matches 'root-oca.yaml:[0-9]+:[0-9]+: Ed25519 was expected'
}

cases
