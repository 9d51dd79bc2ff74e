#!/bin/bash
# Confidential bodies: kept beside the log, shown or withheld by class in transcripts, and nothing of them anywhere else.
# shellcheck source=tests/integration/lib.sh
. tests/integration/lib.sh
# shellcheck source=tests/integration/ceremony.sh
. tests/integration/ceremony.sh
FROM=bare

# The estate under a policy that makes deviations confidential, and the shipped script with classes in its steps:
#   custody: bags, all of their steps     personal: who carries, recordings, the witnesses' attestations
#   hardware: serials and one clock       commercial: certificate, its TBS and profile
confidential_ceremony() {
    sed -i 's/^rules:$/confidential: {deviation: incident}\nrules:/' "$D/template.yaml"
    estate_policy "$D/template.yaml"
    prepare_ready
    mkdir "$D/scripts"
    cp -r ceremonies/profiles "$D/scripts/"
    SCRIPT=$D/scripts/root-oca-key-generation.yaml
    sed -e 's/^\( *\)do: \(open\|seal\)-bag$/&\n\1confidential: custody/' \
        -e 's/^\( *\)with: {carrier:.*/&\n\1confidential: {carrier: personal}/' \
        -e 's/^\( *\)with: {serial:.*/&\n\1confidential: {serial: hardware}/' \
        -e 's/^\( *\)do: check-clock$/&\n\1confidential: {clock-1: hardware}/' \
        -e 's/^\( *\)with: {kind: video}$/&\n\1confidential: personal/' \
        -e 's/^\( *\)do: issue-certificate$/&\n\1confidential: commercial/' \
        -e '/by: each witness/{n;s/^\( *\)do: attest$/&\n\1confidential: personal/}' \
        ceremonies/root-oca-key-generation.yaml >"$SCRIPT"
    answers
    opening_approved "$SCRIPT"
    must holds "$SCRIPT"
}

# Both verifiers: it holds. Arguments: the transcript, then what the first one must say of it.
both_hold() {
    local transcript=$1
    shift
    must tests/verify.py "$transcript" --trust "$D/trust.yaml"
    SECOND=$OUT
    must "$Q" verify "$transcript" --trust "$D/trust.yaml"
    says 'The transcript holds.' "$@"
}

# Both refuse it, the first by this statement.
both_refuse() { # transcript, claim
    ends 1 "$Q" verify "$1" --trust "$D/trust.yaml"
    matches "^fails +$2"
    ends 1 tests/verify.py "$1" --trust "$D/trust.yaml"
    says FAILS
}

nowhere() { # text, folders
    local text=$1
    shift
    ! grep -rqaF -- "$text" "$@" || fail "\"$text\" can be read in $(grep -rlaF -- "$text" "$@" | head -n 1)"
}

bodies() { # transcript, class
    local d
    for d in $(grep -o "{\"ceremony\":\"[^\"]*\",\"class\":\"$2\",\"commit\":\"[0-9a-f]*" "$1/entries" | cut -d'"' -f12); do
        echo "$1/confidential/$d.json"
    done
}

