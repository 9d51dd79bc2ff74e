#ifndef QUORATE_TESTS_AUDIT_FIXTURE_H
#define QUORATE_TESTS_AUDIT_FIXTURE_H

/* What the tests of the audit room share. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/encode.h"
#include "core/json.h"

#define VECTORS "../shared/vectors"

/* {'a': 'b'} with single quotes, because C has the double ones. */
static inline json_t *json_quoted(const char *format, ...) __attribute__((format(printf, 1, 2)));
static inline json_t *json_quoted(const char *format, ...)
{
    va_list ap;
    char *text = NULL;
    va_start(ap, format);
    assert_true(vasprintf(&text, format, ap) >= 0);
    va_end(ap);
    for (char *p = text; *p; p++)
        *p = *p == '\'' ? '"' : *p;
    json_error_t error;
    json_t *json = json_loads(text, 0, &error);
    if (!json)
        fail_msg("%s: %s", error.text, text);
    free(text);
    return json;
}

/* A digest that is easy to tell from others. */
static inline struct digest digest_named(const char *name)
{
    struct digest d;
    assert_true(digest_one(&d, span_str(name)));
    return d;
}

static inline struct digest_text digest_text_named(const char *name)
{
    struct digest d = digest_named(name);
    return digest_hex(&d);
}
#define HEX(name) digest_text_named(name).hex

static inline void base64_digest(const char *text, struct digest *ret)
{
    struct fault f;
    struct buf b = BUF(64);
    assert_int_equal(base64_parse(span_str(text), &b, &f), OK);
    assert_int_equal(b.len, 32);
    memcpy(ret->bytes, b.data, 32);
    buf_free(&b);
}

/* False, and said aloud, where the known answers from elsewhere are not there; where CI must have them, a failure. */
static inline int vectors_there(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file) {
        fclose(file);
        return 1;
    }
    const char *ci = getenv("CI");
    printf("SKIPPED: %s is missing\n", path);
    if (ci && !strcmp(ci, "true"))
        fail_msg("%s is missing", path);
    return 0;
}

#endif
