#include "ceremony/claims.h"

#include <stdlib.h>
#include <string.h>

#include "ceremony/print.h"
#include "core/encode.h"

static const struct {
    enum standing standing;
    const char *name, *text;
} claim_table[] = {
#define X(name, standing, id, text) {standing, id, text},
    CLAIMS(X)
#undef X
};

void claims_clear(struct claims *c)
{
    for (size_t i = 0; i < CLAIM_COUNT; i++) {
        free(c->items[i].failure);
        free(c->items[i].evidence);
        free(c->items[i].unseen_what);
    }
    *c = (struct claims){0};
}

void claim_holds(struct claims *c, enum claim_id id)
{
    c->items[id].checked++;
}

static char *text_format(const char *format, va_list ap) __attribute__((format(printf, 1, 0)));
static char *text_format(const char *format, va_list ap)
{
    struct buf raw = BUF(4096), clean = BUF(16384);
    char *text = NULL;

    buf_vputf(&raw, format, ap);
    printable_put(&clean, buf_span(&raw));
    text = buf_take(&clean);
    buf_free(&raw);
    buf_free(&clean);
    return text;
}

bool claim_fails(struct claims *c, enum claim_id id, const char *format, ...)
{
    struct claim *claim = &c->items[id];

    if (claim->failures++ == 0) {
        va_list ap;

        va_start(ap, format);
        claim->failure = text_format(format, ap);
        va_end(ap);
    }
    return false;
}

void claim_unseen(struct claims *c, enum claim_id id, const char *format, ...)
{
    struct claim *claim = &c->items[id];

    if (claim->unseen++ == 0) {
        va_list ap;

        va_start(ap, format);
        claim->unseen_what = text_format(format, ap);
        va_end(ap);
    }
}

void claim_evidence(struct claims *c, enum claim_id id, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    free(c->items[id].evidence);
    c->items[id].evidence = text_format(format, ap);
    va_end(ap);
}

bool claims_hold(const struct claims *c)
{
    for (size_t i = 0; i < CLAIM_COUNT; i++)
        if (c->items[i].failures != 0)
            return false;
    return true;
}

static const char *claim_word(const struct claims *c, size_t i)
{
    if (c->items[i].failures != 0)
        return "fails";
    if (c->items[i].checked == 0)
        return "withheld";
    return claim_table[i].standing == PROVEN ? "proven" : "attested";
}

void claims_put(const struct claims *c, struct buf *b)
{
    for (size_t i = 0; i < CLAIM_COUNT; i++) {
        const struct claim *claim = &c->items[i];
        const char *word = claim_word(c, i);
        bool bare = claim->failures == 0 && claim->checked == 0; /* all that it could rest on is withheld */
        enum tone tone = claim->failures != 0 ? TONE_BAD : claim_table[i].standing == PROVEN ? TONE_GOOD : TONE_WAIT;

        if (bare && claim->unseen == 0)
            continue; /* nothing of the kind in this record */
        print_cell(b, tone, word, 10);
        print_cell(b, TONE_PLAIN, claim_table[i].name, 14);
        print_text(b, claim_table[i].text);
        if (claim->failures == 0 && !bare && claim->evidence != NULL)
            buf_putf(b, " (%s)", claim->evidence);
        else if (claim->failures == 0 && !bare)
            buf_putf(b, " (%u)", claim->checked);
        buf_puts(b, "\n");
        if (claim->failures != 0)
            buf_putf(b, "%24s%s\n", "", claim->failure != NULL ? claim->failure : "out of memory");
        if (claim->failures > 1)
            buf_putf(b, "%24sand %u more\n", "", claim->failures - 1);
        if (claim->unseen != 0)
            buf_putf(b, "%24snot verifiable here: %s\n", "",
                     claim->unseen_what != NULL ? claim->unseen_what : "out of memory");
        if (claim->unseen > 1)
            buf_putf(b, "%24sand %u more that are not\n", "", claim->unseen - 1);
    }
}

static bool unseen_put(json_t *item, const struct claim *claim)
{
    json_t *unseen = json_object();
    bool good = json_put_integer(unseen, "count", claim->unseen) &&
                json_put_string(unseen, "first", claim->unseen_what != NULL ? claim->unseen_what : "");

    if (good)
        return json_put(item, "not-verifiable", unseen);
    json_decref(unseen);
    return false;
}

json_t *claims_json(const struct claims *c)
{
    json_t *list = json_array(), *result = json_object();
    bool good = list != NULL && result != NULL;

    for (size_t i = 0; good && i < CLAIM_COUNT; i++) {
        json_t *item = json_object();

        if (c->items[i].failures == 0 && c->items[i].checked == 0 && c->items[i].unseen == 0) {
            json_decref(item);
            continue;
        }
        good =
            json_put_string(item, "claim", claim_table[i].name) && json_put_string(item, "standing", claim_word(c, i));
        if (good && c->items[i].evidence != NULL)
            good = json_put_string(item, "evidence", c->items[i].evidence);
        if (good && c->items[i].failure != NULL)
            good = json_put_string(item, "failure", c->items[i].failure);
        if (good && c->items[i].unseen != 0)
            good = unseen_put(item, &c->items[i]);
        good = json_array_append_new(list, item) == 0 && good;
    }
    good =
        json_put(result, "claims", list) && good && json_put_string(result, "holds", claims_hold(c) ? "true" : "false");
    if (good)
        return result;
    json_decref(result);
    return NULL;
}
