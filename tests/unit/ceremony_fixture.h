#ifndef QUORATE_TESTS_CEREMONY_FIXTURE_H
#define QUORATE_TESTS_CEREMONY_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ceremony/script.h"
#include "core/limits.h"

/* The script that tests start from, a line each, so that a case can replace one (from 1). */
static const char *const script_lines[] = {
    "ceremony: A key\n",                                                                  /* 1 */
    "id: a-key\n",                                                                        /* 2 */
    "parameters: {key: root-g1}\n",                                                       /* 3 */
    "roles:\n",                                                                           /* 4 */
    "  admin: {of: ceremony-administrator}\n",                                            /* 5 */
    "  holder: {of: key-custodian, at-least: 2}\n",                                       /* 6 */
    "  witness: {of: witness, organisation-not-of: admin, card: optional}\n",             /* 7 */
    "acts:\n",                                                                            /* 8 */
    "  - act: Begin\n",                                                                   /* 9 */
    "    steps:\n",                                                                       /* 10 */
    "      - {step: Go in, by: admin, do: enter, minutes: 1}\n",                          /* 11 */
    "      - {step: Go in, by: each holder, do: enter, minutes: 2}\n",                    /* 12 */
    "      - {step: Go in, by: each witness, do: enter}\n",                               /* 13 */
    "      - step: Open the bag of {hsm}\n",                                              /* 14 */
    "        for-each: hsm in [a, b]\n",                                                  /* 15 */
    "        by: any holder\n",                                                           /* 16 */
    "        do: open-bag\n",                                                             /* 17 */
    "        with: {item: \"{hsm}\"}\n",                                                  /* 18 */
    "        minutes: 3\n",                                                               /* 19 */
    "  - act: Make {key}\n",                                                              /* 20 */
    "    steps:\n",                                                                       /* 21 */
    "      - {step: Approve, by: 2 holder, do: approve, for: the-key}\n",                 /* 22 */
    "      - step: Make it\n",                                                            /* 23 */
    "        by: admin\n",                                                                /* 24 */
    "        do: generate-key-pair\n",                                                    /* 25 */
    "        with: {token: root, label: \"{key}\", type: \"EC:P-256\"}\n",                /* 26 */
    "        saves: the-key\n",                                                           /* 27 */
    "      - {step: Note, by: any witness, do: record, with: {n: \"^[0-9]{2}$\"}}\n",     /* 28 */
    "      - {step: Sign, by: each holder, do: attest, with: {statement: So it was.}}\n", /* 29 */
    "      - {step: Sign, by: each witness, do: attest, with: {statement: I saw it.}}\n", /* 30 */
    "      - {step: Close, by: admin, do: close}\n"                                       /* 31 */
};
#define SCRIPT_LINES (sizeof script_lines / sizeof *script_lines)

static inline enum outcome script_with(unsigned line, const char *instead, struct script **ret, struct fault *f)
{
    struct buf b = BUF(LIMIT_DOCUMENT);
    enum outcome o = E_MEMORY;

    for (unsigned i = 1; i <= SCRIPT_LINES; i++)
        buf_puts(&b, i == line ? instead : script_lines[i - 1]);
    assert_false(b.failed);
    o = script_parse("s.yaml", buf_span(&b), ret, f);
    buf_free(&b);
    return o;
}

static inline struct script *script_made(void)
{
    struct script *s = NULL;
    struct fault f = {.outcome = OK};

    if (script_with(0, NULL, &s, &f) != OK)
        fail_msg("%s", f.text);
    return s;
}

#endif
