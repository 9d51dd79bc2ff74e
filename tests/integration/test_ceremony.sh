#!/bin/bash
# Ceremonies without a terminal: from the opening under quorum to a transcript that both verifiers believe, and what a
# ceremony is refused for.
# shellcheck source=tests/integration/lib.sh
. tests/integration/lib.sh
# shellcheck source=tests/integration/ceremony.sh
. tests/integration/ceremony.sh

case_unattended() {
    answers
    opening_approved $SCRIPT
    must holds $SCRIPT
    transcript_holds $CEREMONY
    says '44 steps' 'step 2.2.3 deviated'
    grep -q '"reason":"the words differ on my device".*"type":"rejection"' "$D/transcript/entries" || fail 'no rejection'
    grep -q '"name":"serial".*"value":"??"' "$D/transcript/entries" || fail 'the wrong entry is not on the record'
    grep -q '"action":"approve","actors":\["custodian-4","custodian-1","custodian-2"\]\|"actors":\["custodian-1","custodian-2","custodian-4"\]' \
        "$D/transcript/entries" || fail 'nobody stood in for the one who rejected'
    ends 1 "$Q" transcript $CEREMONY "$D/transcript"
}

# One ceremony under the first log key, another after the key was changed, and a third key before anybody takes the transcripts:
# each is signed by the key of its time, and the trust file names the first for all of them.
case_log_key_changed() {
    local key
    answers -e 's/"3.2": .*//'
    opening_approved $SCRIPT
    must holds $SCRIPT
    estate_trust
    for key in second third; do
        asks "$Q" log change-key
        approve "$ID" authority-1 authority-2
        must "$Q" log change-key
        [ $key = third ] || {
            mkdir -p "$D/profiles"
            cp ceremonies/profiles/*.yaml "$D/profiles"
            sed 's/root-g1/root-g2/' $SCRIPT >"$D/second.yaml"
            answers -e 's/"3.2": .*//' -e 's/TEB 00471\([456]\)/TEB 00472\1/' -e 's/TEB 00471\([123]\)/TEB 00471\1x/' \
                -e 's/TEB 004711x/TEB 004714/;s/TEB 004712x/TEB 004715/;s/TEB 004713x/TEB 004716/'
            opening_approved "$D/second.yaml"
            must holds "$D/second.yaml"
        }
    done
    must "$Q" log check
    for key in 1 2; do
        must "$Q" transcript root-oca-key-generation-$key "$D/transcript-$key"
        must "$Q" verify "$D/transcript-$key" --trust "$D/trust.yaml"
        must tests/verify.py "$D/transcript-$key" --trust "$D/trust.yaml"
    done
    # Under the key of another time it does not hold, whoever signed.
    estate_trust
    ends 1 "$Q" verify "$D/transcript-2" --trust "$D/trust.yaml"
    ends 1 tests/verify.py "$D/transcript-2" --trust "$D/trust.yaml"
}

# In a second ceremony of the same estate the bags are known: the wrong one is a deviation, or goes no further.
case_custody() {
    answers -e 's/"3.2": .*//'
    opening_approved $SCRIPT
    must holds $SCRIPT
    mkdir -p "$D/profiles"
    cp ceremonies/profiles/*.yaml "$D/profiles"
    sed 's/root-g1/root-g2/' $SCRIPT >"$D/second.yaml"
    answers -e 's/"3.2": .*//' -e 's/TEB 00471\([456]\)/TEB 00472\1/' -e 's/TEB 00471\([13]\)/TEB 00471\1x/' \
        -e 's/TEB 004711x/TEB 004714/;s/TEB 004713x/TEB 004716/'
    opening_approved "$D/second.yaml"
    ends 1 holds "$D/second.yaml"
    says 'step 2.1.2' 'TEB 004712'
    sed -i 's/^  "2.1.2": .*/  "2.1.2": [{by: custodian-2, bag: "TEB 004712", deviation: {cause: its number was rubbed off, accepted-by: witness-1}}]/' \
        "$D/ceremony.answers.yaml"
    must holds "$D/second.yaml"
    transcript_holds root-oca-key-generation-2
    says 'its number was rubbed off' 'glasgow from bag TEB 004713: the log never saw it sealed'
    ! grep -q 'TEB 004716: the log never saw it sealed' <<<"$OUT" || fail 'a sealed bag is forgotten'
}

case_script_changed() {
    answers
    mkdir -p "$D/profiles"
    cp ceremonies/profiles/*.yaml "$D/profiles"
    cp $SCRIPT "$D/script.yaml"
    opening_approved "$D/script.yaml"
    sed -i 's/3 custodian/1 custodian/' "$D/script.yaml"
    # Nobody approved this one: its opening is another request, and it waits.
    asks holds "$D/script.yaml"
    says 'waits for people'
    cp $SCRIPT "$D/script.yaml"
    sed -i 's/"2.1.1": .*//' "$D/ceremony.answers.yaml"
    ends 2 holds "$D/script.yaml"
    answers -e 's/bag: "TEB 004711"/bag: "\\x07"/'
    ends 1 holds "$D/script.yaml"
    says 'stands at step 2.1.1'
    sed -i 's/3 custodian/1 custodian/' "$D/script.yaml"
    ends 1 holds "$D/script.yaml"
    says 'is open with another script' 'its digest was not approved'
}

