#!/bin/bash
# Cosigners: over HTTP and by files, before a key is used and before a ceremony closes; and that both verifiers ask.
# shellcheck source=tests/integration/lib.sh
. tests/integration/lib.sh
FROM=bare

# Two cosigners, one at an address and one reached by files, in the policy of a new estate. The server is ended with the
# case.
cosigned_estate() {
    must "$Q" cosign init "$D/one" --name one.example/cosigner
    must "$Q" cosign init "$D/two" --name two.example/cosigner
    "$Q" cosign serve "$D/one" --listen 127.0.0.1:0 >"$D/one.out" 2>"$D/one.err" &
    SERVER=$!
    trap 'kill "$SERVER" 2>/dev/null || true' EXIT
    until grep -q listening "$D/one.out"; do
        kill -0 "$SERVER" || fail 'the server ended'
        sleep 0.05
    done
    URL=$(sed -n 's/^ *listening *//p' "$D/one.out")
    COSIGNERS="cosigners:
  policy:
    - witness one $(cat "$D/one/vkey") $URL
    - witness two $(cat "$D/two/vkey")
    - group both all one two
    - quorum both
  close: true" USE='  - id: use of a key that is cosigned
    when: {operation: use, token: root, label: "^app-cosigned", class: private-key}
    require: {cosigned: true}' awk '
        /^rules:/ { print ENVIRON["COSIGNERS"] }
        /^  - id: use of a CA key$/ { print ENVIRON["USE"] }
        { print }' "$D/template.yaml" >"$D/template.new"
    mv "$D/template.new" "$D/template.yaml"
    estate_policy "$D/template.yaml"
    prepare_ready
    must "$Q" cosign trust "$D/one" "$(cat "$D/estate/log/vkey")"
    must "$Q" cosign trust "$D/two" "$(cat "$D/estate/log/vkey")"
}

# Both have signed the log as it is.
collected() {
    ends 1 "$Q" cosign collect
    says two.request 'carry'
    must "$Q" cosign file "$D/two" "$D/estate/cosign/two.request" "$D/estate/cosign/two.cosignature"
    must "$Q" cosign collect
    says '2 cosigners'
}

case_use_waits_for_cosigners() {
    cosigned_estate
    born EC:secp256r1 app-cosigned
    openssl dgst -sha256 -binary -out "$D/message" demo/policy.yaml
    local id
    id=$(p11 --list-objects --type privkey | sed -n 's/^ *ID: *//p' | head -n 1)
    # Not before the birth is cosigned.
    ends 1 p11 --sign --mechanism ECDSA --id "$id" --input-file "$D/message" --output-file "$D/sig"
    collected
    must p11 --sign --mechanism ECDSA --id "$id" --input-file "$D/message" --output-file "$D/sig"
    must "$Q" log check
    [ "$(find "$D/estate/cosign" -type f | wc -l)" = 0 ] || fail 'the files of the round are still there'
    # Asked again: one remembers what it signed, and is asked from there.
    collected
}

# Nobody signs for a home that was restored from an old copy and then went another way.
case_a_restored_home() {
    cosigned_estate
    cp -a "$D/estate" "$D/old"
    asks generate EC:secp256r1 app-1
    collected
    rm -rf "$D/estate"
    mv "$D/old" "$D/estate"
    asks generate EC:secp256r1 app-2
    ends 1 "$Q" cosign collect
    says 'somebody forks the log'
    ends 1 "$Q" cosign file "$D/two" "$D/estate/cosign/two.request" "$D/answer"
    says 'not cosigned (409)'
}

case_a_ceremony_closes_cosigned() {
    cosigned_estate
    estate_trust
    mkdir "$D/scripts"
    cp -r ceremonies/profiles "$D/scripts/"
    cp ceremonies/root-oca-key-generation.yaml "$D/scripts/"
    estate_answers demo/ceremony.answers.yaml.in
    local ceremony=("$Q" run "$D/scripts/root-oca-key-generation.yaml" --answers "$D/ceremony.answers.yaml")
    ends 1 client "${ceremony[@]}"
    approve "$(estate_newest)" authority-1 authority-2
    ends 1 client "${ceremony[@]}"
    says 'wants the record cosigned before the ceremony closes'
    collected
    must client "${ceremony[@]}"
    says closed
    must "$Q" transcript root-oca-key-generation-1 "$D/transcript"
    must "$Q" verify "$D/transcript" --trust "$D/trust.yaml"
    says cosigners
    must python3 tests/verify.py "$D/transcript" --trust "$D/trust.yaml"
    says cosigned
}

cases
