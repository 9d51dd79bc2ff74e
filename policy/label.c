#include <locale.h>
#include <string.h>

#include "core/limits.h"
#include "policy/match.h"
#include "policy/parse.h"

/* The C locale for this thread alone: bytes are characters, whatever the host process has set. */
static bool c_locale_enter(locale_t *ret_c, locale_t *ret_old)
{
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);

    if (c == (locale_t)0)
        return false;
    *ret_old = uselocale(c);
    *ret_c = c;
    return true;
}

static void c_locale_leave(locale_t c, locale_t old)
{
    uselocale(old);
    freelocale(c);
}

static unsigned long interval_bound(const char *brace)
{
    unsigned long last = 0, highest = 1;

    for (const char *at = brace + 1; *at != '\0' && *at != '}'; at++) {
        last = *at >= '0' && *at <= '9' ? last * 10 + (unsigned long)(*at - '0') : 0;
        if (last > LIMIT_REPEATS)
            return last;
        if (last > highest)
            highest = last;
    }
    return highest;
}

/* What glibc would accept and we do not: back-references, which POSIX leaves out of extended expressions and which
 * make matching exponential, and repetitions that make compiling so. */
static enum outcome expression_check(const char *text, struct fault *f)
{
    unsigned long repeats = 1;

    if (strlen(text) > LIMIT_EXPRESSION)
        return fault_set(f, E_INVALID, "the expression is longer than %d bytes", LIMIT_EXPRESSION);
    for (const char *at = text; *at != '\0'; at++) {
        if (*at == '\\') {
            if (at[1] >= '1' && at[1] <= '9')
                return fault_set(f, E_INVALID, "back-references such as \\%c are not allowed", at[1]);
            if (at[1] != '\0')
                at++;
        } else if (*at == '{') {
            repeats *= interval_bound(at);
            if (repeats > LIMIT_REPEATS)
                return fault_set(f, E_INVALID, "the expression repeats too much: at most %d in all", LIMIT_REPEATS);
        }
    }
    return OK;
}

enum outcome label_compile(const char *expression, regex_t *ret, struct fault *f)
{
    locale_t c = (locale_t)0, old = (locale_t)0;
    regex_t compiled;
    char why[128] = "";
    int rc = 0;
    enum outcome o = expression_check(expression, f);

    if (o != OK)
        return o;
    if (!c_locale_enter(&c, &old))
        return fault_memory(f);
    rc = regcomp(&compiled, expression, REG_EXTENDED | REG_NOSUB);
    if (rc != 0)
        regerror(rc, &compiled, why, sizeof why);
    c_locale_leave(c, old);
    if (rc != 0)
        return fault_set(f, E_INVALID, "not a POSIX extended regular expression: %s", why);
    *ret = compiled;
    return OK;
}

enum label_match label_match(const regex_t *compiled, const char *label)
{
    locale_t c = (locale_t)0, old = (locale_t)0;
    int rc = 0;

    if (!c_locale_enter(&c, &old))
        return LABEL_BROKEN;
    rc = regexec(compiled, label, 0, NULL, 0);
    c_locale_leave(c, old);
    return rc == 0 ? LABEL_MATCHES : rc == REG_NOMATCH ? LABEL_DIFFERS : LABEL_BROKEN;
}
