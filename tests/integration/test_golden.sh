#!/bin/bash
# Transcripts of earlier days verify for ever, by both verifiers, and go on being refused when they are altered.
# shellcheck source=tests/integration/lib.sh
. tests/integration/lib.sh

case_old_transcripts_hold() {
    local old
    for old in tests/golden/*/; do
        must "$Q" verify "$old/transcript" --trust "$old/trust.yaml"
        must python3 tests/verify.py "$old/transcript" --trust "$old/trust.yaml"
    done
}

case_an_altered_old_transcript() {
    cp -r tests/golden/1 "$D/old"
    sed -i '5s/"time":"20/"time":"21/' "$D/old/transcript/entries"
    ends 1 "$Q" verify "$D/old/transcript" --trust "$D/old/trust.yaml"
}

cases
