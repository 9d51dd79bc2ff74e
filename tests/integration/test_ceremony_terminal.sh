#!/bin/bash
# A ceremony held by people at a real terminal: wrong entries and retries, deviations, a rejected approval, a break.
# shellcheck source=tests/integration/lib.sh
. tests/integration/lib.sh
# shellcheck source=tests/integration/ceremony.sh
. tests/integration/ceremony.sh

at_terminal() {
    expect -f tests/integration/people.exp "$D" "$Q" run "$@"
}

case_people_at_a_terminal() {
    local site
    for site in $SITES; do
        estate_serial "root-$site" >"$D/serial-$site"
    done
    estate_answers demo/ceremony.answers.yaml.in
    ends 2 "$Q" run $SCRIPT
    says 'there is no terminal'
    asks at_terminal $SCRIPT
    says 'waits for people'
    approve "$ID" authority-1 authority-2
    must at_terminal $SCRIPT
    says 'Act 1: Open the room' 'does not fit' 'The deviation is in the log' 'custodian-3 has rejected it'
    transcript_holds $CEREMONY
    says 'step 2.2.3 deviated: it had to be done in another way (accepted by auditor)' 'step 6.1.1 deviated'
    grep -q '"action":"exhibit","actors":\["witness-1"\],"result":{},"step":"6.1.1"' "$D/transcript/entries" ||
        fail 'the step that was left undone is not on the record as such'
    grep -q '"kind":"attestation","name":"attestation of witness-2","person":"witness-2","step"' "$D/transcript/entries" ||
        fail 'the witness without a card has signed'
}

cases