refused_people() {
    answers -e "$1"
    ends 1 holds $SCRIPT
    shift
    says "$@"
    [ -z "$(ls "$D/estate/ceremonies")" ] || fail 'a ceremony was begun'
}

case_people() {
    refused_people 's/^  auditor: .*//' 'the role auditor is not filled'
    refused_people 's/^  witness: .*/  witness: [witness-1]/;/^  witness-2:/d;s/by: witness-2/by: witness-1/' 'the role witness is filled by 1' '2 at least'
    refused_people 's/^  auditor: auditor$/  auditor: administrator/;/^  auditor: people/d' 'administrator' 'one person holds one role'
    refused_people 's/custodian-4/custodian-6/' 'custodian-6 may not be custodian any more'
    refused_people 's/custodian-3, custodian-4\]/custodian-3, auditor]/;/^  custodian-4:/d' 'one person holds one role'
    refused_people 's/witness-2/authority-2/' 'authority-2 may not be witness: by the policy they are no witness'
    refused_people 's/^  auditor: auditor$/  auditor: nobody/;s/^  auditor: people/  nobody: people/' 'nobody, named as auditor, is nobody in the policy'
}

# Somebody who is an administrator by the policy stays away from approving, whatever else they are.
case_administrator_approves() {
    sed -i '/^  - id: custodian-4$/,/roles:/s/roles: \[key-custodian\]/roles: [key-custodian, ceremony-administrator]/;s/^version: 1$/version: 2/' \
        "$D/policy.yaml"
    asks "$Q" policy adopt "$D/policy.yaml"
    approve "$ID" authority-1 authority-2
    must "$Q" policy adopt "$D/policy.yaml"
    refused_people 's/^$//' 'custodian-4 may not be custodian, who approves' 'an administrator approves nothing'
}

# The ceremony stands at another step, and in another process.
case_out_of_turn() {
    answers -e 's/bag: "TEB 004711"/bag: "\\x07"/'
    opening_approved $SCRIPT
    ends 1 holds $SCRIPT
    says 'stands at step 2.1.1'
    asks generate EC:prime256v1 root-g1
    ends 1 "$Q" request show "$ID"
    says 'needs an open ceremony'
    answers -e 's/by: custodian-1, bag: "TEB 004711"/by: witness-1, bag: "TEB 004711"/'
    ends 2 holds $SCRIPT
    matches 'ceremony.answers.yaml:[0-9]+:[0-9]+: '
    says 'step 2.1.1 is for custodian; witness-1 is witness'
    answers
    must holds $SCRIPT
    transcript_holds $CEREMONY
}

# $1: sed expression that spoils the script; then line:column and what is said of it.
bad_script() {
    sed "$1" $SCRIPT >"$D/bad.yaml"
    ends 2 "$Q" script check "$D/bad.yaml"
    matches "bad.yaml:$2: .*$3"
    ends 2 holds "$D/bad.yaml"
    matches "bad.yaml:$2: .*$3"
}

case_bad_scripts() {
    answers
    must "$Q" script check $SCRIPT
    says '44 steps'
    bad_script 's/^id: root/id: Root/' '4:5' 'Root-oca.* is no name'
    bad_script '0,/do: enter/s//do: restore/' '[0-9]+:[0-9]+' 'not yet: restore'
    bad_script '0,/do: enter/s//do: entre/' '[0-9]+:[0-9]+' 'entre'
    bad_script '0,/by: administrator/s//by: director/' '[0-9]+:[0-9]+' 'director'
    bad_script 's/for: root-certificate/for: root-certificat/' '[0-9]+:[0-9]+' 'root-certificat'
    bad_script 's/^classification:/classified:/' '5:1' 'classified.*classification'
    bad_script '0,/minutes: 2/s//minutes: soon/' '[0-9]+:[0-9]+' 'soon'
    bad_script 's/{item: "{hsm}"}/{itme: "{hsm}"}/' '[0-9]+:[0-9]+' 'itme'
    bad_script '$ a\      - {step: more, by: administrator, do: say, say: more}' '[0-9]+:[0-9]+' 'close'
}

bad_answers() {
    answers -e "$1"
    ends "${4:-2}" holds $SCRIPT
    matches "ceremony.answers.yaml:$2: .*$3"
    [ -z "$(ls "$D/estate/ceremonies")" ] || fail 'a ceremony was begun'
}

case_bad_answers() {
    bad_answers 's/"6.3": {file/"6.9": {file/' '[0-9]+:[0-9]+' '6.9'
    bad_answers 's/^  "6.3": .*//' '[0-9]+:[0-9]+' '6.3'
    bad_answers 's/clock-2: now/clock-3: now/' '[0-9]+:[0-9]+' 'clock-3'
    bad_answers 's/^  auditor: people.*//' '[0-9]+:[0-9]+' 'auditor'
    bad_answers 's/accepted-by: witness-2/accepted: witness-2/' '[0-9]+:[0-9]+' 'accepted'
    bad_answers 's/^people:/peple:/' '[0-9]+:1' 'peple'
}


cases
