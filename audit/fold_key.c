#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "audit/fold.h"
#include "core/limits.h"

/* The intent that member "intent" names, if any: it must be open. */
static struct state_intent *open_intent(struct fold *x)
{
    uint64_t seq = fold_has(x, "intent") ? fold_count(x, "intent") : 0;
    struct state_intent *i = x->rc || !fold_has(x, "intent") ? NULL : state_intent(x->look, seq);
    if (fold_has(x, "intent") && (!i || (i->state != INTENT_OPEN && i->state != INTENT_PROVISIONAL)))
        fold_fail(x, "entry %" PRIu64 " is no open intent", seq);
    return x->rc ? NULL : i;
}

struct newborn {
    const char *class_name, *id, *label, *token, *type;
    struct strings sites;
    struct buf public_key;
    struct digest fingerprint;
    struct state_intent *intent;
};

/* Who answered, or holds what others answered for, is still the one that the intent was for. */
static void check_site_stays(struct fold *x, const struct state_intent *i, const char *token, const char *site)
{
    if (state_site_gone(x->look, token, site, i->seq))
        fold_fail(x, "the site \"%s\" retired since its intent", site);
}

/* At most one of its sites, the primary, holds the key without a receipt. */
static void check_receipts(struct fold *x, const struct newborn *n)
{
    size_t without = 0;
    for (size_t i = 0; i < n->sites.count; i++) {
        without += !strings_have(&n->intent->receipted, n->sites.items[i]);
        if (n->sites.count > 1)
            check_site_stays(x, n->intent, n->token, n->sites.items[i]);
    }
    if (without > 1)
        fold_fail(x, "more than one of its sites gave no receipt");
    if (strcmp(n->token, n->intent->token ? n->intent->token : "") != 0 ||
        strcmp(n->label, n->intent->label ? n->intent->label : "") != 0)
        fold_fail(x, "its intent was for another token or label");
    /* Of a private key that came in otherwise nobody showed the public half. */
    if (!strcmp(n->intent->operation, "generate") && !state_intent_plain(n->intent) &&
        !strcmp(n->class_name, "private-key") && n->public_key.len == 0)
        fold_fail(x, "the member \"public-key\" is missing");
}

void fold_public_key(struct fold *x, struct buf *ret, struct digest *ret_fingerprint)
{
    struct digest d, fingerprint = fold_digest(x, "fingerprint");
    fold_hex(x, "public-key", ret);
    if (!digest_one(&d, buf_span(ret)) || !digest_equal(&d, &fingerprint))
        fold_fail(x, "the fingerprint is not that of the public key");
    *ret_fingerprint = fingerprint;
}

/* What is born under a provisional entry is the key that it names. */
static void check_awaited(struct fold *x, const struct newborn *n)
{
    const struct state_key *k = state_key_awaited(x->look, n->intent->seq);
    if (k && !digest_equal(&k->fingerprint, &n->fingerprint))
        fold_fail(x, "it is another key than the provisional one");
}

static void read_public_key(struct fold *x, struct newborn *n)
{
    if (fold_has(x, "public-key") != fold_has(x, "fingerprint"))
        fold_fail(x, "public-key and fingerprint stand together or not at all");
    if (!fold_has(x, "public-key"))
        return;
    fold_public_key(x, &n->public_key, &n->fingerprint);
    if (strcmp(n->class_name, "private-key") != 0)
        fold_fail(x, "a secret key has no public half");
}

static void read_newborn(struct fold *x, struct newborn *n)
{
    struct buf id = BUF(LIMIT_ATTRIBUTE);
    fold_members(x, "class ?fingerprint ?function id ?intent label ?public-key sites token type");
    n->class_name = fold_text(x, "class");
    n->label = fold_label(x, "label");
    n->token = fold_text(x, "token");
    n->type = fold_text(x, "type");
    n->id = fold_label(x, "id");
    fold_hex(x, "id", &id);
    fold_optional(x, "function");
    fold_strings(x, "sites", &n->sites);
    if (strcmp(n->class_name, "private-key") != 0 && strcmp(n->class_name, "secret-key") != 0)
        fold_fail(x, "what is born is a private-key or a secret-key, not \"%s\"", n->class_name);
    if (n->sites.count == 0)
        fold_fail(x, "it is born at no site");
    read_public_key(x, n);
    n->intent = open_intent(x);
    if (n->intent) {
        check_receipts(x, n);
        check_awaited(x, n);
    }
    buf_free(&id);
}