case_withheld_by_class() {
    confidential_ceremony
    estate_trust
    # On the host everything is shown; in what anybody may be served nothing is.
    must "$Q" log check
    must "$Q" log show --json
    says '"value":"Key Custodian One"' '"class":"personal"' '"bag","person":"custodian-1"'
    must "$Q" status --offline
    must "$Q" log publish --all
    nowhere '"value":"Key Custodian One"' "$D/estate/log/public" "$D/estate/log/entries"
    nowhere 'TEB 0047' "$D/estate/log/public" "$D/estate/log/entries"
    nowhere 'scratched' "$D/estate/log/public" "$D/estate/log/entries"
    # With everything in it.
    must "$Q" transcript $CEREMONY "$D/whole"
    both_hold "$D/whole" 'personal: 7 shown'
    grep -q 'not verifiable here' <<<"$OUT" && fail 'something is called not verifiable where nothing is withheld'
    [ "$(bodies "$D/whole" custody | wc -l)" = 6 ] || fail 'not six bags'
    # Each class by itself, then all; what is left out is named, and all else is as proven as before.
    local class some
    for class in custody personal hardware commercial incident; do
        must "$Q" transcript $CEREMONY "$D/$class" --withhold $class --tar "$D/$class.tar"
        says withheld
        both_hold "$D/$class" "$class: " ' withheld' 'not verifiable here: '
        for some in $(bodies "$D/whole" $class); do
            [ -f "$some" ] || fail "$some is not there"
            [ ! -e "$D/$class/confidential/${some##*/}" ] || fail "$class has $some"
        done
        grep -q "confidential bodies of class $class: not verifiable here" <<<"$SECOND" || fail 'the second verifier says nothing'
    done
    nowhere 'TEB 0047' "$D/custody"
    nowhere '"value":"Key Custodian One"' "$D/personal"
    nowhere 'camera 1' "$D/personal/confidential" "$D/personal/artifacts"
    nowhere 'scratched' "$D/incident"
    for class in custody personal hardware commercial incident; do set -- "$@" --withhold $class; done
    must "$Q" transcript $CEREMONY "$D/none" "$@" --tar "$D/none.tar"
    both_hold "$D/none" 'not verifiable here: '
    [ ! -e "$D/none/confidential" ] || fail 'an empty folder'
    must "$Q" transcript $CEREMONY "$D/again" "$@" --tar "$D/again.tar"
    cmp "$D/none.tar" "$D/again.tar" || fail 'two archives of one ceremony differ'
    must "$Q" verify "$D/none" --trust "$D/trust.yaml" --json
    says '"personal":{"withheld":7}' '"not-verifiable":' '"holds":"true"'
    # Artifacts that nothing but a withheld body names stay out with it.
    [ "$(find "$D/personal/artifacts" -type f | wc -l)" -lt "$(find "$D/whole/artifacts" -type f | wc -l)" ] ||
        fail 'the attestations are there'
    [ ! -e "$D/commercial/profiles" ] || fail 'the profile is there'
    # A slip of the pen does not show what was to be withheld.
    ends 2 "$Q" transcript $CEREMONY "$D/slip" --withhold persnal
    says 'no entry of the log'
    [ ! -e "$D/slip" ] || fail 'something was written'
    altered
}

# What is withheld by halves, exchanged or altered is found, by name of the statement.
altered() {
    local one two
    { read -r one && read -r two; } < <(bodies "$D/whole" custody)
    cp -r "$D/whole" "$D/half"
    rm "$D/half/confidential/${one##*/}"
    both_refuse "$D/half" confidential
    cp -r "$D/whole" "$D/exchanged"
    cp "$one" "$D/exchanged/confidential/${two##*/}"
    both_refuse "$D/exchanged" confidential
    cp -r "$D/whole" "$D/salted"
    sed -i 's/"salt":"\(....\)\(....\)/"salt":"\2\1/' "$D/salted/confidential/${one##*/}"
    both_refuse "$D/salted" confidential
    cp -r "$D/whole" "$D/said"
    sed -i 's/TEB/BET/' "$D/said/confidential/${one##*/}"
    both_refuse "$D/said" confidential
    cp -r "$D/personal" "$D/more"
    mkdir -p "$D/more/confidential"
    echo '{}' >"$D/more/confidential/$(printf '0%.0s' {1..64}).json"
    both_refuse "$D/more" files
}

# Without keys: a bag, a value of a class and one without. $1: the bag that is opened, $2: the one that is sealed; then
# an answer more, and its step.
custody_ceremony() {
    short_ceremony short "
  \"1.2\": {bag: $1}
  \"1.3\": {who: mallory, what: nothing}
  \"1.4\": {bag: $2}
  ${3:-}" \
        'Open, do: open-bag, with: {item: box}, confidential: custody' \
        'Note, do: record, with: {who: "^[a-z]+$", what: "^[a-z]+$"}, confidential: {who: personal}' \
        'Seal, do: seal-bag, with: {item: box}, confidential: {bag: custody}' "${@:4}"
    opening_approved "$D/short.yaml"
}

