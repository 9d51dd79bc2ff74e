#!/bin/bash
# The trail of a ceremony that cosigners signed and parts of which are confidential: whatever is done to it, with the log's
# own key too, both verifiers find, by the statement that is false then.
# shellcheck source=tests/integration/lib.sh
. tests/integration/lib.sh
FROM=bare

# Rooms and papers only: no HSM is asked.
trail_estate() {
    local name
    for name in one two; do
        must "$Q" cosign init "$D/$name" --name $name.example/cosigner
    done
    COSIGNERS="confidential: {deviation: incident}
cosigners:
  policy:
    - witness one $(cat "$D/one/vkey")
    - witness two $(cat "$D/two/vkey")
    - group both all one two
    - quorum both
  close: checkpoint" awk '/^rules:/ { print ENVIRON["COSIGNERS"] } { print }' "$D/template.yaml" >"$D/template.new"
    mv "$D/template.new" "$D/template.yaml"
    estate_policy "$D/template.yaml"
    "$Q" init --environment test
    policy_adopted
    estate_trust
    for name in one two; do
        must "$Q" cosign trust "$D/$name" "$(cat "$D/estate/log/vkey")"
    done
}

collected() { # what is asked for
    local name
    ends 1 "$Q" cosign collect "$@"
    for name in one two; do
        must "$Q" cosign file "$D/$name" "$D/estate/cosign/$name.request" "$D/estate/cosign/$name.cosignature"
    done
    must "$Q" cosign collect "$@"
}

trail_ceremony() {
    cat >"$D/trail.yaml" <<'END'
ceremony: A trail
id: trail
roles:
  administrator: {of: ceremony-administrator}
  witness: {of: witness, at-least: 2, card: optional}
acts:
  - act: Papers
    steps:
      - {step: Enter, by: administrator, do: enter}
      - {step: Enter, by: each witness, do: enter}
      - {step: Note, by: any witness, do: record, with: {who: "^[a-z]+$", what: "^[a-z]+$"}, confidential: {who: personal}}
      - {step: Look, by: any witness, do: record, with: {box: "^[0-9]+$"}}
      - {step: Open, by: administrator, do: open-bag, with: {item: box}, confidential: custody}
      - {step: Film, by: any witness, do: exhibit, with: {kind: video}, confidential: footage}
      - {step: Seal, by: administrator, do: seal-bag, with: {item: box}, confidential: {bag: custody}}
      - {step: Sign, by: each witness, do: attest, with: {statement: So it was.}, confidential: signatures}
      - {step: Close, by: administrator, do: close}
END
    echo film >"$D/film"
    cat >"$D/trail.answers.yaml" <<'END'
people: {administrator: administrator, witness: [witness-1, witness-2]}
keys: {administrator: people/administrator.uri, witness-1: people/witness-1.uri}
answers:
  "1.3": {who: mallory, what: nothing}
  "1.4": [{box: none}, {box: "12", deviation: {cause: The first number could not be read, accepted-by: witness-2}}]
  "1.5": {bag: one}
  "1.6": {file: film, device: camera}
  "1.7": {bag: two}
END
    asks "$Q" run "$D/trail.yaml" --answers "$D/trail.answers.yaml"
    approve "$ID" authority-1 authority-2
    ends 1 "$Q" run "$D/trail.yaml" --answers "$D/trail.answers.yaml"
    says 'wants the record cosigned'
    collected
    must "$Q" run "$D/trail.yaml" --answers "$D/trail.answers.yaml"
    says closed 'cosign collect --ceremony trail-1'
    ends 1 "$Q" transcript trail-1 "$D/transcript"
    says 'closing checkpoint'
    collected --ceremony trail-1
    must "$Q" transcript trail-1 "$D/transcript" --withhold personal --withhold signatures
    must "$Q" verify "$D/transcript" --trust "$D/trust.yaml"
    must tests/verify.py "$D/transcript" --trust "$D/trust.yaml"
}

case_the_trail() {
    local here=$D
    trail_estate
    trail_ceremony
    D=$here-other
    rm -rf "$D"
    estate_copy "$WORK/bare"
    trail_estate
    trail_ceremony
    local other=$D
    D=$here
    must tests/tamper.py "$D/transcript" --trust "$D/trust.yaml" --log-key "$D/estate/log/key" --trail --quorate "$Q" \
        --other "$other/transcript" --other-trust "$other/trust.yaml" --flips "${FLIPS:-200}"
    says 'changes in all'
    printf '%s\n' "$OUT"
    rm -rf "$other"
}

cases
