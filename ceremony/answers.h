#ifndef QUORATE_CEREMONY_ANSWERS_H
#define QUORATE_CEREMONY_ANSWERS_H

#include "ceremony/run_cast.h"
#include "ceremony/script.h"
#include "core/yaml.h"

/* What an unattended run is told, as YAML:
 *
 *   people: {ROLE: PERSON | [PERSON, ...]}
 *   keys: {PERSON: FILE}                     a file with a pkcs11: URI, or a PEM key
 *   answers:
 *     "1.2": {clock-1: now, clock-2: now}    by the step's number; or a list of successive attempts
 *     "2.3": [{bag: A1}, {bag: A2, deviation: {cause: TEXT, accepted-by: PERSON}}]
 *
 * `by: PERSON | [PERSON, ...]` in an attempt names who acts, where the script leaves that open. Relative paths start at
 * the file's folder. */
struct answers {
    char *file, *folder;
    struct yaml *root;
    size_t *taken; /* attempts taken, by the step's place in the script */
    const struct script *script;
};

/* Everything that can be known before anything starts: unknown steps and names, steps that need answers and have none,
 * people who sign and have no key. Errors read "FILE:LINE:COLUMN: ...". `script` must live as long as the answers. */
enum outcome answers_read(const char *path, const struct script *s, struct answers **ret, struct cast *ret_cast,
                          struct fault *f);
void answers_free(struct answers *a);

/* The file of `--people`: `people:` alone. */
enum outcome people_read(const char *path, const struct script *s, struct cast *ret, struct fault *f);

/* The step's next attempt, a map; NULL: there is none left. */
const struct yaml *answers_next(struct answers *a, const struct step *step);
const struct yaml *answers_peek(const struct answers *a, const struct step *step);
/* The one that was taken last; NULL: none was. */
const struct yaml *answers_last(const struct answers *a, const struct step *step);
/* A person's key as `--key` wants it. E_ABSENT: none is named. The caller's. */
enum outcome answers_key(const struct answers *a, const char *person, char **ret, struct fault *f);

#endif
