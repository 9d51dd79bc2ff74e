#!/bin/bash
# A site that is elsewhere: introduced, enrolled by a file, judging every message by itself.
# shellcheck source=tests/integration/lib.sh
. tests/integration/lib.sh
# shellcheck source=tests/integration/far.sh
. tests/integration/far.sh
FROM=bare

# What is pinned is what people approved there, and what the host shows.
case_introduced_and_enrolled() {
    prepare_far '{carried: true}'
    must "$Q" log show --type site-enrolled
    says glasgow
    must far "$Q" log show --type introduced
    must far "$Q" log check
}

cases