void fold_born(struct fold *x)
{
    struct newborn n = {.class_name = NULL, .public_key = BUF(LIMIT_ATTRIBUTE)};
    read_newborn(x, &n);
    struct state_request *r = n.intent ? state_request(x->look, &n.intent->request) : NULL;
    if (!fold_goes(x))
        goto out;
    struct state *s = x->s;
    if (r) {
        n.intent->state = INTENT_BORN;
        r->state = REQUEST_SPENT;
    }
    struct state_key *items = fold_room(x, s->keys, s->key_count, sizeof *items);
    if (!items)
        goto out;
    s->keys = items;
    items[s->key_count++] = (struct state_key){
        .token = fold_copy(x, n.token),
        .label = fold_copy(x, n.label),
        .type = fold_copy(x, n.type),
        .class_name = fold_copy(x, n.class_name),
        .id = fold_copy(x, n.id),
        .fingerprint = n.fingerprint,
        .public_key = n.public_key,
        .sites = n.sites,
        .born = x->e->time,
        .seq = x->e->seq,
        .intent = n.intent ? n.intent->seq : 0,
    };
    n.public_key = BUF(0); /* taken by the key, as are the sites */
    n.sites = (struct strings){.items = NULL};
out:
    buf_free(&n.public_key);
    strings_free(&n.sites);
}

/* What the intent said of key and site; the key's CKA_ID is still the one that the site gives it. */
static void check_replicated(struct fold *x, const struct state_intent *i, const struct state_key *k, const char *site)
{
    const json_t *sites = json_object_get(i->body, "sites"), *born = json_object_get(i->body, "born");
    const char *named = json_string_value(json_array_get(sites, 1)), *id = json_string_or_null(i->body, "caller-id");

    if (strcmp(i->operation, "replicate") != 0 || json_array_size(sites) != 2 || !named || strcmp(named, site) != 0 ||
        !json_is_integer(born) || (uint64_t)json_integer_value(born) != k->seq || !id || strcmp(id, k->id) != 0)
        fold_fail(x, "its intent was not to bring this key to the site \"%s\"", site);
    if (!strings_have(&i->receipted, site))
        fold_fail(x, "the site \"%s\" gave no receipt", site);
    check_site_stays(x, i, k->token, site);
    if (strings_have(&k->sites, site) || state_key_left_at(x->look, k, site))
        fold_fail(x, "the site \"%s\" holds the key already, or what it held before is not destroyed", site);
}

/* A living key came to one site more. */
void fold_replicated(struct fold *x)
{
    fold_members(x, "born intent label site token");
    uint64_t born = fold_count(x, "born");
    const char *label = fold_label(x, "label"), *token = fold_text(x, "token"), *site = fold_text(x, "site");
    struct state_intent *i = open_intent(x);
    struct state_request *r = i ? state_request(x->look, &i->request) : NULL;
    struct state_key *k = x->rc ? NULL : state_key_born(x->look, born);

    if (!k || strcmp(k->label, label) != 0 || strcmp(k->token, token) != 0)
        fold_fail(x, "no living key \"%s\" of the token \"%s\" was born in entry %" PRIu64, label, token, born);
    fold_site(x, token, site);
    if (!x->rc && i && k)
        check_replicated(x, i, k, site);
    if (!fold_goes(x) || !r || !k)
        return;
    fold_site_add(x, &k->sites, site);
    i->state = INTENT_BORN;
    r->state = REQUEST_SPENT;
}

/* The request that this entry is the end of: its own, or its intent's. NULL: none, a rule plainly allowed it. */
static struct state_request *ended_request(struct fold *x, const char *operation)
{
    struct state_intent *i = open_intent(x);
    struct state_request *of_intent = i ? state_request(x->look, &i->request) : NULL;
    struct state_request *r = fold_has(x, "request") ? fold_live_request(x, operation) : of_intent;
    if (r && of_intent && r != of_intent)
        fold_fail(x, "its intent was for another request");
    if (r && operation && strcmp(r->operation, operation) != 0)
        fold_fail(x, "the request asked for \"%s\"", r->operation);
    return r;
}

/* What came out, where the entry has it: the bytes whose digest it names. */
static void check_value(struct fold *x)
{
    struct buf value = BUF(LIMIT_ATTRIBUTE);
    struct digest d, signature = fold_digest(x, "signature");
    fold_hex(x, "value", &value);
    if (!digest_one(&d, buf_span(&value)) || !digest_equal(&d, &signature))
        fold_fail(x, "the signature is not that of the value");
    buf_free(&value);
}

/* What leaves no key behind, and changes or ends none: every use; of the other operations the member "operation" says
 * which. */
void fold_used(struct fold *x)
{
    static const char *const others[] = {"import", "derive",  "copy",       "modify",
                                         "wrap",   "destroy", "initialise", "set-pin"};
    const char *operation = fold_optional(x, "operation");
    bool known = !operation;
    for (size_t i = 0; operation && i < sizeof others / sizeof *others; i++)
        known = known || !strcmp(operation, others[i]);
    if (!known)
        fold_fail(x, "the operation \"%s\" does not end in an entry `used`", operation);
    if (fold_has(x, "count") && fold_count(x, "count") == 0)
        fold_fail(x, "no use at all");
    if (fold_has(x, "value"))
        check_value(x);
    fold_label(x, "label");
    const char *token = fold_text(x, "token"), *function = fold_optional(x, "function");
    struct state_request *r = ended_request(x, operation ? operation : "use");
    if (!fold_goes(x))
        return;
    if (r)
        fold_spend(x, r);
    if (operation && !strcmp(operation, "initialise") && (!function || !strcmp(function, "C_InitToken")))
        fold_token_made_new(x, token);
}