# The next ceremony knows which bag was sealed, though the log's lines do not say; in a transcript without them nobody does.
case_custody_goes_on() {
    prepare_ready
    estate_trust
    custody_ceremony one two
    must short_holds
    custody_ceremony one three
    ends 1 short_holds
    says 'box was last sealed in another bag than one'
    sed -i 's/{bag: one}/{bag: two}/' "$D/ceremony.answers.yaml"
    must short_holds
    must "$Q" transcript short-2 "$D/whole"
    both_hold "$D/whole" 'custody: 5 shown'
    must "$Q" transcript short-2 "$D/withheld" --withhold custody
    both_hold "$D/withheld" 'custody: 5 withheld'
    matches '^withheld +custody'
    says 'not verifiable here: bag of step 1.2 is withheld'
}

# A body that is lost, or another than was committed to, is damage: named, and nothing goes on.
case_lost_bodies() {
    prepare_ready
    custody_ceremony one two
    must short_holds
    must "$Q" log check
    local one
    one=$(grep -l mallory "$D"/estate/log/confidential/*.json)
    cp "$one" "$D/kept"
    rm "$one"
    ends 1 "$Q" log check
    says damage '(answer, class personal) is lost or altered' "${one##*/}" 'from a copy of the home'
    ends 1 "$Q" status --offline
    says damage
    ends 1 "$Q" transcript short-1 "$D/transcript"
    says damage
    sed 's/mallory/somebody/' "$D/kept" >"$one"
    ends 1 "$Q" log check
    says 'not what the entry commits to'
    cp "$D/kept" "$one"
    must "$Q" log check
    # Left by a crash before its entry was written: no entry names it, and it harms nobody.
    cp "$one" "${one%/*}/$(printf '1%.0s' {1..64}).json"
    must "$Q" log check
    must "$Q" transcript short-1 "$D/transcript"
    [ "$(find "$D/transcript/confidential" -type f | wc -l)" = 3 ] || fail 'not three bodies'
}

# What the log says of an arrival everybody may read, whatever class answers have.
case_arrivals_are_shown() {
    sed -i 's/^rules:$/confidential: {answer: personal}\nrules:/' "$D/template.yaml"
    estate_policy "$D/template.yaml"
    prepare_ready
    estate_trust
    must "$Q" move root glasgow --bag TEB-1
    custody_ceremony one two '"1.5": {bag: TEB-1, safe: GLA-1}' 'Receive, do: arrive, with: {token: root, site: glasgow}'
    must short_holds
    must "$Q" transcript short-1 "$D/transcript" --withhold personal
    both_hold "$D/transcript" 'personal: 2 withheld' 'custody: 2 shown'
    grep -q '"bag":"TEB-1","safe":"GLA-1","site":"glasgow"' "$D/transcript/entries" || fail 'the arrival is not told'
    nowhere '"value":"nothing"' "$D/transcript"
}

# However long the log is, and whatever is remembered of it: a check reads everything.
case_a_check_forgets() {
    prepare_ready
    custody_ceremony one two
    must short_holds
    custody_ceremony two three
    awk '/"1.3"/ { printf "  \"1.3\": ["; for (i = 0; i < 110; i++) printf "{who: a, what: %d}, ", i; print "{who: a, what: b}]"; next }
        { print }' "$D/ceremony.answers.yaml" >"$D/many.yaml"
    mv "$D/many.yaml" "$D/ceremony.answers.yaml"
    must short_holds
    must "$Q" log check
    must "$Q" status --offline
    [ -e "$D/estate/snapshot" ] || fail 'nothing is remembered'
    local one
    one=$(grep -l mallory "$D"/estate/log/confidential/*.json)
    rm "$one"
    ends 1 "$Q" log check
    says damage "${one##*/}"
}

cases