static struct state_key *want_key(struct fold *x)
{
    const char *class_name = fold_text(x, "class"), *id = fold_label(x, "id"), *label = fold_label(x, "label"),
               *token = fold_text(x, "token");
    struct state_key *k = x->rc ? NULL : state_key(x->look, token, class_name, id, label);
    if (!k)
        fold_fail(x, "no living key \"%s\" with this id is on the token \"%s\"", label, token);
    return k;
}

void fold_modified(struct fold *x)
{
    struct state_key *k = want_key(x);
    struct state_request *r = ended_request(x, "modify");
    const char *label = fold_optional(x, "new-label"), *id = fold_optional(x, "new-id");
    struct buf raw = BUF(LIMIT_ATTRIBUTE);
    if (id)
        fold_hex(x, "new-id", &raw);
    buf_free(&raw);
    if (!fold_goes(x))
        return;
    if (r)
        fold_spend(x, r);
    if (label) {
        free(k->label);
        k->label = fold_copy(x, label);
    }
    if (id) {
        free(k->id);
        k->id = fold_copy(x, id);
    }
}

/* A token was made new: the entry ends one of its keys, not the intent. */
static bool ends_with_token(struct fold *x, const struct state_key *k)
{
    const struct state_intent *i = fold_has(x, "intent") ? open_intent(x) : NULL;
    if (!i || strcmp(i->operation, "initialise") != 0)
        return false;
    if (k && strcmp(i->token ? i->token : "", k->token) != 0)
        fold_fail(x, "its intent was for another token");
    return true;
}

/* Who retired has destroyed it under another entry, or will. */
static void check_holder(struct fold *x, const struct state_key *k, const char *site)
{
    if (!strings_have(&k->sites, site) && !state_site(x->look, k->token, site) &&
        state_site_retired(x->look, k->token, site))
        fold_fail(x, "the site \"%s\" has retired and holds the key no more", site);
}

/* The entry says what became of the key at exactly the sites that hold it now: one may have come, or retired, while others were
 * cleared. */
static void check_everywhere(struct fold *x, const struct state_key *k, const struct strings *left)
{
    struct strings sites = {.items = NULL};
    if (!k || !fold_has(x, "sites"))
        return;
    fold_strings(x, "sites", &sites);
    for (size_t i = 0; i < k->sites.count; i++)
        if (!strings_have(&sites, k->sites.items[i]) && !strings_have(left, k->sites.items[i]))
            fold_fail(x, "it says nothing of the site \"%s\", which holds the key", k->sites.items[i]);
    for (size_t i = 0; i < sites.count; i++)
        check_holder(x, k, sites.items[i]);
    for (size_t i = 0; i < left->count; i++)
        check_holder(x, k, left->items[i]);
    strings_free(&sites);
}

void fold_destroyed(struct fold *x)
{
    struct state_key *k = want_key(x);
    /* What replicas a token leaves that was made new is for people to decide. */
    bool with_token = ends_with_token(x, k);
    struct state_request *r = with_token ? NULL : ended_request(x, "destroy");
    struct strings left = {.items = NULL};
    if (fold_has(x, "left") && !with_token)
        fold_strings(x, "left", &left);
    if (!with_token)
        check_everywhere(x, k, &left);
    if (!fold_goes(x))
        goto out;
    if (r)
        fold_spend(x, r);
    k->destroyed = true;
    for (size_t i = 0; i < left.count; i++)
        if (strings_have(&k->sites, left.items[i]))
            fold_site_add(x, &k->retired, left.items[i]);
out:
    strings_free(&left);
}

/* What was left of a destroyed key is gone at these sites too. */
void fold_key_cleared(struct fold *x)
{
    struct strings sites = {.items = NULL};
    struct state_key *k = NULL;
    fold_members(x, "born sites");
    uint64_t born = fold_count(x, "born");
    fold_strings(x, "sites", &sites);
    for (size_t i = 0; i < x->look->key_count && !k; i++)
        if (x->look->keys[i].seq == born && x->look->keys[i].destroyed)
            k = &x->look->keys[i];
    if (!k || sites.count == 0)
        fold_fail(x, "it is of no destroyed key, or of no site");
    for (size_t i = 0; k && i < sites.count; i++)
        if (!strings_have(&k->retired, sites.items[i]))
            fold_fail(x, "nothing was left at the site \"%s\"", sites.items[i]);
    for (size_t i = 0; k && fold_goes(x) && i < sites.count; i++)
        fold_site_remove(&k->retired, sites.items[i]);
    strings_free(&sites);
}
